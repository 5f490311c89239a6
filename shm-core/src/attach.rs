//! How a process comes to a segment: create, attach, open; and removal of what nobody holds.
//!
//! A segment is built in a nameless file and linked to its name when it is whole, so nobody ever
//! sees half of one, and two creators cannot both win. Attaching validates the header (a checksummed
//! private copy of it), joins those who map the segment, claims a process slot and then looks, under the
//! writer lock, whether the segment was retired meanwhile; retiring happens under the same lock, so a segment cannot vanish
//! under a process that has just come. A failed attach changes nothing.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zerocopy::{FromZeros, IntoBytes};

use crate::alloc;
use crate::check;
use crate::error::{Error, Result};
use crate::fork;
use crate::give_back;
use crate::heap::{Heap, Inner};
use crate::layout::{
    FIRST_PAGES, FORMAT, Geometry, HASH_SIPHASH13, HEADER_BYTES, KNOWN_FEATURES, LOCK_MODE_SEGMENT,
    MAGIC, MAX_SIZE, PAGE_BYTES, SegmentHeader, header,
};
use crate::leave;
use crate::memory::Memory;
use crate::options::SegmentOptions;
use crate::peers::Peer;
use crate::primitive::Ordering;
use crate::recovery;
use crate::seeded::{self, Bug};
use crate::sys::file::SegmentFile;
use crate::sys::mapping::Mapping;
use crate::sys::process::{self, Identity};

mod head;
mod place;

pub(crate) use head::{checksum, geometry_of, read_header};
pub(crate) use place::{DIRECTORY, Place};

/// Pause between looks for a name that somebody is about to create.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Makes what every segment starts with (its root), before it has a name.
pub(crate) type Roots = fn(&Heap) -> Result<()>;

/// Creates a segment under a name that must be free, or held by a segment that only the dead hold.
pub(crate) fn create(place: &Place, options: &SegmentOptions, roots: Roots) -> Result<Heap> {
    if options.readonly {
        return Err(Error::InvalidArgument {
            what: "a segment cannot be created read-only: create it, then attach with readonly"
                .to_owned(),
        });
    }
    loop {
        // Nothing is built for a name that is plainly taken.
        if place.path.symlink_metadata().is_ok() && !remove_if_abandoned(place)? {
            return Err(place.exists());
        }
        let heap = build(place, nameless(place, options)?, options, roots)?;
        let published = heap.0.memory.with_file("name", |file| match file.publish() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Ok(seeded::is(Bug::NamedTooEarly))
            }
            other => other.map(|()| true),
        })?;
        if published {
            fork::register(&heap);
            return Ok(heap);
        }
        heap.0.memory.detach();
    }
}

/// Attaches to a segment, waiting for its creator if the options say so.
pub(crate) fn attach(place: &Place, options: &SegmentOptions) -> Result<Heap> {
    let deadline = options.timeout.map(|timeout| Instant::now() + timeout);
    loop {
        match attach_once(place, options) {
            Err(Error::SegmentNotFound { .. })
                if deadline.is_some_and(|deadline| Instant::now() < deadline) =>
            {
                crate::lock::pause(LOOK_AGAIN)?;
            }
            result => return result,
        }
    }
}

/// Attaches or creates, whichever comes first: free of races between any number of processes.
pub(crate) fn open(place: &Place, options: &SegmentOptions, roots: Roots) -> Result<Heap> {
    if options.readonly {
        return attach(place, options);
    }
    loop {
        if place.path.symlink_metadata().is_ok() && !remove_if_abandoned(place)? {
            match attach_once(place, options) {
                Err(Error::SegmentNotFound { .. }) => {}
                result => return result,
            }
        }
        match create(place, options, roots) {
            Err(Error::SegmentExists { .. }) => {}
            result => return result,
        }
    }
}

/// Creates a segment in memory that only this process has, and its forks: nobody can attach to it.
pub(crate) fn create_private(name: &str, options: &SegmentOptions, roots: Roots) -> Result<Heap> {
    let file = SegmentFile::create_in_memory(name)?;
    let place = Place { name: name.to_owned(), path: file.path().to_owned() };
    let heap = build(&place, file, options, roots)?;
    fork::register(&heap);
    Ok(heap)
}

