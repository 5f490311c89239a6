//! Numbers of a segment: what its memory is used for, who pins, who holds which lock, what was collected and recovered.
//!
//! A look without a lock, so it disturbs nobody and works read-only: while others write, neighbouring
//! numbers may be of different moments. Its time is that of reading the page directory and two words of
//! each object; leaves are counted by their blocks.

use std::time::Duration;

use crate::alloc::{self, Cached};
use crate::cell::{Cell, Kind, Offset};
use crate::error::Result;
use crate::heap::Heap;
use crate::layout::{PAGE_BYTES, header, object, process, process_state};
use crate::memory::Memory;
use crate::object::Meta;
use crate::pins;
use crate::primitive::Ordering;
use crate::sync::{self, LockStats};
use crate::sys::clock;

/// Numbers of one segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Bytes taken from the file system for objects; less after memory was given back.
    pub used: u64,
    /// The ceiling in bytes.
    pub size: u64,
    /// Bytes of the blocks that are taken; the rest of `used` is free pages, free and cached blocks,
    /// and bitmaps.
    pub taken: u64,
    /// Bytes that this process reaches by huge pages: where the file system gives them, which /dev/shm
    /// by default does not (a tmpfs mounted with `huge=always`, or `shmem_enabled` set to `advise`).
    pub huge: u64,
    /// Bytes of free blocks that threads keep at hand.
    pub cached: u64,
    /// Pages of 64 KiB that nobody has, and in how many runs they lie.
    pub free_pages: u64,
    /// Runs of free pages.
    pub free_runs: u64,
    /// Pages of the longest of them: the largest block that needs no growth.
    pub longest_free_run: u64,
    /// Free pages besides, in front of the end, whose memory the file system has back; no part of `used`.
    /// They are filled again while one process alone is attached; others meanwhile grow beyond them.
    pub holes: u64,
    /// Blocks by size, smallest first; those of whole pages last.
    pub sizes: Vec<SizeStats>,
    /// Objects by kind.
    pub kinds: Vec<KindStats>,
    /// Objects that processes hold handles of.
    pub pins: Vec<PinStats>,
    /// Locks that somebody holds or that threads sleep for, and whatever else they sleep for that has a name.
    pub locks: Vec<LockStats>,
    /// Collections since the creation.
    pub collections: u64,
    /// How long writers waited for the last one.
    pub last_pause: Duration,
    /// How long for the longest one.
    pub longest_pause: Duration,
    /// Times that the writer lock was taken from a dead owner.
    pub deaths: u64,
    /// Operations that were rolled back or finished for a dead owner.
    pub recoveries: u64,
    /// How long ago the lock was last taken from a dead owner, and all put in order; `None` if it
    /// never was since the machine started.
    pub last_recovery: Option<Duration>,
}

/// Blocks of one size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SizeStats {
    /// Bytes of a block; 0 stands for all that are whole pages.
    pub bytes: u64,
    /// Pages that are cut into such blocks.
    pub pages: u64,
    /// Blocks that are taken.
    pub taken: u64,
    /// Blocks that are free in their pages.
    pub free: u64,
    /// Free blocks that threads keep at hand.
    pub cached: u64,
}

/// Objects of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KindStats {
    /// "list", "dict", ...; "leaf" for text, bytes, tuples and other blocks that never change,
    /// "pin table" for what processes note their handles in.
    pub kind: &'static str,
    /// How many there are.
    pub count: u64,
    /// Bytes of their blocks: header and content, not what they refer to.
    pub bytes: u64,
}

/// What one process holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PinStats {
    /// The process id.
    pub pid: u32,
    /// Its name at attach.
    pub name: String,
    /// Objects that it holds handles of.
    pub objects: u64,
}

/// Reads all numbers.
pub(crate) fn stats(heap: &Heap) -> Result<Stats> {
    let memory: &Memory = &heap.0.memory;
    let word = |at| -> Result<u64> { Ok(memory.meta(at)?.load(Ordering::Relaxed)) };
    let mut stats = Stats {
        used: memory.used()?,
        size: memory.size(),
        huge: memory.huge_bytes(),
        collections: word(header::COLLECTIONS)?,
        last_pause: Duration::from_nanos(word(header::LAST_PAUSE)?),
        longest_pause: Duration::from_nanos(word(header::LONGEST_PAUSE)?),
        deaths: word(header::DEATHS)?,
        recoveries: word(header::RECOVERIES)?,
        last_recovery: since(Duration::from_nanos(word(header::LAST_RECOVERY)?)),
        ..Stats::default()
    };
    let blocks = pages(memory, &mut stats)?;
    let containers = kinds(memory, &mut stats, blocks)?;
    pinned(memory, &mut stats)?;
    stats.locks = sync::locks(heap, &containers)?;
    Ok(stats)
}

/// The time since then; what an earlier boot has noted may lie in the future.
fn since(then: Duration) -> Option<Duration> {
    if then.is_zero() { None } else { clock::now().checked_sub(then) }
}

