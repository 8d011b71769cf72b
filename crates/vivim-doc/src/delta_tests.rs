//! Deltas, against what they mean: a list of units with formats.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::{ChangeDelta, ClientId, Kind};

/// One UTF-16 unit, or one value that is embedded.
#[derive(Clone, Debug, PartialEq)]
enum Unit {
    Letter(u16),
    Embed(Value),
    Type,
}

#[derive(Clone, Default)]
struct Model(Vec<(Unit, Attributes)>);

impl Model {
    fn of(delta: &[TextOp]) -> Self {
        let mut model = Self::default();
        for op in delta {
            let TextOp::Insert(entry, attributes) = op else { panic!("{op:?}") };
            model.insert(model.0.len(), entry, attributes);
        }
        model
    }

    /// Whether a position is in the middle of a surrogate pair.
    fn is_in_pair(&self, at: usize) -> bool {
        let is_from = |at: usize, first: u16| match self.0.get(at) {
            Some((Unit::Letter(unit), _)) => (first..first + 0x400).contains(unit),
            _ => false,
        };
        at > 0 && is_from(at - 1, 0xd800) && is_from(at, 0xdc00)
    }

    /// A position that isn't.
    fn whole(&self, at: usize) -> usize {
        if self.is_in_pair(at) { at + 1 } else { at }
    }

    /// Where something is parted, a surrogate pair is two replacement characters.
    fn part(&mut self, at: usize) {
        if self.is_in_pair(at) {
            self.0[at - 1].0 = Unit::Letter(0xfffd);
            self.0[at].0 = Unit::Letter(0xfffd);
        }
    }

    fn insert(&mut self, at: usize, entry: &Entry, attributes: &Attributes) -> usize {
        let units: Vec<Unit> = match entry {
            Entry::Type(..) => vec![Unit::Type],
            Entry::Value(Value::String(string)) => {
                string.encode_utf16().map(Unit::Letter).collect()
            }
            Entry::Value(value) => vec![Unit::Embed(value.clone())],
        };
        let len = units.len();
        if len > 0 {
            self.part(at);
        }
        let mut attributes = attributes.clone();
        attributes.retain(|_, value| *value != Value::Null);
        let units = units.into_iter().map(|unit| (unit, attributes.clone()));
        self.0.splice(at..at, units);
        len
    }

    fn apply(&mut self, delta: &[TextOp]) {
        let mut at = 0;
        for op in delta {
            match op {
                TextOp::Delete(len) => {
                    self.part(at + *len as usize);
                    self.0.drain(at..at + *len as usize);
                }
                TextOp::Insert(entry, attributes) => at += self.insert(at, entry, attributes),
                TextOp::Retain(len, attributes) => {
                    let end = at + *len as usize;
                    self.part(end);
                    for (_, formats) in &mut self.0[at..end] {
                        for (key, value) in attributes {
                            if *value == Value::Null {
                                formats.remove(key);
                            } else {
                                formats.insert(key.clone(), value.clone());
                            }
                        }
                    }
                    at = end;
                }
            }
        }
    }
}

fn string(text: &str) -> Entry {
    Entry::Value(Value::String(text.to_owned()))
}

