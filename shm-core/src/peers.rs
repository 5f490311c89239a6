//! Who is there: the process slots, the thread slots, and how the dead are told from the living.
//!
//! A process slot owns pins; a thread slot owns a log and may own the writer lock. Three layers of
//! evidence (DESIGN 1.2): a thread is dead when the kernel marked its life word, or its process is
//! dead; a process is dead when its id and start time say so in our pid namespace, or when its byte
//! lock is free. That lock belongs to the program that runs in it (see [`SlotLock`]): an exec ends
//! it, a fork does not spread it, closing descriptors does not touch it. Slots are claimed by one compare-exchange
//! under their byte lock, which alone speaks for the claimer until the slot is filled in, so a
//! claimer killed at any instruction leaves a slot that can be judged. Nothing here takes the writer
//! lock: what a dead process pinned is released by `recovery`.
//!
//! ```text
//! thread slot   claim = incarnation:32 | process slot + 1:16 | process incarnation:16
//!               life  = incarnation:32 | thread id or 0x4000_0000:32
//! owner token   incarnation:32 | thread slot + 1:32
//! ```

use std::time::Duration;

use crate::error::{Error, Result};
use crate::layout::{
    CACHE_BYTES, LOG_BYTES, header, process, process_flags, process_state, thread,
};
use crate::memory::Memory;
use crate::primitive::Ordering;
use crate::seeded::{self, Bug};
use crate::sys::file::SlotLock;
use crate::sys::life::{self, RobustList};
use crate::sys::process::{Identity, exists};

/// How often to look for a process slot while all that could be had are being emptied.
const CLAIM_TRIES: u32 = 200;
const CLAIM_PAUSE: Duration = Duration::from_millis(1);

/// Handle. This process's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessClaim {
    pub(crate) slot: u64,
    pub(crate) incarnation: u64,
}

/// Handle. A thread's slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadClaim {
    pub(crate) slot: u64,
    pub(crate) incarnation: u64,
}

impl ThreadClaim {
    /// What the thread writes into a lock that it owns.
    #[inline]
    pub(crate) fn token(self) -> u64 {
        (self.incarnation << 32) | (self.slot + 1)
    }

    /// Who wrote this into a lock.
    pub(crate) fn of_token(token: u64) -> Option<Self> {
        let slot = (token & 0xFFFF_FFFF).checked_sub(1)?;
        Some(ThreadClaim { slot, incarnation: token >> 32 })
    }
}

/// What a slot says about its process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The process id, in its own pid namespace.
    pub pid: u32,
    /// The process's name at attach.
    pub name: String,
    /// Whether it still lives.
    pub alive: bool,
    /// Nanoseconds since the epoch.
    pub attached_at: u64,
}

impl Memory {
    /// Takes a free process slot, or the slot of a dead process, whose pins the caller must drop.
    pub(crate) fn claim_process(&self, identity: Identity, creator: bool) -> Result<ProcessClaim> {
        for _ in 0..CLAIM_TRIES {
            let mut busy = false;
            for take_dead in [false, true] {
                for slot in 0..self.geometry.processes {
                    let at = self.geometry.process_at(slot);
                    let state = self.meta(at + process::STATE)?.load(Ordering::Acquire);
                    let free = state & 0xFFFF_FFFF == process_state::FREE;
                    if free == take_dead || (take_dead && !self.process_is_dead(slot)?) {
                        continue;
                    }
                    // A process that may not open the file any more has no lock of its own.
                    let lock = match self.with_file("lock a slot of", |file| file.lock_slot(slot)) {
                        Ok(Some(lock)) => Some(lock),
                        Ok(None) => {
                            busy |= take_dead;
                            continue;
                        }
                        Err(_) => None,
                    };
                    if let Some(claim) = self.claim_slot(slot, state, identity, creator, lock)? {
                        // What a dead one's threads were about to unpin.
                        self.reap_due.fetch_or(take_dead, Ordering::Relaxed);
                        return Ok(claim);
                    }
                }
            }
            // A dead one's slot that somebody is emptying just now is worth waiting for.
            if !busy {
                break;
            }
            crate::lock::pause(CLAIM_PAUSE)?;
        }
        Err(Error::TooManyParticipants {
            name: self.name.clone(),
            kind: "process",
            slots: self.geometry.processes,
        })
    }