/// Blocks that are taken, object headers aside, and their bytes.
fn pages(memory: &Memory, stats: &mut Stats) -> Result<(u64, u64)> {
    let mut sizes: Vec<SizeStats> = Vec::new();
    let mut runs = SizeStats::default();
    let (mut run, mut others) = (0, (0, 0));
    alloc::survey(memory, |page| {
        if page.hole {
            stats.holes += page.pages;
            run = 0;
            return;
        }
        if page.blocks == 0 {
            stats.free_pages += page.pages;
            stats.free_runs += u64::from(run == 0);
            run += page.pages;
            stats.longest_free_run = stats.longest_free_run.max(run);
            return;
        }
        run = 0;
        let taken = page.blocks - page.free;
        stats.taken += taken * page.block;
        if !page.headers {
            others.0 += taken;
            others.1 += taken * page.block;
        }
        let of_size = if page.block >= PAGE_BYTES {
            &mut runs
        } else {
            let at = sizes.partition_point(|size| size.bytes < page.block);
            if sizes.get(at).is_none_or(|size| size.bytes != page.block) {
                sizes.insert(at, SizeStats { bytes: page.block, ..SizeStats::default() });
            }
            match sizes.get_mut(at) {
                Some(size) => size,
                None => return,
            }
        };
        of_size.pages += page.pages;
        of_size.taken += taken;
        of_size.free += page.free;
    })?;
    let cached = |cached: Cached, right: bool| {
        let bytes = cached.bytes();
        let size = sizes.iter_mut().find(|size| size.bytes == bytes && right);
        let Some(size) = size.filter(|size| size.taken > 0) else { return };
        size.taken -= 1;
        size.cached += 1;
        stats.cached += bytes;
        stats.taken = stats.taken.saturating_sub(bytes);
        others = (others.0.saturating_sub(1), others.1.saturating_sub(bytes));
    };
    alloc::for_each_cached(memory, cached, |_, _, _| {})?;
    if runs.taken > 0 {
        sizes.push(runs);
    }
    stats.sizes = sizes;
    Ok(others)
}

/// Counts the objects; those that have a lock, and the cells of their locks.
fn kinds(
    memory: &Memory,
    stats: &mut Stats,
    (blocks, bytes): (u64, u64),
) -> Result<Vec<(Offset, Cell)>> {
    let mut containers = Vec::new();
    let mut kinds: Vec<KindStats> = Vec::new();
    let (mut parts, mut part_bytes) = (0, 0);
    alloc::for_each_header(memory, |at| {
        let meta = Meta(memory.load(at + object::META)?);
        let kind = Kind::from_code(meta.kind_code()).map_or("being made", Kind::name);
        let lock = Cell(memory.load(at + object::LOCK)?);
        if lock != Cell::UNSET {
            containers.push((at, lock));
        }
        let block = memory.load(at + object::W0).unwrap_or(0) & !0xF;
        let content = if block == 0 { 0 } else { alloc::size_of_block(memory, block).unwrap_or(0) };
        parts += u64::from(content > 0);
        part_bytes += content;
        let known = kinds.iter().position(|known| known.kind == kind).unwrap_or(kinds.len());
        if known == kinds.len() {
            kinds.push(KindStats { kind, count: 0, bytes: 0 });
        }
        if let Some(found) = kinds.get_mut(known) {
            found.count += 1;
            found.bytes += crate::layout::OBJECT_BYTES + content;
        }
        Ok(())
    })?;
    let mut tables = KindStats { kind: "pin table", count: 0, bytes: 0 };
    for slot in memory.process_slots()? {
        if let Some((table, _)) = pins::table_of(memory, slot)? {
            tables.count += 1;
            tables.bytes += alloc::size_of_block(memory, table).unwrap_or(0);
        }
    }
    parts += tables.count;
    part_bytes += tables.bytes;
    kinds.push(tables);
    // What is neither a header nor an object's content.
    kinds.push(KindStats {
        kind: "leaf",
        count: blocks.saturating_sub(parts),
        bytes: bytes.saturating_sub(part_bytes),
    });
    stats.kinds = kinds;
    Ok(containers)
}

fn pinned(memory: &Memory, stats: &mut Stats) -> Result<()> {
    for slot in memory.process_slots()? {
        let at = memory.geometry.process_at(slot);
        let state = memory.meta(at + process::STATE)?.load(Ordering::Acquire);
        if state & 0xFFFF_FFFF == process_state::FREE {
            continue;
        }
        let Some((_, entries)) = pins::table_of(memory, slot)? else { continue };
        let objects = entries
            .iter()
            .filter(|entry| pins::pinned_in(entry.load(Ordering::Relaxed)).is_some())
            .count() as u64;
        let pid = (state >> 32) as u32;
        stats.pins.push(PinStats { pid, name: memory.process_name(slot)?, objects });
    }
    Ok(())
}
