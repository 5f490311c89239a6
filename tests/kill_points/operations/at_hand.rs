//! Stores of a language binding that has the thread's session at hand: lists, dicts and sets.

use shm::cell::Cell;
use shm::{AtHand, Dict, Key, List, Result, Segment, Set, Stored, Value};

use super::{not_a, subject};
use crate::operation::{Operation, cross};

/// The session, after an operation of the process, which changes nothing to be seen.
fn hand(segment: &Segment) -> Result<AtHand> {
    segment.root().insert("y", 1)?;
    Ok(AtHand::of_this_thread())
}

fn done<T>(stored: Stored<T>) -> T {
    assert!(!stored.awaited, "nobody else is there");
    stored.done.expect("nothing is in the way")
}

fn cell(number: i64) -> Cell {
    Cell::int(number).expect("a small number")
}

fn with_list(
    segment: &Segment,
    value: &Value,
    f: impl FnOnce(&List, &AtHand) -> Result<()>,
) -> Result<()> {
    let Value::List(list) = value else { return Err(not_a("list", value)) };
    f(list, &hand(segment)?)
}

fn with_dict(
    segment: &Segment,
    value: &Value,
    f: impl FnOnce(&Dict, &AtHand) -> Result<()>,
) -> Result<()> {
    let Value::Dict(dict) = value else { return Err(not_a("dict", value)) };
    f(dict, &hand(segment)?)
}

fn with_set(
    segment: &Segment,
    value: &Value,
    f: impl FnOnce(&Set, &AtHand) -> Result<()>,
) -> Result<()> {
    let Value::Set(set) = value else { return Err(not_a("set", value)) };
    f(set, &hand(segment)?)
}

fn list(segment: &Segment) -> Result<Value> {
    segment.root().insert("y", 1)?;
    subject(segment, segment.list_of(0..5)?)
}

fn dict(segment: &Segment) -> Result<Value> {
    segment.root().insert("y", 1)?;
    subject(segment, segment.dict([(1, 10), (2, 20), (3, 30)])?)
}

fn set(segment: &Segment) -> Result<Value> {
    segment.root().insert("y", 1)?;
    subject(segment, segment.set([1, 2, 3])?)
}

/// All of this file.
pub(super) fn operations() -> Vec<Operation> {
    let mut all = cross(
        &[("list of 5 ints at hand", list)],
        &[
            ("set at hand", |s, x| {
                with_list(s, x, |list, hand| {
                    done(list.set_at_hand(hand, 2, cell(77)));
                    Ok(())
                })
            }),
            ("push at hand", |s, x| {
                with_list(s, x, |list, hand| {
                    done(list.push_at_hand(hand, cell(77)));
                    Ok(())
                })
            }),
            ("pop at hand", |s, x| {
                with_list(s, x, |list, hand| {
                    assert_eq!(done(list.pop_at_hand(hand)), cell(4));
                    Ok(())
                })
            }),
            ("add at hand", |s, x| {
                with_list(s, x, |list, hand| {
                    assert_eq!(done(list.add_at_hand(hand, 1, 6)), 7);
                    Ok(())
                })
            }),
        ],
    );
    all.extend(cross(
        &[("dict of 3 ints at hand", dict)],
        &[
            ("set at hand", |s, x| {
                with_dict(s, x, |dict, hand| {
                    done(dict.set_at_hand(hand, &Key::from(2), cell(77)));
                    Ok(())
                })
            }),
            ("set a new key at hand", |s, x| {
                with_dict(s, x, |dict, hand| {
                    done(dict.set_at_hand(hand, &Key::from("k"), cell(77)));
                    Ok(())
                })
            }),
            ("add at hand", |s, x| {
                with_dict(s, x, |dict, hand| {
                    assert_eq!(done(dict.add_at_hand(hand, &Key::from(3), 6)), 36);
                    Ok(())
                })
            }),
        ],
    ));
    all.extend(cross(
        &[("set of 3 ints at hand", set)],
        &[("add at hand", |s, x| {
            with_set(s, x, |set, hand| {
                assert!(!done(set.add_at_hand(hand, &Key::from(3))), "it is there");
                assert!(done(set.add_at_hand(hand, &Key::from(4))), "it is not there");
                Ok(())
            })
        })],
    ));
    all
}
