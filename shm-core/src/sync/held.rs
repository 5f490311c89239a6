//! Who holds what and who sleeps for it: the locks of a segment as they are seen from outside.
//!
//! A look without a lock, for whoever has a service that stands still: it waits for nobody, also while all of this is held,
//! works in a read-only attachment, and changes nothing. A word that is held names its holder and a sleeper's
//! thread slot names what it sleeps for; both are only put together here. Since when is stored nowhere.
//!
//! The names are those of one moment if there is such a moment: a transaction that has just named something hides
//! none of the others. A waiter shows once it sleeps, not while it spins. Whatever the words are, each block
//! is looked at once.

use rustc_hash::{FxHashMap, FxHashSet};

use super::line::Line;
use super::{DEPTH, Form, LINE, OWNER, PLACES, TABLE, TABLE_LIMIT, container, rwlock};
use crate::cell::{Cell, Kind, Offset, View};
use crate::check;
use crate::dict::entries;
use crate::dict::fresh::Entry;
use crate::dict::keys::DICT;
use crate::error::Result;
use crate::gate;
use crate::heap::Heap;
use crate::layout::{header, object, process, process_state, thread};
use crate::leaf;
use crate::memory::Memory;
use crate::peers::ThreadClaim;
use crate::primitive::{Ordering, fence};

/// Looks at the names before those of no single moment will do.
const TRIES: u32 = 64;
/// Bytes of a name that are shown.
const MOST_BYTES: u64 = 1024;

/// A lock that somebody holds, or anything that a thread sleeps for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStats {
    /// "lock", "rlock", "rwlock.read", "rwlock.write", "semaphore", "turn", "event", "condition",
    /// "barrier": those with names. "container": the lock of an object. "writer lock": what each write has
    /// for its moment and a transaction for its whole time.
    pub kind: &'static str,
    /// Its name. Of a container, where it is (`root['jobs'][3]`), or else its kind and offset; of the writer lock nothing, or
    /// which stripe of it.
    pub name: String,
    /// Who holds it: nobody, or one thread, or those who read or have permits.
    pub holders: Vec<HolderStats>,
    /// Ids of the processes that have threads which sleep until they get it; who waits for the writer lock is not known.
    pub waiting: Vec<u32>,
}

/// Who holds a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HolderStats {
    /// The process id; 0 once its slot is another's or nobody's.
    pub pid: u32,
    /// Its name at attach.
    pub name: String,
    /// Whether it lives: the process of a permit, the thread of anything else. From the dead the next one takes it.
    pub alive: bool,
    /// How often it holds it: the depth of a reentrant lock or of a reader, the permits of a process.
    pub times: u64,
}

/// The lock words of containers, and the objects that they are of.
pub(crate) type Containers = [(Offset, Cell)];

/// All that is held or waited for: the writer lock, what has a name, then the containers.
pub(crate) fn locks(heap: &Heap, containers: &Containers) -> Result<Vec<LockStats>> {
    let sleepers = sleepers(&heap.0.memory)?;
    let mut look = Look { heap, sleepers, seen: FxHashSet::default(), found: Vec::new() };
    look.writers()?;
    for (name, at) in names(heap)? {
        // What does not fit together is the checker's business.
        let _ = look.primitive(at, Some(&name));
    }
    let named = look.found.len();
    let mut objects = Vec::new();
    for (object, lock) in containers {
        if let Some(words) = words_of(heap, *lock)
            && let Ok(true) = look.primitive(words, None)
        {
            objects.push(*object);
        }
    }
    let paths = check::paths(heap, &objects);
    for ((lock, object), path) in look.found.iter_mut().skip(named).zip(&objects).zip(paths) {
        lock.name = path.unwrap_or_else(|| container::describe(heap, *object));
    }
    Ok(look.found)
}

/// Where the words of a lock start whose block a cell refers to.
fn words_of(heap: &Heap, cell: Cell) -> Option<Offset> {
    let block = cell.as_ref().filter(|found| found.kind == Kind::ByteArray)?.at;
    Some(gate::words_at(heap.load(block + object::W0).ok()?))
}

/// What has a name, and where its words are.
fn names(heap: &Heap) -> Result<Vec<(String, Offset)>> {
    let names = heap.header_cell(header::NAMES)?.as_ref();
    let Some(names) = names.filter(|found| found.kind == Kind::Dict) else { return Ok(Vec::new()) };
    let sequence = heap.word(names.at + object::SEQ)?;
    let mut entries = Vec::new();
    for _ in 0..TRIES {
        // Acquire: pairs with the Release store that ended the last change.
        let before = sequence.load(Ordering::Acquire);
        entries = entries::all::<DICT>(heap, names.at).unwrap_or(entries);
        // Acquire: orders the loads of the entries before the second look at the sequence.
        fence(Ordering::Acquire);
        if before & 1 == 0 && sequence.load(Ordering::Relaxed) == before {
            break;
        }
        std::hint::spin_loop();
    }
    let known = |entry: &Entry| {
        let key = text(heap, entry.key)?;
        let (_, name) = key.split_once('/')?;
        Some((name.to_owned(), words_of(heap, entry.value)?))
    };
    Ok(entries.iter().filter_map(known).collect())
}

