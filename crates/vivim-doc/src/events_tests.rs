use super::*;
use crate::{ClientId, Kind, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn sync(from: &mut Doc, to: &mut Doc) {
    let vector = to.encode_state_vector();
    to.apply_update(&from.encode_state_as_update(Some(&vector)).unwrap()).unwrap();
}

fn value(value: impl Into<Value>) -> Entry {
    Entry::Value(value.into())
}

#[test]
fn a_text_tells_of_what_was_typed_and_by_whom() {
    let (mut one, mut two) = (doc(1), doc(2));
    let text = one.root(Kind::Text, "t").unwrap();
    one.text_insert_at(&text, 0, "before").unwrap();
    one.observe(&text, false).unwrap();
    one.observe(&text, false).unwrap();
    one.text_insert_at(&text, 6, "!").unwrap();
    two.root(Kind::Text, "t").unwrap();
    sync(&mut one, &mut two);
    two.text_delete_at(&text, 0, 2).unwrap();
    sync(&mut two, &mut one);
    let events = one.take_events();
    let deltas: Vec<_> = events.iter().map(|event| (event.delta.clone(), event.origin)).collect();
    let typed = vec![TextOp::Retain(6, [].into()), TextOp::Insert(value("!"), [].into())];
    assert_eq!(
        deltas,
        [
            (ChangeDelta::Text(typed), ChangeOrigin::Local),
            (ChangeDelta::Text(vec![TextOp::Delete(2)]), ChangeOrigin::Remote),
        ]
    );
    one.unobserve(&text, false);
    one.text_insert_at(&text, 0, "x").unwrap();
    assert_eq!(one.take_events(), []);
}

#[test]
fn a_map_observed_deep_tells_of_all_that_is_in_it() {
    let mut doc = doc(1);
    let root = doc.root(Kind::Map, "m").unwrap();
    let list = doc.entry_set_type(&root, "list", Kind::Array).unwrap();
    doc.observe(&root, true).unwrap();
    doc.entry_set(&root, "k", &1.0.into()).unwrap();
    doc.entry_set(&root, "k", &2.0.into()).unwrap();
    let inner = doc.array_push_type(&list, Kind::Map).unwrap();
    doc.entry_set(&inner, "deep", &true.into()).unwrap();
    doc.entry_delete(&root, "k").unwrap();
    doc.entry_delete(&root, "list").unwrap();
    let events = doc.take_events();
    let keys = |at: usize, key: &str| events[at].keys[key].clone();
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| event.observed == root && event.deep));
    assert_eq!(keys(0, "k"), KeyChange::Add(value(1.0)));
    assert_eq!(keys(1, "k"), KeyChange::Update { new: value(2.0), old: value(1.0) });
    assert_eq!(events[2].target, list);
    assert_eq!(events[2].path, [PathPart::Key("list".into())]);
    let entry = Entry::Type(Kind::Map, inner.clone());
    assert_eq!(events[2].delta, ChangeDelta::List(vec![ListOp::Insert(vec![entry])]));
    assert_eq!(events[3].target, inner);
    assert_eq!(events[3].path, [PathPart::Key("list".into()), PathPart::Index(0)]);
    assert_eq!(keys(3, "deep"), KeyChange::Add(value(true)));
    assert_eq!(keys(4, "k"), KeyChange::Delete(value(2.0)));
    assert_eq!(keys(5, "list"), KeyChange::Delete(Entry::Type(Kind::Array, list.clone())));
    assert_eq!(doc.observe(&list, false), Err(EditError::Gone));
}

#[test]
fn xml_tells_of_children_and_attributes() {
    let mut doc = doc(1);
    let root = doc.root(Kind::XmlFragment, "x").unwrap();
    let p = doc.xml_insert_element(&root, 0, "p").unwrap();
    doc.observe(&root, true).unwrap();
    doc.observe(&p, false).unwrap();
    doc.xml_set_attribute(&p, "a", &"b".into()).unwrap();
    let text = doc.xml_insert_text(&p, 0).unwrap();
    let events = doc.take_events();
    assert_eq!(events.len(), 4);
    let of_p: Vec<_> = events.iter().filter(|event| event.observed == p).collect();
    assert_eq!(of_p[0].keys["a"], KeyChange::Add(value("b")));
    let inserted = ListOp::Insert(vec![Entry::Type(Kind::XmlText, text)]);
    assert_eq!(of_p[1].delta, ChangeDelta::List(vec![inserted]));
}

#[test]
fn events_that_nobody_takes_are_dropped_and_said_to_be() {
    let mut doc = doc(1);
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.observe(&text, false).unwrap();
    for _ in 0..=MAX_EVENTS_QUEUED {
        doc.text_insert_at(&text, 0, "x").unwrap();
    }
    assert_eq!(doc.take_events().len(), 1);
    assert!(doc.take_events_lost());
    assert!(!doc.take_events_lost());
}
