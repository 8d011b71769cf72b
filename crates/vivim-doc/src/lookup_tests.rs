use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{ClientId, Value};

fn doc(client: u64) -> (Doc, TypeId) {
    let mut doc = Doc::new(ClientId::from_random(client));
    let list = doc.root(Kind::Array, "list").unwrap();
    (doc, list)
}

fn add(doc: &mut Doc, list: &TypeId, id: &str) -> TypeId {
    let record = doc.array_push_type(list, Kind::Map).unwrap();
    doc.entry_set(&record, "id", &Value::from(id)).unwrap();
    record
}

/// What is found if everything is read.
fn scan(doc: &Doc, list: &TypeId, field: &str, text: &str) -> Vec<Entry> {
    let is_meant = |entry: &Entry| match doc.entry_value(entry).unwrap() {
        Value::Map(fields) => fields.get(field) == Some(&Value::from(text)),
        _ => false,
    };
    doc.array_items(list).unwrap().into_iter().filter(is_meant).collect()
}

#[test]
fn records_are_found_whoever_wrote_changed_or_deleted_them() {
    let ((mut ours, list), (mut theirs, _)) = (doc(1), doc(2));
    let found = |doc: &mut Doc, id: &str| doc.array_find(&list, "id", id).unwrap();
    let of = |id: &TypeId| vec![Entry::Type(Kind::Map, id.clone())];
    assert_eq!(found(&mut ours, "a"), []);
    let a = add(&mut ours, &list, "a");
    let b = add(&mut theirs, &list, "b");
    ours.apply_update(&theirs.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(found(&mut ours, "a"), of(&a));
    assert_eq!(found(&mut ours, "b"), of(&b));
    assert_eq!(ours.array_index_of(&list, &b), Ok(Some(1)));
    theirs.entry_set(&b, "id", &Value::from("c")).unwrap();
    ours.apply_update(&theirs.encode_state_as_update(None).unwrap()).unwrap();
    assert_eq!(found(&mut ours, "b"), []);
    assert_eq!(found(&mut ours, "c"), of(&b));
    ours.array_delete(&list, 0, 1).unwrap();
    assert_eq!(found(&mut ours, "a"), []);
    assert_eq!(ours.array_index_of(&list, &a), Ok(None));
    let text = ours.root(Kind::Text, "text").unwrap();
    assert_eq!(ours.array_find(&text, "id", "a"), Err(EditError::WrongKind));
}

#[test]
fn of_several_records_the_first_in_the_list_comes_first_and_plain_ones_are_found() {
    let (mut doc, list) = doc(1);
    let late = add(&mut doc, &list, "x");
    let early = doc.array_insert_type(&list, 0, Kind::Map).unwrap();
    doc.entry_set(&early, "id", &Value::from("x")).unwrap();
    let both = [early, late].map(|id| Entry::Type(Kind::Map, id));
    assert_eq!(doc.array_find(&list, "id", "x").unwrap(), both);
    let plain = Value::Map([("id".to_owned(), Value::from("x"))].into());
    doc.array_insert(&list, 1, std::slice::from_ref(&plain)).unwrap();
    let [early, late] = both;
    let all = [early, Entry::Value(plain), late];
    assert_eq!(doc.array_find(&list, "id", "x").unwrap(), all);
}

#[test]
fn whatever_is_edited_and_undone_by_whomever_searching_finds_what_reading_finds() {
    for seed in 0..100 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut docs = [1, 2].map(|client| doc(client).0);
        let list = TypeId::root("list");
        let scopes = docs.each_mut().map(|doc| {
            doc.undo_scope(std::slice::from_ref(&list), std::time::Duration::ZERO).unwrap()
        });
        for step in 0..60 {
            let who = rng.random_range(0..2);
            let (doc, scope) = (&mut docs[who], scopes[who]);
            let items = doc.array_items(&list).unwrap();
            let at = rng.random_range(0..=items.len());
            let id = Value::from(format!("{}", rng.random_range(0..6)));
            let field = ["id", "parent"][rng.random_range(0..2)];
            match (rng.random_range(0..8), items.get(at)) {
                (0, Some(_)) => doc.array_delete(&list, at as u32, 1).unwrap(),
                (1, Some(Entry::Type(_, record))) => drop(doc.entry_delete(record, field)),
                (2 | 3, Some(Entry::Type(_, record))) => doc.entry_set(record, field, &id).unwrap(),
                (4, _) => drop(doc.undo(scope)),
                (5, _) => drop(doc.redo(scope)),
                (6, _) if step == 50 => doc.array_push(&list, &[id]).unwrap(),
                _ => {
                    let record = doc.array_insert_type(&list, at as u32, Kind::Map).unwrap();
                    doc.entry_set(&record, field, &id).unwrap();
                }
            }
            if rng.random_range(0..4) == 0 {
                let update = docs[0].encode_state_as_update(None).unwrap();
                docs[1].apply_update(&update).unwrap();
                let update = docs[1].encode_state_as_update(None).unwrap();
                docs[0].apply_update(&update).unwrap();
            }
            for doc in &mut docs {
                let (field, text) = (["id", "parent"][step % 2], format!("{}", step % 6));
                let expected = scan(doc, &list, field, &text);
                assert_eq!(doc.array_find(&list, field, &text).unwrap(), expected, "seed {seed}");
            }
        }
    }
}

#[test]
fn what_is_remembered_is_bounded_and_forgotten_things_are_found_again() {
    let (mut doc, list) = doc(1);
    let record = add(&mut doc, &list, "a");
    let found = [Entry::Type(Kind::Map, record.clone())];
    assert_eq!(doc.array_find(&list, "id", "a").unwrap(), found);
    for field in 0..2 * MAX_LOOKUPS {
        assert_eq!(doc.array_find(&list, &format!("field {field}"), "a").unwrap(), []);
        let lookups: usize = doc.history.lookups.0.values().map(Vec::len).sum();
        assert!(lookups <= MAX_LOOKUPS);
    }
    assert_eq!(doc.array_find(&list, "id", "a").unwrap(), found);
    for round in 0..=MAX_LOOKUP_NEWS {
        doc.entry_set(&record, "id", &Value::from(["b", "c"][round % 2])).unwrap();
        doc.take_updates();
    }
    let news = doc.history.lookups.0.values().flatten().map(|lookup| lookup.news.len());
    assert_eq!(news.max(), Some(0), "beyond the bound the list is read anew");
    let now = ["b", "c"][MAX_LOOKUP_NEWS % 2];
    assert_eq!(doc.array_find(&list, "id", now).unwrap(), found);
}