/// The start of a text.
fn text(heap: &Heap, key: Cell) -> Option<String> {
    let content = match key.view()? {
        View::Str(short) => short.as_slice().to_vec(),
        View::Ref(found) if found.kind == Kind::Str => {
            let len = leaf::length(heap, found).ok()?.min(MOST_BYTES);
            leaf::bytes::copy_out(heap, leaf::data(found.at), 0, len).ok()?
        }
        _ => return None,
    };
    Some(String::from_utf8_lossy(&content).into_owned())
}

/// Ids of the processes whose threads sleep, by the words that they sleep for.
fn sleepers(memory: &Memory) -> Result<FxHashMap<Offset, Vec<u32>>> {
    let mut sleepers: FxHashMap<Offset, Vec<u32>> = FxHashMap::default();
    for slot in memory.thread_slots()? {
        let at = memory.geometry.thread_at(slot);
        let wanted = memory.meta(at + thread::WAITING_ON)?.load(Ordering::Acquire);
        if wanted == 0 {
            continue;
        }
        let claim = memory.meta(at + thread::CLAIM)?.load(Ordering::Acquire);
        let holder = thread_of(memory, ThreadClaim { slot, incarnation: claim >> 32 })?;
        if holder.alive {
            let all = sleepers.entry(wanted).or_default();
            if !all.contains(&holder.pid) {
                all.push(holder.pid);
            }
        }
    }
    Ok(sleepers)
}

/// The thread that a word names.
fn thread_of(memory: &Memory, claim: ThreadClaim) -> Result<HolderStats> {
    let mut holder = HolderStats { times: 1, ..HolderStats::default() };
    if claim.slot >= memory.geometry.threads {
        return Ok(holder);
    }
    let word = memory.meta(memory.geometry.thread_at(claim.slot) + thread::CLAIM)?;
    let word = word.load(Ordering::Acquire);
    if let Some(slot) = memory.process_of(claim)?
        && word >> 32 == claim.incarnation
    {
        holder = process_of(memory, slot, 0xFFFF, word & 0xFFFF)?;
        holder.alive = !memory.thread_is_dead(claim, true)?;
    }
    Ok(holder)
}

/// The process of a slot, if that is still the one whose incarnation a word names by these bits.
fn process_of(memory: &Memory, slot: u64, mask: u64, incarnation: u64) -> Result<HolderStats> {
    let mut holder = HolderStats { times: 1, ..HolderStats::default() };
    let at = memory.geometry.process_at(slot);
    let state = memory.meta(at + process::STATE)?.load(Ordering::Acquire);
    let now = memory.meta(at + process::INCARNATION)?.load(Ordering::Acquire);
    if now & mask == incarnation && state & 0xFFFF_FFFF != process_state::FREE {
        holder.pid = (state >> 32) as u32;
        holder.name = memory.process_name(slot)?;
        let own = memory.own_process.load(Ordering::Relaxed) == slot + 1;
        holder.alive = own || !memory.process_is_dead(slot)?;
    }
    Ok(holder)
}

struct Look<'h> {
    heap: &'h Heap,
    sleepers: FxHashMap<Offset, Vec<u32>>,
    /// Words that were looked at.
    seen: FxHashSet<Offset>,
    found: Vec<LockStats>,
}

