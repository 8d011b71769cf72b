use proptest::prelude::*;

use super::*;
use crate::limits::{MAX_CLOCK_ENTRIES, MAX_CLOCK_KEY};

fn clock(entries: &[(&str, u64)]) -> VectorClock {
    entries.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
}

/// Few keys and small counts, so that all four relations come up.
fn any_clock() -> impl Strategy<Value = VectorClock> {
    prop::collection::btree_map("[a-d]", 0..4u64, 0..4).prop_map(VectorClock::from_iter)
}

#[test]
fn a_clock_that_lacks_a_key_of_the_other_is_not_after_it() {
    // An implementation of the same design looked at the other clock's keys only.
    let one = clock(&[("a", 1), ("b", 1)]);
    let other = clock(&[("a", 2)]);
    assert!(!one.happens_before(&other));
    assert!(!other.happens_before(&one));
    assert!(one.is_concurrent(&other));
    assert_eq!(one.relation(&other), Relation::Concurrent);
}

#[test]
fn the_faces_of_the_seeds_agree_with_the_four_answers() {
    let before = clock(&[("a", 1)]);
    let after = clock(&[("a", 2), ("b", 1)]);
    let beside = clock(&[("c", 1)]);
    assert_eq!((before.compare(&after), after.compare(&before)), (-1, 1));
    assert_eq!((before.compare(&beside), before.compare(&before)), (0, 0));
    assert_eq!(before.compare_causal(&after).as_str(), "before");
    assert_eq!(after.compare_causal(&before).as_str(), "after");
    assert_eq!(before.compare_causal(&beside).as_str(), "concurrent");
    assert_eq!(before.compare_causal(&before).as_str(), "concurrent");
    assert!(before.equals(&before) && !before.equals(&beside));
    assert!(!before.is_concurrent(&before));
}

#[test]
fn a_zero_is_nothing() {
    assert_eq!(clock(&[("a", 0)]), VectorClock::new());
    assert_eq!(VectorClock::from_json(r#"{"a":0}"#), Ok(VectorClock::new()));
}

#[test]
fn counting_and_merging_take_the_larger() {
    let mut one = clock(&[("a", 1), ("b", 5)]);
    one.increment("a".to_owned()).increment("c".to_owned());
    let other = clock(&[("a", 1), ("b", 7), ("d", 1)]);
    let merged = VectorClock::merged(&one, &other);
    assert_eq!(merged, clock(&[("a", 2), ("b", 7), ("c", 1), ("d", 1)]));
    assert_eq!(merged.get("b"), 7);
    assert_eq!(merged.get("z"), 0);
    let keys: Vec<&String> = merged.iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["a", "b", "c", "d"]);
}

#[test]
fn a_count_stays_what_javascript_can_count() {
    let mut clock = clock(&[("a", u64::MAX)]);
    clock.increment("a".to_owned());
    assert_eq!(clock.get("a"), MAX_CLOCK_COUNT);
}

#[test]
fn json_is_sorted_and_escaped() {
    let clock = clock(&[("z", 1), ("a\"\\\n", 2)]);
    assert_eq!(clock.to_json(), "{\"a\\\"\\\\\\u000a\":2,\"z\":1}");
    let spaced = " { \"z\" : 1 , \"a\\\"\\\\\\n\" : 2 } ";
    assert_eq!(VectorClock::from_json(spaced), Ok(clock));
    assert_eq!(VectorClock::from_json(r#"{"\ud83d\ude00":1}"#).unwrap().get("😀"), 1);
}

#[test]
fn json_that_is_no_clock_is_refused() {
    use ClockError::{Count, Syntax};
    for (text, error) in [
        ("", Syntax(0)),
        ("[]", Syntax(0)),
        (r#"{"a":1,}"#, Syntax(7)),
        (r#"{"a":1} x"#, Syntax(8)),
        (r#"{"a":-1}"#, Count(5)),
        (r#"{"a":1.5}"#, Count(5)),
        (r#"{"a":01}"#, Count(5)),
        (r#"{"a":9007199254740992}"#, Count(5)),
        (r#"{"a":"1"}"#, Count(5)),
        (r#"{"\ud83d":1}"#, Syntax(8)),
        (r#"{"a"#, Syntax(3)),
    ] {
        assert_eq!(VectorClock::from_json(text), Err(error), "{text}");
    }
}

#[test]
fn json_is_bounded_in_keys_and_their_length() {
    let long = "k".repeat(MAX_CLOCK_KEY + 1);
    let json = format!("{{\"{long}\":1}}");
    assert_eq!(VectorClock::from_json(&json), Err(ClockError::KeyTooLong(2)));
    let many: VectorClock = (0..=MAX_CLOCK_ENTRIES).map(|n| (n.to_string(), 1)).collect();
    assert_eq!(VectorClock::from_json(&many.to_json()), Err(ClockError::TooMany));
}

proptest! {
    #[test]
    fn the_relation_is_a_partial_order(a in any_clock(), b in any_clock(), c in any_clock()) {
        prop_assert_eq!(a.relation(&a), Relation::Equal);
        let mirrored = match b.relation(&a) {
            Relation::Before => Relation::After,
            Relation::After => Relation::Before,
            same => same,
        };
        prop_assert_eq!(a.relation(&b), mirrored);
        prop_assert_eq!(a.equals(&b), a == b);
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn the_relation_is_that_of_the_counts(a in any_clock(), b in any_clock()) {
        let keys = ["a", "b", "c", "d"];
        let le = keys.iter().all(|key| a.get(*key) <= b.get(*key));
        let ge = keys.iter().all(|key| a.get(*key) >= b.get(*key));
        let expected = match (le, ge) {
            (true, true) => Relation::Equal,
            (true, false) => Relation::Before,
            (false, true) => Relation::After,
            (false, false) => Relation::Concurrent,
        };
        prop_assert_eq!(a.relation(&b), expected);
    }

    #[test]
    fn the_merge_is_the_least_that_is_not_before_either(
        a in any_clock(), b in any_clock(), c in any_clock(),
    ) {
        let merged = VectorClock::merged(&a, &b);
        prop_assert!(a <= merged && b <= merged);
        prop_assert_eq!(&merged, &VectorClock::merged(&b, &a));
        prop_assert_eq!(&VectorClock::merged(&merged, &merged), &merged);
        if a <= c && b <= c {
            prop_assert!(merged <= c);
        }
        let left = VectorClock::merged(&merged, &c);
        prop_assert_eq!(left, VectorClock::merged(&a, &VectorClock::merged(&b, &c)));
    }

    #[test]
    fn an_action_comes_after_all_that_was_known(a in any_clock(), b in any_clock()) {
        let mut next = a.clone();
        next.increment("a".to_owned());
        prop_assert!(a.happens_before(&next));
        prop_assert!(!next.happens_before(&b) || a.happens_before(&b));
    }

    #[test]
    fn json_is_read_back(
        entries in prop::collection::btree_map(any::<String>(), 1..=MAX_CLOCK_COUNT, 0..8),
    ) {
        prop_assume!(entries.keys().all(|key| key.len() <= MAX_CLOCK_KEY));
        let clock = VectorClock::from_iter(entries);
        prop_assert_eq!(VectorClock::from_json(&clock.to_json()), Ok(clock));
    }

    #[test]
    fn any_text_is_survived(text in "[\\{\\}\":,\\\\u0-9a-f \\p{L}]{0,40}") {
        let _ = VectorClock::from_json(&text);
    }
}
