//! The calling thread's slot in each segment that it uses.
//!
//! Handle. A session is made on a thread's first operation and ends with the thread (or is noticed
//! by others through the life word when the thread is killed). The fast path is one thread-local
//! copy and two comparisons: is it this segment's, and has this process not been forked since.

mod at_hand;

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::journal::OwnWords;
use crate::layout::{STRIPES, thread};
use crate::memory::{Memory, Stripes};
use crate::peers::{ProcessClaim, ThreadClaim};
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::sys::life::{Named, RobustList};
use crate::sys::process::generation_word;

pub use at_hand::AtHand;

/// Handle. A thread's slot in one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// Which attachment, unique in this process; 0 none.
    segment: u64,
    /// Which process of a line of forks.
    generation: u64,
    pub(crate) claim: ThreadClaim,
    /// The life word of the slot.
    life: Named,
    words: Words,
}

/// What an operation looks at, at hand.
#[derive(Clone, Copy, Debug)]
struct Words {
    /// Of the segment: see [`Memory::lock_words`].
    lock: &'static [AtomicU64; 4],
    /// See [`Memory::stripes`].
    stripes: &'static Stripes,
    /// Of the slot.
    own: OwnWords,
    /// See [`Memory::is_closed`].
    closed: &'static AtomicBool,
    /// Differs from the session's generation once the process was forked.
    generation: &'static AtomicU64,
}

/// Handle. The calling thread at the writer lock of a segment.
pub(crate) struct Armed {
    pub(crate) claim: ThreadClaim,
    /// Owner, waiters, next, watched.
    pub(crate) lock: &'static [AtomicU64; 4],
    pub(crate) stripes: &'static Stripes,
    pub(crate) own: OwnWords,
    /// Set once the segment is closed here: to be looked at under the lock.
    pub(crate) closed: &'static AtomicBool,
}

const NOBODY: Session = Session {
    segment: 0,
    generation: 0,
    claim: ThreadClaim { slot: 0, incarnation: 0 },
    life: Named::NONE,
    words: NO_WORDS,
};

/// Of a generation that no process is of: a session with these is never the current one.
const NO_WORDS: Words = Words {
    lock: &NO_LOCK,
    stripes: &NO_STRIPES,
    own: OwnWords::NONE,
    closed: &NOT_CLOSED,
    generation: &NO_GENERATION,
};

static NO_LOCK: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static NO_STRIPES: Stripes = [const { [const { AtomicU64::new(0) }; 8] }; STRIPES];
static NOT_CLOSED: AtomicBool = AtomicBool::new(false);
static NO_GENERATION: AtomicU64 = AtomicU64::new(u64::MAX);

thread_local! {
    static CURRENT: Cell<Session> = const { Cell::new(NOBODY) };
    static ALL: RefCell<Sessions> = const { RefCell::new(Sessions(Vec::new())) };
}

/// Every session of a thread; dropped at the thread's end.
struct Sessions(Vec<(Session, Weak<Memory>)>);

impl Drop for Sessions {
    fn drop(&mut self) {
        CURRENT.set(NOBODY);
        at_hand::thread_ends();
        RobustList::of_this_thread().disarm();
        let generation = generation_word().load(Ordering::Relaxed);
        for (session, memory) in self.0.drain(..) {
            // After a fork these are the parent's, which still uses them.
            if session.generation == generation
                && let Some(memory) = memory.upgrade()
            {
                if !memory.is_detached() {
                    memory.release_thread(session.claim);
                }
                memory.sessions.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
}

impl Session {
    /// The calling thread's session in a segment, made by `register` if there is none.
    #[inline]
    pub(crate) fn enter(
        segment: u64,
        memory: &Arc<Memory>,
        owner: impl FnOnce() -> Result<ProcessClaim>,
    ) -> Result<Session> {
        match Self::current(segment) {
            Some(current) => Ok(current),
            None => Self::switch(segment, memory, owner),
        }
    }

    /// The session of the thread's last operation, if that was in this segment, with its life word
    /// named to the kernel: another segment, or a robust mutex of the C library, may have been there
    /// since.
    #[inline]
    fn current(segment: u64) -> Option<Session> {
        let current = CURRENT.get();
        if current.segment != segment
            || current.generation != current.words.generation.load(Ordering::Relaxed)
        {
            return None;
        }
        current.life.arm();
        Some(current)
    }

    /// State, log and cache of the slot.
    #[inline]
    pub(crate) fn own(&self) -> &OwnWords {
        &self.words.own
    }

    /// As [`Session::enter`], if the thread's last operation was in the same segment too.
    #[inline]
    pub(crate) fn armed(segment: u64) -> Option<Armed> {
        let current = Self::current(segment)?;
        let Words { lock, stripes, own, closed, .. } = current.words;
        Some(Armed { claim: current.claim, lock, stripes, own, closed })
    }

    #[cold]
    fn switch(
        segment: u64,
        memory: &Arc<Memory>,
        owner: impl FnOnce() -> Result<ProcessClaim>,
    ) -> Result<Session> {
        let generation = generation_word().load(Ordering::Relaxed);
        let known = ALL.try_with(|all| {
            let all = all.borrow();
            all.0
                .iter()
                .find(|(known, _)| known.segment == segment && known.generation == generation)
                .map(|(known, _)| *known)
        });
        let ended = |_| Error::Closed { what: "the calling thread's slot".to_owned() };
        if let Some(session) = known.map_err(ended)? {
            session.life.arm();
            CURRENT.set(session);
            return Ok(session);
        }
        let robust = RobustList::of_this_thread();
        memory.sessions.fetch_add(1, Ordering::Relaxed);
        let claimed = owner().and_then(|owner| memory.claim_thread(owner, robust));
        let claim = claimed.inspect_err(|_| {
            // Nothing was named to the kernel.
            memory.sessions.fetch_sub(1, Ordering::Relaxed);
        })?;
        // Again: in a child that was forked by a raw system call, `owner` was the first to notice.
        let generation = generation_word().load(Ordering::Relaxed);
        let life = memory.meta(memory.geometry.thread_at(claim.slot) + thread::LIFE)?;
        let (Some(lock), Some(stripes), Some(own)) =
            (memory.lock_words(), memory.stripes(), OwnWords::of(memory, claim.slot))
        else {
            return Err(memory.corrupt(format!("thread slot {} has no log", claim.slot)));
        };
        let (closed, generation_word) = (memory.closed_flag(), generation_word());
        let words = Words { lock, stripes, own, closed, generation: generation_word };
        let session = Session { segment, generation, claim, life: robust.name(life), words };
        ALL.try_with(|all| {
            let mut all = all.borrow_mut();
            all.0.retain(|(known, memory)| {
                known.generation == generation && memory.strong_count() > 0
            });
            all.0.push((session, Arc::downgrade(memory)));
        })
        .map_err(ended)?;
        CURRENT.set(session);
        Ok(session)
    }

    /// Forgets the calling thread's session in a segment that is being closed.
    pub(crate) fn forget(segment: u64) {
        if CURRENT.get().segment == segment {
            CURRENT.get().life.disarm();
            CURRENT.set(NOBODY);
        }
        let generation = generation_word().load(Ordering::Relaxed);
        let forget = |(session, memory): &(Session, Weak<Memory>)| {
            if session.segment != segment {
                return true;
            }
            if session.generation == generation
                && let Some(memory) = memory.upgrade()
            {
                memory.sessions.fetch_sub(1, Ordering::Relaxed);
            }
            false
        };
        let _ = ALL.try_with(|all| all.borrow_mut().0.retain(forget));
    }
}