impl Look<'_> {
    /// The writer lock and its stripes.
    fn writers(&mut self) -> Result<()> {
        let memory: &Memory = &self.heap.0.memory;
        let whole = memory.meta(header::LOCK_OWNER)?.load(Ordering::Acquire);
        let stripes = memory.stripes().into_iter().flatten().map(|[holder, ..]| holder);
        let stripes = stripes.map(|holder| holder.load(Ordering::Acquire));
        for (index, token) in std::iter::once(whole).chain(stripes).enumerate() {
            if token != 0 {
                let name = index.checked_sub(1).map_or(String::new(), |n| format!("stripe {n}"));
                let holders = vec![self.owner(token)?];
                self.found.push(LockStats {
                    kind: "writer lock",
                    name,
                    holders,
                    waiting: Vec::new(),
                });
            }
        }
        Ok(())
    }

    /// The one whose token an owner word is.
    fn owner(&self, token: u64) -> Result<HolderStats> {
        let nobody = ThreadClaim { slot: u64::MAX, incarnation: 0 };
        thread_of(&self.heap.0.memory, ThreadClaim::of_token(token).unwrap_or(nobody))
    }

    /// Looks at the words that start there, of something with a name or of an object's lock; whether
    /// somebody holds it or sleeps for it.
    fn primitive(&mut self, at: Offset, name: Option<&str>) -> Result<bool> {
        let form = Form::of(self.heap.load(at)?);
        let form = form.filter(|form| name.is_some() == (*form != Form::Object));
        let Some(form) = form.filter(|_| self.seen.insert(at)) else { return Ok(false) };
        let waiting = self.sleepers.get(&at).cloned().unwrap_or_default();
        let mut found = Vec::new();
        let mut hold = |kind, holders: Vec<HolderStats>| {
            if !holders.is_empty() {
                let (name, waiting) = (name.unwrap_or_default().to_owned(), waiting.clone());
                found.push(LockStats { kind, name, holders, waiting });
            }
        };
        match form {
            Form::Lock | Form::RLock | Form::Object => hold(form.kind(), self.holder(at, form)?),
            Form::RwLock => {
                hold("rwlock.write", self.holder(at, form)?);
                hold("rwlock.read", self.readers(at)?);
            }
            Form::Turn => hold(form.kind(), self.first(at)?),
            Form::Semaphore => hold(form.kind(), self.permits(at)?),
            Form::Event | Form::Barrier | Form::Condition => {}
        }
        if found.is_empty() && !waiting.is_empty() {
            let name = name.unwrap_or_default().to_owned();
            found.push(LockStats { kind: form.kind(), name, holders: Vec::new(), waiting });
        }
        let any = !found.is_empty();
        self.found.append(&mut found);
        Ok(any)
    }

    /// The holder of what has an owner word.
    fn holder(&self, at: Offset, form: Form) -> Result<Vec<HolderStats>> {
        let token = self.heap.word(at + OWNER)?.load(Ordering::Acquire);
        if token == 0 {
            return Ok(Vec::new());
        }
        let mut holder = self.owner(token)?;
        if form != Form::Lock && form != Form::RwLock {
            holder.times = self.heap.load(at + DEPTH)?.max(1);
        }
        Ok(vec![holder])
    }

    /// Those who read.
    fn readers(&self, at: Offset) -> Result<Vec<HolderStats>> {
        let memory = &self.heap.0.memory;
        let threads = memory.thread_slots()?.end;
        let table = self.heap.words(at + TABLE, threads as usize)?;
        let mut readers = Vec::new();
        for (slot, word) in table.iter().enumerate() {
            let word = word.load(Ordering::Acquire);
            if let Some(times) = rwlock::reading(word) {
                let claim = ThreadClaim { slot: slot as u64, incarnation: word >> 32 };
                readers.push(HolderStats { times, ..thread_of(memory, claim)? });
            }
        }
        Ok(readers)
    }

    /// The one at the head of a line.
    fn first(&self, at: Offset) -> Result<Vec<HolderStats>> {
        let memory = &self.heap.0.memory;
        let line = Line::new(self.heap.words(at + LINE, PLACES as usize)?);
        let Some((_, who)) = line.and_then(|line| line.holder(0)) else { return Ok(Vec::new()) };
        let nobody = ThreadClaim { slot: u64::MAX, incarnation: 0 };
        Ok(vec![thread_of(memory, memory.claim_of(who)?.unwrap_or(nobody))?])
    }

    /// The processes that have permits, in the order of their first ones.
    fn permits(&self, at: Offset) -> Result<Vec<HolderStats>> {
        let memory: &Memory = &self.heap.0.memory;
        let permits = (self.heap.load(at)? >> 8).min(TABLE_LIMIT);
        let table = self.heap.words(at + TABLE, permits as usize)?;
        let mut counts: Vec<(u64, u64)> = Vec::new();
        for word in table {
            let token = word.load(Ordering::Acquire);
            match counts.iter_mut().find(|(known, _)| *known == token) {
                Some((_, count)) => *count += 1,
                None if token != 0 => counts.push((token, 1)),
                None => {}
            }
        }
        let holder = |(token, times): (u64, u64)| {
            let slot = (token & 0xFFFF_FFFF).wrapping_sub(1);
            let known = slot < memory.geometry.processes;
            let nobody = HolderStats::default();
            let holder =
                if known { process_of(memory, slot, 0xFFFF_FFFF, token >> 32)? } else { nobody };
            Ok(HolderStats { times, ..holder })
        };
        counts.into_iter().map(holder).collect()
    }
}
