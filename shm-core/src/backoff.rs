//! Backing off: how often a waiter looks at a word that others take and give back all the time.
//!
//! A look takes the word's cache line away from the processor that works with it, which then waits for
//! the line at its next step; two that look as often as they can make each other several times slower
//! than one alone is. So a waiter looks for a moment, stays away for a while, and looks again. Meanwhile
//! the owner works on at full speed: operations come in bursts, and a burst costs one change of
//! owners. Whoever meets contention for the first time in a while stays away for a short time only,
//! twice as long after each look in vain; whoever meets it again and again stays away longer at once.
//!
//! For words that anybody takes who finds them free. A place in a line changes once, for the one who
//! waits there: looking at it disturbs nobody.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// How long one stays away at first.
const SHORTEST: Duration = Duration::from_nanos(50);
/// How long at most, where nothing is known of what the word's owner does.
pub(crate) const LONGEST: Duration = Duration::from_nanos(800);
/// Where owners have it for a few stores: a change of owners takes as long as several operations, so a burst
/// is to have a hundred.
pub(crate) const LONGEST_OF_BRIEF: Duration = Duration::from_micros(3);
/// Where owners are programs that hold a lock of theirs: a change of owners moves what the lock guards too.
pub(crate) const LONGEST_OF_USERS: Duration = Duration::from_micros(4);
/// Where owners have it for as long as a change of owners takes, or longer: bursts gain nothing.
pub(crate) const LONGEST_OF_WHOLE: Duration = Duration::from_nanos(100);
/// Contention after so long is not the same any more.
const RECENT: Duration = Duration::from_micros(50);
/// Looks in a row: about as long as a short operation, so as to see its end.
const LOOKS: u32 = 32;
/// Pauses between two looks at the clock.
const PAUSES: u32 = 4;

thread_local! {
    /// When the calling thread met contention last, and how long it stayed away in the end.
    static LAST: Cell<(Option<Instant>, Duration)> = const { Cell::new((None, SHORTEST)) };
}

/// Looks now and then until `look` says something, for about as long as `patience`, and stays away for
/// `longest` at most in between.
pub(crate) fn look<T>(
    patience: Duration,
    longest: Duration,
    look: impl FnMut() -> Option<T>,
) -> Option<T> {
    look_from(patience, longest, First::Look, look)
}

/// The same, where owners take it again about as soon as they have given it back: whoever met contention
/// lately stays away before the first look. The look would find it free, and take it, nearly each
/// time, so that it would go to and fro with each operation.
pub(crate) fn look_later<T>(
    patience: Duration,
    longest: Duration,
    look: impl FnMut() -> Option<T>,
) -> Option<T> {
    look_from(patience, longest, First::StayAway, look)
}

/// What one who met contention lately begins with.
#[derive(Clone, Copy, PartialEq)]
enum First {
    Look,
    StayAway,
}

fn look_from<T>(
    patience: Duration,
    longest: Duration,
    first: First,
    mut look: impl FnMut() -> Option<T>,
) -> Option<T> {
    let started = Instant::now();
    let (last, stayed) = LAST.get();
    let again = last.is_some_and(|last| started.duration_since(last) < RECENT);
    let mut stay = if again { (stayed * 2).min(longest) } else { SHORTEST };
    let mut now = started;
    if again && first == First::StayAway {
        now = stay_away(now, stay);
    }
    let found = loop {
        for _ in 0..LOOKS {
            if let Some(found) = look() {
                LAST.set((Some(now), stay));
                return Some(found);
            }
        }
        if now.duration_since(started) >= patience {
            break None;
        }
        now = stay_away(now, stay);
        stay = (stay * 2).min(longest);
    };
    LAST.set((Some(now), stay));
    found
}

/// Leaves the word alone for so long; the time then.
fn stay_away(mut now: Instant, stay: Duration) -> Instant {
    let until = now + stay;
    while now < until {
        (0..PAUSES).for_each(|_| std::hint::spin_loop());
        now = Instant::now();
    }
    now
}
