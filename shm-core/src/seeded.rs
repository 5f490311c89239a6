//! Protocol bugs, seeded on purpose: what the kill tests must be able to find.
//!
//! A test that never fails shows nothing, so `tests/kill_points` is run against a build in which one
//! of these mistakes is made (`--cfg shm_seeded_bugs`, and `SHM_SEEDED_BUG` names the one). Without
//! that cfg, [`is`] is constantly false and the branches are gone. Each bug is one that a careful
//! change of the protocol could introduce: a store too early, a word not logged, a step forgotten.

/// Declares the bugs: what each is called, and what is done wrong.
macro_rules! bugs {
    ($($name:ident: $what:literal,)*) => {
        /// A mistake that can be seeded.
        #[cfg_attr(
            not(shm_seeded_bugs),
            allow(dead_code, unreachable_pub, reason = "seen and used in builds with a bug only")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $(#[doc = $what] $name,)*
        }

        #[cfg(shm_seeded_bugs)]
        impl Bug {
            /// Every bug.
            pub const ALL: &[Bug] = &[$(Bug::$name),*];

            /// What is done wrong.
            #[must_use]
            pub fn what(self) -> &'static str {
                match self { $(Bug::$name => $what,)* }
            }

            /// What `SHM_SEEDED_BUG` calls it.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Bug::$name => stringify!($name),)* }
            }
        }
    };
}

bugs! {
    StoreBeforeLog: "a word is stored before its old value is logged",
    CountBeforeEntry: "the log counts an entry before it is written",
    StaleLog: "an operation begins with the entries of the one before it",
    UndoForwards: "entries are undone first to last",
    UndoEndsFirst: "the log is ended before its words are restored",
    CommitForgetsTasks: "the commit empties the log, tasks included",
    TaskDoneFirst: "a task counts as done before it is run",
    TaskNotUndone: "recovery does not undo the half-run task",
    TasksNotRun: "recovery ends a committed log without running its tasks",
    SequenceLeftOdd: "recovery does not make sequences even",
    SequenceBeforeLog: "a sequence is made odd before the log knows",
    RecoveryStopsEarly: "recovery looks at no log behind the first idle one",
    DeadStripeIsClean: "a stripe that the dead hold is taken for a free one",
    StripeStaysDead: "recovery leaves the names of the dead on the stripes",
    RoomNotExpected: "an operation on one object frees more blocks than its thread's cache has room for",
    StripesNotAwaited: "who takes the writer lock does not wait for short operations",
    DeadLockIsClean: "a lock taken from the dead is taken for a free one",
    EarlyUnlock: "the lock is given back before the tasks are run",
    SpanBeforeItem: "a list's length grows before the item is there",
    SpanBeforeCells: "a deque's span moves before the cells are there that it shows",
    CountBeforeKey: "a dict counts an entry before it is there",
    CommittedFirst: "more memory is published before the file has it",
    PunchedFirst: "the memory of pages goes before they are marked as holes",
    UnmarkedFirst: "holes are marked as free pages before they have memory",
    TruncatedFirst: "memory is given back before its end is published",
    LifeArmedLate: "a thread stores its id before the kernel knows the word",
    IntentAfterUnpin: "an object is unpinned before anybody is asked to look at it",
    SlotFreedFirst: "a process frees its slot before its pins are dropped",
    NamedTooEarly: "a segment gets its name before it has a root",
    MetaNotLogged: "counts and kinds of objects change without the log",
    BlockNotLogged: "the block of an object changes without the log",
    SpanNotLogged: "the second word of an object changes without the log",
    LockNotLogged: "the lock of an object is let go of without the log",
    CapacityNotLogged: "the third word of an object changes without the log",
    ContentNotLogged: "words inside of blocks change without the log",
    BitmapNotLogged: "blocks are taken and given back without the log",
    PageKindNotLogged: "pages are cut and freed without the log",
    FreeCountNotLogged: "free blocks of a page are counted without the log",
    PageLinkNotLogged: "pages are linked without the log",
    ListHeadNotLogged: "heads of page lists change without the log",
    FreePageNotLogged: "the first free page changes without the log",
    GraveyardNotLogged: "the graveyard's head changes without the log",
    CacheNotLogged: "a cached block is taken or added without the log",
    CachedOffsetNotLogged: "another block takes a cached one's place, which an undo brings back",
    CacheNotRestored: "an undo does not bring cached blocks back after the first task",
    ExchangeHalfLogged: "the cache's part of an exchange of blocks is not logged",
    OverwriteHalfLogged: "the last one of a struct's words that change is not logged",
    FreedTwice: "recovery does not see that the unfinished task has freed its block",
    MovedBackUncounted: "a log that is moved back counts entries that its former place does not have",
    MovedPinRemovedFirst: "a pin that moves within its table leaves its place before it has the other one",
    RemovalNotCounted: "the progress of a removal in place is stored without the log",
    PinTableNotLogged: "a process's pin table is replaced without the log",
    PinCapacityNotLogged: "the size of a process's pin table changes without the log",
    KeptBlockForgotten: "the dead one's pin of a freed array goes, and the array's block stays",
    FreshTooEarly: "pages are taken for fresh ones before the file is cut in front of them",
    UsedPagesForgotten: "pages that were used before are taken for fresh ones, which are zero",
}