fn attributes(pairs: &[(&str, Value)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn some_attributes(rng: &mut ChaCha8Rng) -> Attributes {
    let mut attributes = Attributes::new();
    for key in ["bold", "link", "size"] {
        let value = match rng.random_range(0..8) {
            0 => Value::Bool(true),
            1 => Value::Null,
            2 => Value::from("x"),
            3 => Value::Map([("a".to_owned(), Value::Number(1.0))].into()),
            _ => continue,
        };
        attributes.insert(key.to_owned(), value);
    }
    attributes
}

fn some_delta(rng: &mut ChaCha8Rng, text: &Model) -> Vec<TextOp> {
    let mut at = 0;
    let steps = rng.random_range(1..9);
    let mut step = || {
        let attributes = some_attributes(rng);
        let end = text.whole(rng.random_range(at..=text.0.len().min(at + 5)));
        let len = (end - at) as u32;
        match rng.random_range(0..5) {
            0 | 1 if len > 0 => {
                at = end;
                TextOp::Delete(len)
            }
            2 | 3 if len > 0 => {
                at = end;
                TextOp::Retain(len, attributes)
            }
            4 => TextOp::Insert(Entry::Value(Value::Number(7.5)), attributes),
            _ => {
                let text = ["a", "bc", "ü", "🎉", "d🎉e", ""][rng.random_range(0..6)];
                TextOp::Insert(string(text), attributes)
            }
        }
    };
    (0..steps).map(|_| step()).collect()
}

/// A text that two have worked on, with whatever marks that leaves.
fn some_text(rng: &mut ChaCha8Rng, with_types: bool) -> (Doc, TypeId, Doc) {
    let mut docs = [1, 2].map(|client| Doc::new(ClientId::from_random(client)));
    let text = docs[0].root(Kind::Text, "t").unwrap();
    docs[1].root(Kind::Text, "t").unwrap();
    for _ in 0..rng.random_range(0..30) {
        let doc = &mut docs[rng.random_range(0..2)];
        let model = Model(read(doc, &text));
        let index = model.whole(rng.random_range(0..=model.0.len()));
        let end = model.whole(rng.random_range(index..=model.0.len().min(index + 4)));
        let (index, count) = (index as u32, (end - index) as u32);
        match rng.random_range(0..7) {
            0 => doc.text_insert_at(&text, index, "ab🎉"),
            1 => doc.text_insert_with(&text, index, "cd", &some_attributes(rng)),
            2 | 3 => doc.text_format(&text, index, count, &some_attributes(rng)),
            4 => doc.text_delete_at(&text, index, count),
            5 if with_types => doc.text_insert_type(&text, index, Kind::Map).map(drop),
            _ => doc.text_insert_embed(&text, index, &Value::Bool(true), &some_attributes(rng)),
        }
        .unwrap();
        if rng.random_range(0..4) == 0 {
            exchange(&mut docs);
        }
    }
    exchange(&mut docs);
    let [doc, other] = docs;
    (doc, text, other)
}

fn exchange(docs: &mut [Doc; 2]) {
    for (from, to) in [(0, 1), (1, 0)] {
        let vector = docs[to].encode_state_vector();
        let update = docs[from].encode_state_as_update(Some(&vector)).unwrap();
        docs[to].apply_update(&update).unwrap();
    }
}

fn read(doc: &Doc, text: &TypeId) -> Vec<(Unit, Attributes)> {
    Model::of(&doc.text_delta(text).unwrap()).0
}

/// A text as whoever follows its changes has it.
fn told(doc: &mut Doc, before: &Model) -> Vec<(Unit, Attributes)> {
    let mut copy = before.clone();
    for event in doc.take_events() {
        let ChangeDelta::Text(delta) = event.delta else { panic!("{event:?}") };
        copy.apply(&delta);
    }
    copy.0
}

fn check_seed(seed: u64, with_types: bool) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (mut doc, text, mut other) = some_text(&mut rng, with_types);
    doc.observe(&text, false).unwrap();
    other.observe(&text, false).unwrap();
    for _ in 0..6 {
        let before = Model(read(&doc, &text));
        let mut model = before.clone();
        let delta = some_delta(&mut rng, &model);
        model.apply(&delta);
        doc.take_updates();
        doc.text_apply_delta(&text, &delta).unwrap();
        assert_eq!(read(&doc, &text), model.0, "seed {seed}: {delta:?}");
        assert_eq!(told(&mut doc, &before), model.0, "seed {seed}: {delta:?} as an event");
        let updates = doc.take_updates();
        assert!(updates.len() <= 1, "seed {seed}: one edit is one update");
        for update in updates {
            other.apply_update(&update.payload).unwrap();
        }
        assert_eq!(read(&other, &text), model.0, "seed {seed}: {delta:?} at another replica");
        assert_eq!(told(&mut other, &before), model.0, "seed {seed}: {delta:?} as an event there");
    }
}

#[test]
fn random_deltas_leave_just_the_formats_that_they_say() {
    for seed in 0..1_000 {
        check_seed(seed, false);
    }
}

#[test]
fn random_deltas_leave_the_formats_of_shared_types() {
    for seed in 0..1_000 {
        check_seed(seed, true);
    }
}

#[test]
fn a_delta_parts_a_surrogate_pair_only_where_it_changes_something() {
    let (party, bold) = ("🎉", attributes(&[("bold", Value::Bool(true))]));
    let retain = |len| TextOp::Retain(len, Attributes::new());
    let cases = [
        (vec![retain(1)], "🎉🎉"),
        (vec![retain(1), retain(2)], "🎉🎉"),
        (vec![retain(1), TextOp::Retain(2, bold)], "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        (vec![retain(1), TextOp::Delete(2)], "\u{fffd}\u{fffd}"),
        (vec![TextOp::Delete(1), TextOp::Delete(1)], "🎉"),
        (vec![retain(3), TextOp::Insert(string("x"), [].into())], "🎉\u{fffd}x\u{fffd}"),
    ];
    for (delta, expected) in cases {
        let mut docs = [1, 2].map(|client| Doc::new(ClientId::from_random(client)));
        let text = docs[0].root(Kind::Text, "t").unwrap();
        docs[0].text_insert_at(&text, 0, &party.repeat(2)).unwrap();
        exchange(&mut docs);
        docs[0].text_apply_delta(&text, &delta).unwrap();
        exchange(&mut docs);
        assert_eq!(docs[0].text_string(&text).unwrap(), expected, "{delta:?}");
        assert_eq!(docs[1].text("t").unwrap(), expected, "{delta:?} at another replica");
    }
}

#[test]
fn what_is_inserted_after_a_deletion_has_the_formats_given() {
    let bold = attributes(&[("bold", Value::Bool(true))]);
    let plain = Attributes::new();
    let mut doc = Doc::new(ClientId::from_random(1));
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_with(&text, 0, "bold", &bold).unwrap();
    let delta = [
        TextOp::Delete(4),
        TextOp::Insert(string("new"), bold.clone()),
        TextOp::Insert(string("plain"), plain.clone()),
    ];
    doc.text_apply_delta(&text, &delta).unwrap();
    assert_eq!(doc.text_delta(&text).unwrap(), delta[1..]);
    // Formats end what is behind a deletion, too.
    let delta = [
        TextOp::Delete(2),
        TextOp::Retain(3, attributes(&[("bold", Value::Null)])),
        TextOp::Delete(1),
        TextOp::Insert(string("!"), bold.clone()),
    ];
    doc.text_apply_delta(&text, &delta).unwrap();
    let expected = [
        TextOp::Insert(string("wpl"), plain.clone()),
        TextOp::Insert(string("!"), bold),
        TextOp::Insert(string("in"), plain),
    ];
    assert_eq!(doc.text_delta(&text).unwrap(), expected);
}

#[test]
fn a_delta_longer_than_the_text_changes_nothing() {
    let mut doc = Doc::new(ClientId::from_random(1));
    let text = doc.root(Kind::Text, "t").unwrap();
    doc.text_insert_at(&text, 0, "abc").unwrap();
    doc.take_updates();
    let delta = [TextOp::Insert(string("x"), [].into()), TextOp::Delete(u32::MAX)];
    let error = EditError::OutOfBounds { position: u64::from(u32::MAX), len: 3 };
    assert_eq!(doc.text_apply_delta(&text, &delta), Err(error));
    assert!(doc.take_updates().is_empty());
}
