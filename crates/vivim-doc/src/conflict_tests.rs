use super::*;
use crate::{Entry, Value};

fn doc(client: u64) -> Doc {
    Doc::new(ClientId::from_random(client))
}

fn sync(from: &mut Doc, to: &mut Doc) {
    let vector = to.encode_state_vector();
    to.apply_update(&from.encode_state_as_update(Some(&vector)).unwrap()).unwrap();
}

fn number(value: f64) -> Value {
    Value::Number(value)
}

#[test]
fn concurrent_entries_are_a_conflict_on_both_sides_with_one_winner() {
    let (mut one, mut two) = (doc(1), doc(2));
    one.map_set("m", "k", &number(0.0)).unwrap();
    sync(&mut one, &mut two);
    one.map_set("m", "k", &number(1.0)).unwrap();
    two.map_set("m", "k", &number(2.0)).unwrap();
    let (from_one, from_two) = (one.take_updates(), two.take_updates());
    two.apply_update(&from_one.last().unwrap().payload).unwrap();
    one.apply_update(&from_two.last().unwrap().payload).unwrap();
    for doc in [&mut one, &mut two] {
        let conflicts = doc.take_conflicts();
        assert_eq!(conflicts.len(), 1);
        assert_eq!(conflicts[0].key, "k");
        assert_eq!(conflicts[0].target, TypeId::root("m"));
        assert_eq!(conflicts[0].path, [PathPart::Key("m".into())]);
        assert_eq!(conflicts[0].winner, ClientId::from_random(2));
        assert_eq!(conflicts[0].loser, ClientId::from_random(1));
        assert_eq!(doc.map_get("m", "k").unwrap(), Some(number(2.0)));
        assert_eq!(doc.take_conflicts(), []);
    }
}

#[test]
fn what_replaces_the_current_entry_is_no_conflict() {
    let (mut one, mut two) = (doc(1), doc(2));
    for round in 0..20 {
        one.map_set("m", "k", &number(round.into())).unwrap();
        sync(&mut one, &mut two);
        two.map_set("m", "k", &number(0.5)).unwrap();
        two.map_set("m", &round.to_string(), &number(0.5)).unwrap();
        sync(&mut two, &mut one);
    }
    assert_eq!(one.take_conflicts(), []);
    assert_eq!(two.take_conflicts(), []);
    let mut third = doc(3);
    sync(&mut one, &mut third);
    assert_eq!(third.take_conflicts(), []);
}

#[test]
fn conflicts_in_attributes_and_nested_maps_have_a_path() {
    let (mut one, mut two) = (doc(1), doc(2));
    let root = one.root(Kind::XmlFragment, "x").unwrap();
    one.xml_insert_element(&root, 0, "br").unwrap();
    let p = one.xml_insert_element(&root, 1, "p").unwrap();
    sync(&mut one, &mut two);
    one.xml_set_attribute(&p, "a", &number(1.0)).unwrap();
    two.xml_set_attribute(&p, "a", &number(2.0)).unwrap();
    sync(&mut two, &mut one);
    let conflicts = one.take_conflicts();
    assert_eq!(conflicts[0].path, [PathPart::Key("x".into()), PathPart::Index(1)]);
    assert_eq!((&conflicts[0].target, conflicts[0].key.as_str()), (&p, "a"));
}

#[test]
fn an_entry_beside_a_deleted_one_is_no_conflict() {
    let (mut one, mut two) = (doc(1), doc(2));
    one.map_set("m", "k", &number(0.0)).unwrap();
    sync(&mut one, &mut two);
    one.map_set("m", "k", &number(1.0)).unwrap();
    one.map_delete("m", "k").unwrap();
    two.map_set("m", "k", &number(2.0)).unwrap();
    sync(&mut two, &mut one);
    assert_eq!(one.take_conflicts(), []);
}

/// Whoever is said to have won is the one whose entry is there, whatever the order of things.
#[test]
fn the_winner_is_the_one_whose_entry_is_there() {
    use rand::{Rng, SeedableRng, seq::SliceRandom};
    let mut reported = 0;
    for seed in 0..300 {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut docs: Vec<Doc> = (1..=4).map(doc).collect();
        let mut updates = Vec::new();
        for _ in 0..12 {
            let at = rng.random_range(0..4);
            // The author is in the value.
            docs[at].map_set("m", "k", &number((at + 1) as f64)).unwrap();
            // One entry in each.
            let made = docs[at].take_updates();
            updates.extend(made.into_iter().filter(|made| made.origin == crate::Origin::Local));
            let to = rng.random_range(0..4);
            if to != at && rng.random_bool(0.4) {
                let (low, high) = (at.min(to), at.max(to));
                let (left, right) = docs.split_at_mut(high);
                let (a, b) = (&mut left[low], &mut right[0]);
                if at < to { sync(a, b) } else { sync(b, a) }
            }
        }
        for doc in &mut docs {
            doc.take_conflicts();
            updates.shuffle(&mut rng);
            for update in &updates {
                // With what waited, several entries may come at once.
                let waited = doc.has_pending();
                doc.apply_update(&update.payload).unwrap();
                let conflicts = doc.take_conflicts();
                if waited {
                    continue;
                }
                let map = doc.root(Kind::Map, "m").unwrap();
                if let Some(last) = conflicts.last() {
                    let winner = number(last.winner.get() as f64);
                    let current = doc.entry_get(&map, "k").unwrap();
                    assert_eq!(current, Some(Entry::Value(winner)), "seed {seed}");
                    reported += 1;
                }
            }
        }
    }
    assert!(reported > 100, "{reported}");
}

#[test]
fn conflicts_that_nobody_takes_are_bounded() {
    let (mut one, mut two) = (doc(1), doc(2));
    for key in 0..=MAX_CONFLICTS_QUEUED {
        one.map_set("m", &key.to_string(), &number(1.0)).unwrap();
        two.map_set("m", &key.to_string(), &number(2.0)).unwrap();
    }
    sync(&mut two, &mut one);
    assert_eq!(one.take_conflicts().len(), MAX_CONFLICTS_QUEUED);
}
