//! `update` comes to an end: whoever else writes all the time, and whatever its closure does.
#![allow(clippy::unwrap_used, reason = "a failing test says where")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use shm::{Error, Segment, SegmentOptions, Shared};

#[derive(Shared, Debug, Clone, PartialEq, Default)]
struct Plain {
    count: u64,
    noise: u64,
}

/// With text, so that it is not plain.
#[derive(Shared, Debug, Clone, PartialEq, Default)]
struct Mixed {
    count: u64,
    noise: u64,
    label: String,
}

/// As another program has it: narrower, and with a field more.
#[derive(Shared, Debug, Clone, PartialEq, Default)]
#[shared(name = "Mixed")]
struct Older {
    more: u8,
    count: u32,
    noise: u32,
    label: String,
}

fn segment() -> Segment {
    Segment::create_anonymous(SegmentOptions::new().size(1 << 24)).unwrap()
}

/// Runs with a plain struct, one that is not, and one of another version of the program.
macro_rules! for_each_form {
    (|$segment:ident, $handle:ident| $body:block) => {{
        let $segment = segment();
        let $handle = $segment.alloc(Plain::default()).unwrap();
        $body
        let $handle = $segment.alloc(Mixed::default()).unwrap();
        $body
        assert!($segment.check().unwrap().is_sound());
        let $segment = segment();
        $segment.root().insert("older", &$segment.alloc(Older::default()).unwrap()).unwrap();
        let $handle = $segment.root().get_as::<Mixed>("older").unwrap().unwrap();
        $body
        assert!($segment.check().unwrap().is_sound());
    }};
}

#[test]
fn a_closure_that_changes_its_struct_through_a_handle_is_an_error() {
    for_each_form!(|_segment, handle| {
        let error = handle.update(|copy| {
            copy.count += 1;
            handle.fetch_add_noise(1).unwrap();
        });
        let error = error.unwrap_err();
        assert!(matches!(error, Error::InvalidArgument { .. }), "{error:?}");
        assert!(error.to_string().contains("use the copy"), "{error}");
        assert_eq!(handle.count(), 0);
        // Nothing is held afterwards, and no transaction is open.
        thread::scope(|scope| {
            scope.spawn(|| handle.set_noise(7).unwrap()).join().unwrap();
        });
        handle.update(|copy| copy.count = copy.noise).unwrap();
        assert_eq!((handle.count(), handle.noise()), (7, 7));
        // One update inside of another is the same mistake.
        let inside = handle.update(|_| handle.update(|copy| copy.noise += 1));
        assert!(matches!(inside, Err(Error::InvalidArgument { .. })), "{inside:?}");
    });
}

#[test]
fn in_a_transaction_too() {
    for_each_form!(|segment, handle| {
        let error = segment.transaction(|_| {
            handle.set_noise(3)?;
            handle.update(|copy| {
                copy.count += 1;
                handle.fetch_add_noise(1).unwrap();
            })
        });
        assert!(matches!(error, Err(Error::InvalidArgument { .. })), "{error:?}");
        assert_eq!((handle.count(), handle.noise()), (0, 0));
    });
}

#[test]
fn a_slow_closure_gets_its_turn_beside_fast_writers() {
    for_each_form!(|_segment, handle| {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !over.load(Ordering::Relaxed) {
                        handle.fetch_add_noise(1).unwrap();
                    }
                });
            }
            let mut tries = 0;
            for round in 1..=2 {
                let done = handle.update(|copy| {
                    tries += 1;
                    // As long as many changes of the others.
                    let until = Instant::now() + Duration::from_micros(60);
                    while Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    copy.count += 1;
                    copy.count
                });
                assert_eq!(done.unwrap(), round);
            }
            over.store(true, Ordering::Relaxed);
            assert!(tries <= 2 * 65, "{tries} tries");
        });
        assert_eq!(handle.count(), 2);
    });
}
