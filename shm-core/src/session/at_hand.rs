//! A thread's session, kept by who has a better place for it than a thread-local one.
//!
//! Handle. To find a thread-local variable from a shared library is a call, and a third of what a setter takes.
//! A language runtime that lets one thread run at a time can keep the session of the one that ran last in
//! a static place instead. It may hand it in in any thread, at any time: whose it is, that no thread with
//! a session has ended since, of which segment it is, and that the process was not forked since is looked at
//! each time. Not of this thread costs the general way, and nothing else.

use super::{CURRENT, NO_GENERATION, NO_LOCK, NO_STRIPES, NOT_CLOSED, Named, Session};
use crate::memory::Stripes;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::sys::thread;

/// How many threads with sessions have ended: one that starts later may have the pointer of one of them.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// Handle. A thread's session of its last operation, kept by the caller.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub struct AtHand {
    /// The thread's pointer, 0 of no thread.
    thread: usize,
    segment: u64,
    /// [`ENDED`] when the thread was seen alive.
    ended: u64,
    generation: u64,
    /// Differs from `generation` once the process was forked.
    generation_word: &'static AtomicU64,
    life: Named,
    /// What the thread puts into a lock's word.
    pub(crate) token: u64,
    /// Owner, waiters, next, watched.
    pub(crate) lock: &'static [AtomicU64; 4],
    pub(crate) stripes: &'static Stripes,
    /// Set once the segment is closed here: to be looked at under the lock.
    pub(crate) closed: &'static AtomicBool,
}

impl AtHand {
    /// Of no thread.
    pub const NONE: AtHand = AtHand {
        thread: 0,
        segment: 0,
        ended: 0,
        generation: 0,
        generation_word: &NO_GENERATION,
        life: Named::NONE,
        token: 0,
        lock: &NO_LOCK,
        stripes: &NO_STRIPES,
        closed: &NOT_CLOSED,
    };

    /// That of the calling thread.
    #[must_use]
    pub fn of_this_thread() -> AtHand {
        let Session { segment, generation, claim, life, words } = CURRENT.get();
        AtHand {
            thread: thread::pointer(),
            segment,
            // This thread ends later.
            ended: ENDED.load(Ordering::Relaxed),
            generation,
            generation_word: words.generation,
            life,
            token: claim.token(),
            lock: words.lock,
            stripes: words.stripes,
            closed: words.closed,
        }
    }

    /// Whether it is the calling thread's, in a segment; if so, its life word is named to the kernel, as
    /// [`Session::current`] does.
    #[inline(always)]
    #[allow(clippy::inline_always, reason = "the hot path of each setter")]
    pub(crate) fn arm(&self, segment: u64) -> bool {
        // Relaxed: a thread with the pointer of one that has ended was made after that had ended.
        let is_ours = self.thread == thread::pointer()
            && self.segment == segment
            && self.ended == ENDED.load(Ordering::Relaxed)
            && self.generation == self.generation_word.load(Ordering::Relaxed);
        if is_ours {
            self.life.arm();
        }
        is_ours
    }
}

/// A thread with sessions ends.
pub(super) fn thread_ends() {
    ENDED.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::AtHand;
    use crate::{Segment, SegmentOptions};

    #[test]
    fn a_session_at_hand_is_used_in_its_segment_while_no_thread_with_one_ends() {
        let make =
            || Segment::create_anonymous(SegmentOptions::new().size(16 << 20)).expect("memory");
        let (segment, other) = (make(), make());
        let id = segment.heap().0.id;
        assert!(!AtHand::NONE.arm(0) && !AtHand::NONE.arm(id));
        segment.root().insert("n", 1).expect("room");
        let hand = AtHand::of_this_thread();
        assert!(hand.arm(id) && !hand.arm(other.heap().0.id));
        other.root().insert("n", 1).expect("room");
        // The last operation was elsewhere, which is named to the kernel again.
        assert!(hand.arm(id) && AtHand::of_this_thread().arm(other.heap().0.id));
        std::thread::scope(|scope| {
            scope.spawn(|| segment.root().insert("n", 2)).join().expect("no panic").expect("room");
        });
        assert!(!hand.arm(id));
        segment.root().insert("n", 3).expect("room");
        assert!(AtHand::of_this_thread().arm(id));
    }
}
