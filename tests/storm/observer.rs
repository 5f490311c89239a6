//! The killer's view of the segment: its words, mapped for reading, past the library.
//!
//! The killer must see who holds the writer lock, who is dead and what is recovered without taking
//! part: an operation of its own would take the lock from the dead and so measure itself. It reads
//! the owner word, the threads' life words and the state words of their logs, which docs/format.md
//! describes, and never writes.

#![allow(unsafe_code, reason = "the map is read word by word, past the library")]

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use shm::layout::{Geometry, STRIPES, SegmentHeader, StripeLine, header, process, thread};

/// The kernel's mark in the life word of a dead thread (`FUTEX_OWNER_DIED`).
const DIED: u64 = 0x4000_0000;

pub(crate) struct Observer {
    map: MmapRaw,
    geometry: Geometry,
}

/// A thread's slot and its incarnation: what it writes into the lock word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(u64);

impl Token {
    fn slot(self) -> u64 {
        (self.0 & 0xFFFF_FFFF) - 1
    }

    fn incarnation(self) -> u64 {
        self.0 >> 32
    }
}

impl Observer {
    pub(crate) fn of(name: &str) -> io::Result<Self> {
        let file = File::open(format!("/dev/shm/{name}"))?;
        let map = MmapOptions::new().map_raw_read_only(&file)?;
        let none = Geometry::new(0, 0, 0);
        let mut observer = Observer { map, geometry: none };
        let slots = observer.word(std::mem::offset_of!(SegmentHeader, slots) as u64);
        let size = observer.word(std::mem::offset_of!(SegmentHeader, ceiling) as u64);
        observer.geometry = Geometry::new(size, slots & 0xFFFF_FFFF, slots >> 32);
        Ok(observer)
    }

    fn word(&self, at: u64) -> u64 {
        let inside = at.is_multiple_of(8) && at + 8 <= self.map.len() as u64;
        assert!(inside, "{at} is outside of the map");
        // SAFETY: (1) inside of the map, which lives as long as `self`.
        let at = unsafe { self.map.as_mut_ptr().add(at as usize) };
        // SAFETY: (1) as above, and aligned; all processes access the words as atomics.
        let word = unsafe { AtomicU64::from_ptr(at.cast()) };
        word.load(Ordering::Acquire)
    }

    /// Who holds the writer lock, and its stripes.
    pub(crate) fn holders(&self) -> impl Iterator<Item = Token> {
        let stripes = (header::STRIPES..).step_by(size_of::<StripeLine>()).take(STRIPES);
        let words = [header::LOCK_OWNER].into_iter().chain(stripes).map(|at| self.word(at));
        let is_thread = |word: &u64| (1..=self.geometry.threads).contains(&(word & 0xFFFF_FFFF));
        words.filter(is_thread).map(Token)
    }

    /// The first of them.
    pub(crate) fn owner(&self) -> Option<Token> {
        self.holders().next()
    }

    /// How often the lock was taken from a dead owner.
    pub(crate) fn deaths(&self) -> u64 {
        self.word(header::DEATHS)
    }

    /// When the lock was last recovered from the dead (see `board::now`).
    pub(crate) fn last_recovery(&self) -> u64 {
        self.word(header::LAST_RECOVERY)
    }

    fn claim(&self, slot: u64) -> u64 {
        self.word(self.geometry.thread_at(slot) + thread::CLAIM)
    }

    /// The process that a thread is of, while the claim stands.
    pub(crate) fn process_of(&self, token: Token) -> Option<i32> {
        let claim = self.claim(token.slot());
        let slot = ((claim >> 16) & 0xFFFF).checked_sub(1)?;
        let state = self.word(self.geometry.process_at(slot) + process::STATE);
        (claim >> 32 == token.incarnation()).then_some((state >> 32) as i32)
    }

    /// The live threads of a process.
    pub(crate) fn threads_of(&self, pid: i32) -> Vec<Token> {
        let high = self.word(header::THREAD_HIGH).min(self.geometry.threads);
        (0..high)
            .map(|slot| Token(((self.claim(slot) >> 32) << 32) | (slot + 1)))
            .filter(|token| self.process_of(*token) == Some(pid) && !self.is_dead(*token))
            .collect()
    }

    /// Whether the kernel has marked a thread as dead, or its slot is already another's.
    pub(crate) fn is_dead(&self, token: Token) -> bool {
        let life = self.word(self.geometry.thread_at(token.slot()) + thread::LIFE);
        life >> 32 != token.incarnation() || life & DIED != 0
    }

    /// Whether a thread's log has nothing to undo or to finish.
    pub(crate) fn is_idle(&self, token: Token) -> bool {
        let state = self.word(self.geometry.thread_at(token.slot()) + thread::STATE);
        // Another's slot: it was recovered before it was given away.
        state & 0xFF == 0 || self.claim(token.slot()) >> 32 != token.incarnation()
    }
}
