//! The calling thread's slot in each segment that it uses.
//!
//! Handle. A session is made on a thread's first operation and ends with the thread (or is noticed
//! by others through the life word when the thread is killed). The fast path is one thread-local
//! copy and two comparisons: is it this segment's, and has this process not been forked since.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Weak};

use crate::error::{Error, Result};
use crate::layout::thread;
use crate::memory::Memory;
use crate::peers::{ProcessClaim, ThreadClaim};
use crate::primitive::Ordering;
use crate::sys::life::RobustList;
use crate::sys::process::generation_word;

/// Handle. A thread's slot in one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Session {
    /// Which attachment, unique in this process; 0 none.
    segment: u64,
    /// Which process of a line of forks.
    generation: u64,
    pub(crate) claim: ThreadClaim,
    robust: RobustList,
}

const NOBODY: Session = Session {
    segment: 0,
    generation: 0,
    claim: ThreadClaim { slot: 0, incarnation: 0 },
    robust: RobustList::NONE,
};

thread_local! {
    static CURRENT: Cell<Session> = const { Cell::new(NOBODY) };
    static ALL: RefCell<Sessions> = const { RefCell::new(Sessions(Vec::new())) };
}

/// Every session of a thread; dropped at the thread's end.
struct Sessions(Vec<(Session, Weak<Memory>)>);

impl Drop for Sessions {
    fn drop(&mut self) {
        CURRENT.set(NOBODY);
        RobustList::of_this_thread().disarm();
        let generation = generation_word().load(Ordering::Relaxed);
        for (session, memory) in self.0.drain(..) {
            // After a fork these are the parent's, which still uses them.
            if session.generation == generation
                && let Some(memory) = memory.upgrade()
                && !memory.is_closed()
            {
                memory.release_thread(session.claim);
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
        let current = CURRENT.get();
        if current.segment == segment
            && current.generation == generation_word().load(Ordering::Relaxed)
        {
            current.arm(memory)?;
            return Ok(current);
        }
        Self::switch(segment, memory, owner)
    }

    /// As [`Session::enter`], if the thread's last operation was in the same segment too.
    #[inline]
    pub(crate) fn current(segment: u64, memory: &Memory) -> Option<ThreadClaim> {
        CURRENT.with(|current| {
            let current = current.get();
            let same = current.segment == segment
                && current.generation == generation_word().load(Ordering::Relaxed);
            if !same {
                return None;
            }
            let at = memory.geometry.thread_at(current.claim.slot) + thread::LIFE;
            current.robust.arm(memory.peek_meta(at)?);
            Some(current.claim)
        })
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
            session.arm(memory)?;
            CURRENT.set(session);
            return Ok(session);
        }
        let robust = RobustList::of_this_thread();
        let claim = memory.claim_thread(owner()?, robust)?;
        // Again: in a child that was forked by a raw system call, `owner` was the first to notice.
        let generation = generation_word().load(Ordering::Relaxed);
        let session = Session { segment, generation, claim, robust };
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
        let _ =
            ALL.try_with(|all| all.borrow_mut().0.retain(|(known, _)| known.segment != segment));
        if CURRENT.get().segment == segment {
            CURRENT.get().robust.disarm();
            CURRENT.set(NOBODY);
        }
    }

    /// Names this segment's life word to the kernel: another segment, or a robust mutex of the C
    /// library, may have been there since.
    #[inline]
    fn arm(self, memory: &Memory) -> Result<()> {
        let at = memory.geometry.thread_at(self.claim.slot) + thread::LIFE;
        self.robust.arm(memory.meta(at)?);
        Ok(())
    }
}