/// The file of a segment that is to have this name.
fn nameless(place: &Place, options: &SegmentOptions) -> Result<SegmentFile> {
    SegmentFile::create_unnamed(&place.path, options.mode).map_err(|error| match error {
        Error::Io { what, source } if source.kind() == io::ErrorKind::NotFound => {
            Error::Io { what: format!("{what} (no such directory)"), source }
        }
        other => other,
    })
}

fn build(place: &Place, file: SegmentFile, options: &SegmentOptions, roots: Roots) -> Result<Heap> {
    let size = options.size.max(1);
    if size > MAX_SIZE {
        return Err(Error::InvalidArgument {
            what: format!("size {size} is beyond the largest ceiling of {MAX_SIZE} bytes"),
        });
    }
    let geometry = Geometry::new(
        size,
        options.max_processes.clamp(1, 65_000),
        options.max_threads.clamp(1, 65_000),
    );
    let random = process::random_words::<4>()
        .map_err(|source| Error::Io { what: "read random bytes".to_owned(), source })?;
    let identity = Identity::of_this_process();
    let end = geometry.page_at(FIRST_PAGES);
    let mut image = SegmentHeader::new_zeroed();
    image.magic = MAGIC;
    image.version = u64::from(FORMAT) | (HEADER_BYTES << 32);
    image.features = KNOWN_FEATURES;
    let [a, b, c, d] = random;
    image.uuid = [a, b];
    image.hash_key = [c, d];
    image.max_size = geometry.max_size;
    image.ceiling = geometry.ceiling * PAGE_BYTES;
    image.page_bytes = PAGE_BYTES;
    image.slots = geometry.processes | (geometry.threads << 32);
    image.directory_at = geometry.directory_at;
    image.data_at = geometry.data_at;
    image.boot_id = process::boot_id();
    image.pid_namespace = identity.namespace;
    image.lock_mode = LOCK_MODE_SEGMENT;
    image.hash_algorithm = HASH_SIPHASH13;
    image.lifetime = options.lifetime_of_new() as u64;
    image.creator_pid = u64::from(identity.pid);
    image.creator_start = identity.start_time;
    image.checksum = checksum(&image);
    image.committed = end;

    let map = Mapping::new(file.as_file(), geometry.max_size, geometry.data_at, false)?;
    let memory = Memory::new(map, geometry, file, place.name.clone(), false, image.hash_key);
    memory.with_file("create", |file| {
        file.reserve(0, geometry.logs_at)?;
        file.reserve(geometry.directory_at, FIRST_PAGES * crate::layout::PAGE_ENTRY_BYTES)?;
        file.reserve(geometry.data_at, FIRST_PAGES * PAGE_BYTES)
    })?;
    for (index, chunk) in image.as_bytes().chunks_exact(8).enumerate() {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        memory.meta(index as u64 * 8)?.store(word, Ordering::Release);
    }
    let memory = join(memory, options.lock_timeout)?;
    let heap = Heap(Arc::new(Inner::new(memory, options.lock_timeout)));
    enter(&heap, true)?;
    if seeded::is(Bug::NamedTooEarly) {
        heap.0.memory.with_file("name", SegmentFile::publish)?;
    }
    roots(&heap)?;
    Ok(heap)
}

/// Claims this process's slot.
pub(crate) fn enter(heap: &Heap, creator: bool) -> Result<()> {
    let memory = &heap.0.memory;
    let claim = memory.claim_process(Identity::of_this_process(), creator)?;
    memory.own_process.store(claim.slot + 1, Ordering::Relaxed);
    heap.own().reset(Some(claim));
    // A slot taken over from a dead process still has its pins.
    recovery::empty_process(heap, claim.slot, claim.incarnation)
}