    /// Takes a slot that was seen in a state, unless somebody else did.
    fn claim_slot(
        &self,
        slot: u64,
        state: u64,
        identity: Identity,
        creator: bool,
        lock: Option<SlotLock>,
    ) -> Result<Option<ProcessClaim>> {
        let at = self.geometry.process_at(slot);
        let word = self.meta(at + process::STATE)?;
        let pid = u64::from(identity.pid) << 32;
        // Not LIVE before the slot is filled in: a new id beside an old start time would look dead.
        let coming = match lock {
            Some(_) => process_state::FORKING,
            None => process_state::COMING_BY_ID,
        };
        // AcqRel: pairs with the store that freed the slot.
        if word.compare_exchange(state, coming | pid, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return Ok(None);
        }
        let by_id = if lock.is_some() { 0 } else { process_flags::BY_ID };
        let flags = by_id | if creator { process_flags::CREATOR } else { 0 };
        let claim = self.describe_process(slot, identity, flags)?;
        if let Some(lock) = lock {
            self.hold(lock);
        }
        word.store(process_state::LIVE | pid, Ordering::Release);
        Ok(Some(claim))
    }

    /// Fills in a slot that is claimed for this process (or its coming child).
    pub(crate) fn describe_process(
        &self,
        slot: u64,
        identity: Identity,
        flags: u64,
    ) -> Result<ProcessClaim> {
        let at = self.geometry.process_at(slot);
        let put = |field: u64, value: u64| -> Result<()> {
            self.meta(at + field)?.store(value, Ordering::Release);
            Ok(())
        };
        let incarnation = self.meta(at + process::INCARNATION)?.load(Ordering::Relaxed) + 1;
        put(process::INCARNATION, incarnation)?;
        put(process::START_TIME, identity.start_time)?;
        put(process::PID_NAMESPACE, identity.namespace)?;
        put(process::FLAGS, flags)?;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |time| time.as_nanos() as u64);
        put(process::ATTACHED_AT, now)?;
        let mut name = [0_u8; 48];
        for (to, from) in name.iter_mut().zip(crate::sys::process::name().bytes()) {
            *to = from;
        }
        for (index, chunk) in name.chunks_exact(8).enumerate() {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            put(process::NAME + index as u64 * 8, word)?;
        }
        self.meta(header::PROCESS_HIGH)?.fetch_max(slot + 1, Ordering::AcqRel);
        Ok(ProcessClaim { slot, incarnation })
    }

    /// Slots that were ever taken.
    pub(crate) fn process_slots(&self) -> Result<std::ops::Range<u64>> {
        let high = self.meta(header::PROCESS_HIGH)?.load(Ordering::Acquire);
        Ok(0..high.min(self.geometry.processes))
    }

    /// Whether no other process has a slot: a first look, which saves the trouble of [`Memory::alone`] where
    /// one has.
    pub(crate) fn may_be_alone(&self) -> Result<bool> {
        let own = self.own_process.load(Ordering::Relaxed);
        for slot in self.process_slots()? {
            let state = self.meta(self.geometry.process_at(slot) + process::STATE)?;
            let taken = state.load(Ordering::Acquire) & 0xFFFF_FFFF != process_state::FREE;
            if taken && slot + 1 != own {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Slots that were ever taken.
    pub(crate) fn thread_slots(&self) -> Result<std::ops::Range<u64>> {
        let high = self.meta(header::THREAD_HIGH)?.load(Ordering::Acquire);
        Ok(0..high.min(self.geometry.threads))
    }

    /// Whether a slot is taken by a process that is no more. Never asked about one's own slot.
    pub(crate) fn process_is_dead(&self, slot: u64) -> Result<bool> {
        let at = self.geometry.process_at(slot);
        let state = self.meta(at + process::STATE)?.load(Ordering::Acquire);
        match state & 0xFFFF_FFFF {
            process_state::FREE => return Ok(false),
            process_state::LIVE => {
                let identity = Identity {
                    pid: (state >> 32) as u32,
                    start_time: self.meta(at + process::START_TIME)?.load(Ordering::Relaxed),
                    namespace: self.meta(at + process::PID_NAMESPACE)?.load(Ordering::Relaxed),
                };
                let alive = identity.is_alive();
                let flags = self.meta(at + process::FLAGS)?.load(Ordering::Relaxed);
                if alive == Some(false) || flags & process_flags::BY_ID != 0 {
                    return Ok(alive == Some(false));
                }
            }
            process_state::COMING_BY_ID => return Ok(!exists((state >> 32) as u32)),
            // A slot that is being filled in: whoever does it holds the lock already.
            _ => {}
        }
        // An exec keeps the id and loses the lock. Nothing else that a live process does loses it.
        self.slot_is_unlocked(slot)
    }

    /// Whether no other process, nor another attachment of this one, holds the byte of a slot.
    fn slot_is_unlocked(&self, slot: u64) -> Result<bool> {
        self.with_file("look at a slot of", |file| file.slot_is_locked(slot)).map(|locked| !locked)
    }

    /// Every taken process slot.
    pub(crate) fn peers(&self, own: Option<u64>) -> Result<Vec<Peer>> {
        let mut peers = Vec::new();
        for slot in self.process_slots()? {
            let at = self.geometry.process_at(slot);
            let state = self.meta(at + process::STATE)?.load(Ordering::Acquire);
            if state & 0xFFFF_FFFF != process_state::LIVE {
                continue;
            }
            peers.push(Peer {
                pid: (state >> 32) as u32,
                name: self.process_name(slot)?,
                alive: own == Some(slot) || !self.process_is_dead(slot)?,
                attached_at: self.meta(at + process::ATTACHED_AT)?.load(Ordering::Relaxed),
            });
        }
        Ok(peers)
    }

    /// The name that a process gave itself at attach.
    pub(crate) fn process_name(&self, slot: u64) -> Result<String> {
        let words = self.meta_words(self.geometry.process_at(slot) + process::NAME, 6)?;
        let bytes: Vec<u8> = words
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .take_while(|byte| *byte != 0)
            .collect();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Takes a thread slot for the calling thread and arms its life word.
    pub(crate) fn claim_thread(
        &self,
        owner: ProcessClaim,
        robust: RobustList,
    ) -> Result<ThreadClaim> {
        for take_dead in [false, true] {
            for slot in 0..self.geometry.threads {
                let at = self.geometry.thread_at(slot);
                let word = self.meta(at + thread::CLAIM)?;
                let old = word.load(Ordering::Acquire);
                let free = (old >> 16) & 0xFFFF == 0;
                if free == take_dead || (take_dead && !self.thread_is_reusable(slot, old)?) {
                    continue;
                }
                let incarnation = ((old >> 32) + 1) & 0xFFFF_FFFF;
                let new =
                    (incarnation << 32) | ((owner.slot + 1) << 16) | (owner.incarnation & 0xFFFF);
                if word.compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed).is_err() {
                    continue;
                }
                let claim = ThreadClaim { slot, incarnation };
                if let Err(error) = self.reserve_log(slot) {
                    self.release_thread(claim);
                    return Err(error);
                }
                self.meta(header::THREAD_HIGH)?.fetch_max(slot + 1, Ordering::AcqRel);
                // Arm before the id: the other way round a kill in between is never reported.
                let life = self.meta(at + thread::LIFE)?;
                if !seeded::is(Bug::LifeArmedLate) {
                    robust.arm(life);
                }
                life.store((incarnation << 32) | u64::from(life::thread_id()), Ordering::Release);
                if seeded::is(Bug::LifeArmedLate) {
                    robust.arm(life);
                }
                return Ok(claim);
            }
        }
        Err(Error::TooManyParticipants {
            name: self.name.clone(),
            kind: "thread",
            slots: self.geometry.threads,
        })
    }

    fn reserve_log(&self, slot: u64) -> Result<()> {
        self.with_file("take a log in", |file| {
            file.reserve(self.geometry.log_at(slot), LOG_BYTES + CACHE_BYTES)
        })
    }

    /// A dead thread's slot that has nothing left to recover.
    fn thread_is_reusable(&self, slot: u64, claim: u64) -> Result<bool> {
        let at = self.geometry.thread_at(slot);
        let state = self.meta(at + thread::STATE)?.load(Ordering::Acquire);
        let unpinning = self.meta(at + thread::UNPINNING)?.load(Ordering::Acquire);
        let owner = self.meta(header::LOCK_OWNER)?.load(Ordering::Acquire);
        let claim = ThreadClaim { slot, incarnation: claim >> 32 };
        Ok(state & 0xFF == 0
            && unpinning == 0
            && owner != claim.token()
            && !self.has_stripe(claim.token())
            && self.thread_is_dead(claim, true)?)
    }

    /// Frees the slot of a thread whose process has left, once nothing of the segment is mapped there: it was
    /// alive then, so that it could not be freed. Others would only take it when there is no free one.
    pub(crate) fn free_thread_left_behind(&self, slot: u64) -> Result<()> {
        let word = self.meta(self.geometry.thread_at(slot) + thread::CLAIM)?;
        let claim = word.load(Ordering::Acquire);
        let Some(owner) = ((claim >> 16) & 0xFFFF).checked_sub(1) else { return Ok(()) };
        if owner >= self.geometry.processes {
            return Ok(());
        }
        let at = self.geometry.process_at(owner);
        let state = self.meta(at + process::STATE)?.load(Ordering::Acquire);
        let incarnation = self.meta(at + process::INCARNATION)?.load(Ordering::Acquire);
        let is_gone =
            state & 0xFFFF_FFFF == process_state::FREE || incarnation & 0xFFFF != claim & 0xFFFF;
        if is_gone && self.thread_is_reusable(slot, claim)? {
            let free = (claim >> 32) << 32;
            let _ = word.compare_exchange(claim, free, Ordering::AcqRel, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Gives a thread slot back. Its log is idle. If the thread could not finish an unpinning, the slot is a
    /// dead thread's from now on, for whoever looks after those.
    pub(crate) fn release_thread(&self, claim: ThreadClaim) {
        let at = self.geometry.thread_at(claim.slot);
        let words =
            [thread::CLAIM, thread::UNPINNING, thread::LIFE].map(|word| self.meta(at + word));
        let [Ok(word), Ok(unpinning), Ok(life)] = words else { return };
        let old = word.load(Ordering::Relaxed);
        if old >> 32 != claim.incarnation {
            return;
        }
        if unpinning.load(Ordering::Relaxed) != 0 {
            let died = (claim.incarnation << 32) | u64::from(life::DIED);
            life.store(died, Ordering::Release);
            self.reap_due.store(true, Ordering::Relaxed);
            return;
        }
        // One store frees the slot: incarnation kept, owner 0.
        let free = claim.incarnation << 32;
        let _ = word.compare_exchange(old, free, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Whether the thread behind a claim can run no more. `thorough` also asks the kernel about its
    /// process, which costs a system call or two.
    pub(crate) fn thread_is_dead(&self, claim: ThreadClaim, thorough: bool) -> Result<bool> {
        if claim.slot >= self.geometry.threads {
            return Ok(true);
        }
        let at = self.geometry.thread_at(claim.slot);
        let word = self.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
        if word >> 32 != claim.incarnation || (word >> 16) & 0xFFFF == 0 {
            return Ok(true);
        }
        let life = self.meta(at + thread::LIFE)?.load(Ordering::Acquire);
        if life >> 32 == claim.incarnation && life as u32 & life::DIED != 0 {
            return Ok(true);
        }
        if !thorough {
            return Ok(false);
        }
        let owner = ((word >> 16) & 0xFFFF) - 1;
        if owner >= self.geometry.processes {
            return Ok(true);
        }
        let slot_at = self.geometry.process_at(owner);
        let incarnation = self.meta(slot_at + process::INCARNATION)?.load(Ordering::Acquire);
        if incarnation & 0xFFFF != word & 0xFFFF {
            return Ok(true);
        }
        if self.own_process.load(Ordering::Relaxed) == owner + 1 {
            return Ok(false);
        }
        let state = self.meta(slot_at + process::STATE)?.load(Ordering::Acquire);
        if state & 0xFFFF_FFFF == process_state::FREE {
            // Its last thread is on its way out: that has given the process's slot back, and its own not
            // yet. Their byte lock goes with the file, after all else.
            return self.slot_is_unlocked(owner);
        }
        self.process_is_dead(owner)
    }

    /// The process slot of a thread, unless its own slot is another one's by now.
    pub(crate) fn process_of(&self, claim: ThreadClaim) -> Result<Option<u64>> {
        if claim.slot >= self.geometry.threads {
            return Ok(None);
        }
        let at = self.geometry.thread_at(claim.slot);
        let word = self.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
        let slot = ((word >> 16) & 0xFFFF).checked_sub(1);
        let is_it = |slot: &u64| *slot < self.geometry.processes && word >> 32 == claim.incarnation;
        Ok(slot.filter(is_it))
    }
}
