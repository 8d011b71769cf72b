use std::time::Duration;

use crate::{ClientId, Doc, DocUpdate, Kind, Value};

fn pair() -> [Doc; 2] {
    [1, 2].map(|client| Doc::new(ClientId::from_random(client)))
}

fn send(updates: Vec<DocUpdate>, to: &mut Doc) {
    for update in updates {
        to.apply_update(&update.payload).unwrap();
    }
}

fn integers() -> Vec<i64> {
    let mut integers = vec![0, -1, 1 << 24, (1 << 31) - 1, 1 << 31, -(1 << 31) - 1];
    for edge in [1 << 53, -(1 << 53), 1 << 60, -(1 << 60), i64::MIN + 2, i64::MAX - 2] {
        integers.extend(edge - 2..=edge + 2);
    }
    integers.extend([i64::MIN + 1024, i64::MAX - 1023]);
    integers
}

#[test]
fn an_integer_is_the_same_at_every_replica_in_whatever_it_is() {
    let [mut ours, mut theirs] = pair();
    for integer in integers() {
        // Integers that are exact in a JavaScript number are such.
        let is_number = integer.unsigned_abs() < 1 << 53;
        let expected =
            if is_number { Value::Number(integer as f64) } else { Value::BigInt(integer) };
        let nest = |value: &Value| {
            let list = Value::Array(vec![Value::Null, value.clone()]);
            Value::Map([("list".to_owned(), list), (String::new(), value.clone())].into())
        };
        for form in [Clone::clone, nest as fn(&Value) -> Value] {
            ours.map_set("m", "k", &form(&Value::BigInt(integer))).unwrap();
            send(ours.take_updates(), &mut theirs);
            let [_, mut loaded] = pair();
            loaded.apply_update(&theirs.encode_state_as_update(None).unwrap()).unwrap();
            for doc in [&mut ours, &mut theirs, &mut loaded] {
                assert_eq!(doc.map_get("m", "k").unwrap(), Some(form(&expected)), "{integer}");
            }
        }
    }
}

#[test]
fn large_numbers_stay_numbers() {
    let [mut ours, mut theirs] = pair();
    for number in [1e18, -(2f64.powi(60)), 2f64.powi(53), 1e300, 0.1] {
        ours.map_set("m", "k", &Value::Number(number)).unwrap();
        send(ours.take_updates(), &mut theirs);
        for doc in [&mut ours, &mut theirs] {
            assert_eq!(doc.map_get("m", "k").unwrap(), Some(Value::Number(number)));
        }
    }
}

#[test]
fn what_undo_and_redo_bring_back_is_the_same_too() {
    let [mut ours, mut theirs] = pair();
    let map = ours.root(Kind::Map, "m").unwrap();
    let scope = ours.undo_scope(std::slice::from_ref(&map), Duration::ZERO).unwrap();
    let big = Value::BigInt(1 << 60);
    ours.entry_set(&map, "k", &big).unwrap();
    ours.entry_set(&map, "k", &Value::Null).unwrap();
    assert!(ours.undo(scope));
    send(ours.take_updates(), &mut theirs);
    assert_eq!(theirs.map_get("m", "k").unwrap(), Some(big.clone()));
    assert!(ours.undo(scope));
    send(ours.take_updates(), &mut theirs);
    assert_eq!(theirs.map_get("m", "k").unwrap(), None);
    assert!(ours.redo(scope));
    send(ours.take_updates(), &mut theirs);
    assert_eq!(theirs.map_get("m", "k").unwrap(), Some(big));
}

#[test]
fn updates_are_byte_for_byte_those_of_yjs() {
    let [mut doc, _] = pair();
    doc.map_set("m", "k", &Value::BigInt(1 << 60)).unwrap();
    // What npm yjs writes for `getMap('m').set('k', 2n ** 60n)` as client 1.
    let expected = [1, 1, 1, 0, 40, 1, 1, b'm', 1, b'k', 1, 122, 16, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(doc.encode_state_as_update(None).unwrap(), expected);
    assert_eq!(doc.take_updates().pop().unwrap().payload, expected[..]);
}