/// Whether this bug is seeded.
#[cfg(not(shm_seeded_bugs))]
#[inline]
pub(crate) const fn is(_: Bug) -> bool {
    false
}

/// Whether this bug is seeded.
#[cfg(shm_seeded_bugs)]
pub(crate) fn is(bug: Bug) -> bool {
    chosen() == Some(bug)
}

#[cfg(shm_seeded_bugs)]
fn chosen() -> Option<Bug> {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("SHM_SEEDED_BUG").ok()?;
        Bug::ALL.iter().copied().find(|bug| bug.name() == name)
    })
}

/// Whether the seeded bug is that the word at this offset changes without the log.
#[cfg(not(shm_seeded_bugs))]
#[inline]
pub(crate) const fn skips_log(_: &crate::memory::Memory, _: crate::cell::Offset) -> bool {
    false
}

/// Whether the seeded bug is that the word at this offset changes without the log.
#[cfg(shm_seeded_bugs)]
pub(crate) fn skips_log(memory: &crate::memory::Memory, at: crate::cell::Offset) -> bool {
    chosen().is_some() && chosen() == kind_of_word(memory, at)
}

/// The bug of not logging a word of this kind.
#[cfg(shm_seeded_bugs)]
fn kind_of_word(memory: &crate::memory::Memory, at: crate::cell::Offset) -> Option<Bug> {
    use crate::layout::{PAGE_BYTES, PAGE_ENTRY_BYTES, header, object, page, page_kind, process};
    use crate::primitive::Ordering;

    let geometry = &memory.geometry;
    if at >= geometry.data_at {
        let inside = (at - geometry.data_at) % PAGE_BYTES;
        let entry = geometry.entry_at((at - geometry.data_at) / PAGE_BYTES);
        let what = memory.meta(entry + page::WHAT).ok()?.load(Ordering::Relaxed);
        let blocks = (what >> 16) & 0xFFFF;
        let is_cut = matches!(what & 0xFF, page_kind::SMALL | page_kind::HEADERS);
        if is_cut && blocks > 64 && inside < blocks.div_ceil(64) * 8 {
            return Some(Bug::BitmapNotLogged);
        }
        if what & 0xFF != page_kind::HEADERS {
            return Some(Bug::ContentNotLogged);
        }
        return match at % 64 {
            object::META => Some(Bug::MetaNotLogged),
            object::W0 => Some(Bug::BlockNotLogged),
            object::W1 => Some(Bug::SpanNotLogged),
            object::W2 => Some(Bug::CapacityNotLogged),
            object::LOCK => Some(Bug::LockNotLogged),
            _ => None,
        };
    }
    if at >= geometry.directory_at {
        return match (at - geometry.directory_at) % PAGE_ENTRY_BYTES {
            page::WHAT => Some(Bug::PageKindNotLogged),
            page::FREE => Some(Bug::FreeCountNotLogged),
            page::NEXT | page::PREVIOUS => Some(Bug::PageLinkNotLogged),
            page::BITMAP => Some(Bug::BitmapNotLogged),
            _ => None,
        };
    }
    match at {
        header::GRAVEYARD => Some(Bug::GraveyardNotLogged),
        header::FIRST_FREE_PAGE => Some(Bug::FreePageNotLogged),
        header::CLASS_HEADS..crate::layout::HEADER_BYTES => Some(Bug::ListHeadNotLogged),
        _ => (0..geometry.processes).find_map(|slot| {
            match at.wrapping_sub(geometry.process_at(slot)) {
                process::PINS => Some(Bug::PinTableNotLogged),
                process::PINS_CAPACITY => Some(Bug::PinCapacityNotLogged),
                _ => None,
            }
        }),
    }
}