fn attach_once(place: &Place, options: &SegmentOptions) -> Result<Heap> {
    let file =
        SegmentFile::open(&place.path, options.readonly).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidInput => place.mismatch("is not a regular file"),
            _ => place.refused("open", source),
        })?;
    let memory = join(map(place, file, options.readonly)?, options.lock_timeout)?;
    let heap = Heap(Arc::new(Inner::new(memory, options.lock_timeout)));
    let memory = &heap.0.memory;
    if options.readonly {
        if memory.meta(header::RETIRED)?.load(Ordering::Acquire) != 0 {
            return Err(place.not_found());
        }
        fork::register(&heap);
        return Ok(heap);
    }
    enter(&heap, false)?;
    if heap.write(|_| leave::is_orphaned(memory))? {
        leave::close(&heap)?;
        return Err(place.not_found());
    }
    recovery::reap_processes(&heap)?;
    check_after_reboot(&heap)?;
    // For whoever comes first after a time of plenty.
    give_back::at_attach(&heap);
    fork::register(&heap);
    Ok(heap)
}

/// A file may outlive the boot in which it was written; what reached the disk then is not promised
/// to be whole, so it is looked through before anybody trusts it.
fn check_after_reboot(heap: &Heap) -> Result<()> {
    let memory = &heap.0.memory;
    let words = memory.meta_words(header::BOOT_ID, 2)?;
    let written = words.iter().map(|word| word.load(Ordering::Relaxed));
    if written.eq(process::boot_id()) {
        return Ok(());
    }
    let report = check::check(heap)?;
    match report.findings.first() {
        None => Ok(()),
        Some(first) => Err(memory.corrupt(format!(
            "it was written before the last reboot and did not reach the disk whole ({} findings, \
             first: {first}); recreate it",
            report.findings.len()
        ))),
    }
}

/// Maps a segment whose header is sound. Nothing of it may be looked at before its length was checked, and of
/// its data pages nothing before [`join`].
fn map(place: &Place, file: SegmentFile, readonly: bool) -> Result<Memory> {
    let (image, geometry) = read_header(place, &file, readonly)?;
    if image.snapshot != 0 {
        return Err(place.mismatch("is a snapshot and no segment: restore it under a name"));
    }
    let map = Mapping::new(file.as_file(), geometry.max_size, geometry.data_at, readonly)?;
    Ok(Memory::new(map, geometry, file, place.name.clone(), readonly, image.hash_key))
}

/// As [`map`], for a look at what lies in front of the data pages.
fn map_front(place: &Place, file: SegmentFile, readonly: bool) -> Result<Memory> {
    let memory = map(place, file, readonly)?;
    memory.check_length()?;
    Ok(memory)
}

/// Joins those who use the segment: from here on its data pages may be looked at.
pub(crate) fn join(memory: Memory, timeout: Duration) -> Result<Memory> {
    memory.join(timeout)?;
    memory.learn_end()?;
    alloc::cover_holes(&memory)?;
    Ok(memory)
}

/// Removes the segment of a name if its lifetime has ended without anybody left to notice.
pub(crate) fn remove_if_abandoned(place: &Place) -> Result<bool> {
    let Ok(file) = SegmentFile::open(&place.path, false) else { return Ok(false) };
    let Ok(memory) = map_front(place, file, false) else { return Ok(false) };
    if !leave::is_over(&memory, None)? {
        return Ok(false);
    }
    let timeout = SegmentOptions::new().lock_timeout;
    let heap = Heap(Arc::new(Inner::new(join(memory, timeout)?, timeout)));
    let memory = &heap.0.memory;
    enter(&heap, false)?;
    // Somebody may have come since the first look; under the lock nobody can.
    let slot = memory.own_process.load(Ordering::Relaxed).checked_sub(1);
    let over = heap.write(|tx| {
        let over = leave::is_over(memory, slot)?;
        if over {
            tx.set_header(header::RETIRED, 1)?;
        }
        Ok(over)
    })?;
    let removed = over && memory.with_file("unlink", SegmentFile::unlink)?;
    leave::close(&heap)?;
    Ok(removed)
}

/// Reads the header of a file without attaching: its peers, size and bytes used, if it is a segment.
pub(crate) fn look(place: &Place) -> Result<(Vec<Peer>, u64, u64)> {
    let file =
        SegmentFile::open(&place.path, true).map_err(|source| place.refused("open", source))?;
    let memory = map_front(place, file, true)?;
    Ok((memory.peers(None)?, memory.size(), memory.used()?))
}
