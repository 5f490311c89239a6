//! Snapshots: all of a segment as of one moment in a file, and a segment made of such a file.
//!
//! A snapshot is the file of the segment as it is between two operations, copied under the writer lock:
//! writers wait for as long as that takes, readers do not. It appears under its path whole or not at
//! all, and is marked, so that nobody attaches to it. Restoring copies it into a fresh segment in which every
//! process of the former one counts as dead: what they held is given back, what they had locked comes
//! with the news that its owner died. A snapshot has a hash of its content, and nothing is believed of it that
//! attaching would not believe: the consistency check looks through the segment before it gets its name.

use std::hash::Hasher;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use siphasher::sip::SipHasher13;
use zerocopy::{FromBytes, IntoBytes};

use crate::attach::{self, Place};
use crate::check;
use crate::error::{Error, Result};
use crate::fork;
use crate::heap::{Heap, Inner};
use crate::layout::{Geometry, PAGE_BYTES, PAGE_ENTRY_BYTES, SegmentHeader, header, process};
use crate::layout::{MAGIC, STRIPES, StripeLine, page, page_kind, process_flags, process_state};
use crate::memory::Memory;
use crate::options::SegmentOptions;
use crate::primitive::Ordering;
use crate::recovery;
use crate::sys::file::SegmentFile;
use crate::sys::mapping::Mapping;
use crate::sys::process::{self as system, Identity};
use crate::tx;

/// Bytes that are copied at a time; those that are all zero are left out.
const CHUNK: usize = 64 * 1024;
/// Who may read a snapshot: who made it.
const MODE: u32 = 0o600;

/// Writes a snapshot, in the place of a former one if there is one; its bytes.
pub(crate) fn save(heap: &Heap, path: &Path) -> Result<u64> {
    heap.outside_of_transactions("a snapshot")?;
    may_replace(path)?;
    let memory = &heap.0.memory;
    let target = SegmentFile::create_unnamed(path, MODE)?;
    let failed = |source| Error::Io { what: format!("write {}", path.display()), source };
    let image = heap.write(|tx| {
        // What is dead already need not be taken along.
        while tx::reap(&mut tx.journal, u32::MAX) {}
        memory.with_file("snapshot", |source| Ok(copy_all(source, &target)))?.map_err(failed)
    })?;
    publish(&target, image).map_err(failed)?;
    Ok(image.committed)
}

/// Whether a snapshot may be written under a path: nothing is there, or a snapshot.
fn may_replace(path: &Path) -> Result<()> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    let is_snapshot = SegmentFile::open(path, true)
        .and_then(|file| header_of(&file))
        .is_ok_and(|image| image.magic == MAGIC && image.snapshot != 0);
    if is_snapshot {
        return Ok(());
    }
    Err(Error::InvalidArgument {
        what: format!(
            "{} exists and is no snapshot, so it is not replaced: remove it or choose another path",
            path.display()
        ),
    })
}

fn header_of(file: &SegmentFile) -> io::Result<SegmentHeader> {
    let mut bytes = [0_u8; size_of::<SegmentHeader>()];
    file.read_start(&mut bytes)?;
    SegmentHeader::read_from_bytes(&bytes).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// Copies a segment's file, while nobody writes; its header.
fn copy_all(source: &SegmentFile, target: &SegmentFile) -> io::Result<SegmentHeader> {
    let image = header_of(source)?;
    for part in parts(source, &image)? {
        for_each_chunk(source, part, |at, bytes| target.write_at(at, bytes))?;
    }
    target.shorten(image.committed)?;
    // Anew: whoever came meanwhile, which needs no lock, has a slot among those copied.
    header_of(source)
}

/// Marks a copy as a snapshot and gives it its name.
fn publish(target: &SegmentFile, mut image: SegmentHeader) -> io::Result<()> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    image.snapshot = now.as_nanos() as u64 | 1;
    // Who wanted one of these meanwhile stepped back.
    image.stripes = [StripeLine::default(); STRIPES];
    // What is hashed is what is restored: some of the header changes without the lock.
    target.write_at(0, image.as_bytes())?;
    image.content = digest(target, &image)?;
    image.checksum = attach::checksum(&image);
    target.write_at(0, image.as_bytes())?;
    target.sync()?;
    target.replace()
}

/// The hash of all content but the constant words of the header.
fn digest(file: &SegmentFile, image: &SegmentHeader) -> io::Result<u64> {
    let mut hasher = SipHasher13::new();
    for part in parts(file, image)? {
        for_each_chunk(file, part, |at, bytes| {
            let skipped = (header::COMMITTED.saturating_sub(at) as usize).min(bytes.len());
            hasher.write_u64(at);
            hasher.write(bytes.get(skipped..).unwrap_or_default());
            Ok(())
        })?;
    }
    Ok(hasher.finish())
}

/// The parts of a file that mean anything.
fn parts(file: &SegmentFile, image: &SegmentHeader) -> io::Result<Vec<Range<u64>>> {
    let geometry = attach::geometry_of(image);
    let pages = image.committed.saturating_sub(geometry.data_at) / PAGE_BYTES;
    let mut parts = vec![
        0..geometry.logs_at,
        geometry.logs_at..geometry.log_at(image.thread_high.min(geometry.threads)),
        geometry.directory_at..geometry.directory_at + pages * PAGE_ENTRY_BYTES,
    ];
    let mut data = geometry.data_at..geometry.data_at;
    for page in 0..pages {
        if image.holes > 0 && is_hole(file, geometry.entry_at(page))? {
            parts.push(data);
            data = geometry.page_at(page + 1)..geometry.page_at(page + 1);
        } else {
            data.end += PAGE_BYTES;
        }
    }
    parts.push(data);
    parts.retain(|part| part.end > part.start);
    Ok(parts)
}

/// Whether a page's entry says that there is nothing.
fn is_hole(file: &SegmentFile, entry_at: u64) -> io::Result<bool> {
    let mut what = [0; 8];
    file.read_at(entry_at + page::WHAT, &mut what)?;
    Ok(u64::from_le_bytes(what) & 0xFF == page_kind::HOLE)
}

/// Calls `visit` with each piece of a part that is not all zero, and where it lies.
fn for_each_chunk(
    file: &SegmentFile,
    part: Range<u64>,
    mut visit: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    for at in part.clone().step_by(CHUNK) {
        let length = (part.end - at).min(CHUNK as u64) as usize;
        let Some(bytes) = buffer.get_mut(..length) else { break };
        file.read_at(at, bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            visit(at, bytes)?;
        }
    }
    Ok(())
}

/// Makes a segment of a snapshot, under a name that must be free.
pub(crate) fn restore(snapshot: &Path, place: &Place, options: &SegmentOptions) -> Result<Heap> {
    if options.readonly {
        return Err(Error::InvalidArgument {
            what: "a segment cannot be restored read-only: restore it, then attach with readonly"
                .to_owned(),
        });
    }
    let from = Place { name: snapshot.display().to_string(), path: snapshot.to_owned() };
    let source = SegmentFile::open(snapshot, true).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => Error::SnapshotNotFound { path: from.name.clone() },
        _ => from.refused("open", source),
    })?;
    let (image, geometry) = attach::read_header(&from, &source, false)?;
    if image.snapshot == 0 {
        return Err(from.mismatch("is a segment and no snapshot: attach to it"));
    }
    let pages = image.committed.wrapping_sub(geometry.data_at) / PAGE_BYTES;
    let length = source.len().map_err(|source| from.refused("size", source))?;
    if pages > geometry.pages()
        || image.committed != geometry.page_at(pages)
        || image.committed > length
    {
        let of = image.committed;
        return Err(damaged(&from, &format!("it has {length} bytes and its header says {of}")));
    }
    let content = digest(&source, &image).map_err(|source| from.refused("read", source))?;
    if content != image.content {
        return Err(damaged(&from, "its content is not what was written"));
    }
    if place.path.symlink_metadata().is_ok() && !attach::remove_if_abandoned(place)? {
        return Err(place.exists());
    }
    let heap = build(&source, &from, image, geometry, place, options)?;
    heap.0.memory.with_file("name", SegmentFile::publish).map_err(|error| match error {
        Error::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => place.exists(),
        other => other,
    })?;
    fork::register(&heap);
    Ok(heap)
}

/// A segment without a name that has a snapshot's content, and this process as its only one.
fn build(
    source: &SegmentFile,
    from: &Place,
    mut image: SegmentHeader,
    geometry: Geometry,
    place: &Place,
    options: &SegmentOptions,
) -> Result<Heap> {
    let file = SegmentFile::create_unnamed(&place.path, options.mode)?;
    let map = Mapping::new(file.as_file(), geometry.max_size, geometry.data_at, false)?;
    let memory = Memory::new(map, geometry, file, place.name.clone(), false, image.hash_key);
    let parts = parts(source, &image).map_err(|source| from.refused("read", source))?;
    memory.with_file("restore", |file| {
        for part in &parts {
            file.reserve(part.start, part.end - part.start)?;
        }
        // Holes may be its end.
        file.shorten(image.committed)
    })?;
    memory.with_file("restore", |file| {
        parts
            .into_iter()
            .try_for_each(|part| for_each_chunk(source, part, |at, bytes| file.write_at(at, bytes)))
    })?;
    let random = system::random_words::<2>()
        .map_err(|source| Error::Io { what: "read random bytes".to_owned(), source })?;
    let identity = Identity::of_this_process();
    image.snapshot = 0;
    image.content = 0;
    image.uuid = random;
    image.boot_id = system::boot_id();
    image.pid_namespace = identity.namespace;
    image.lifetime = options.lifetime_of_new() as u64;
    image.creator_pid = u64::from(identity.pid);
    image.creator_start = identity.start_time;
    image.checksum = attach::checksum(&image);
    // Who held the lock was the one who made the snapshot; who waits for anything is not here.
    image.lock_owner = 0;
    image.lock_waiters = 0;
    image.lock_next = 0;
    image.watched = 0;
    image.collecting = 0;
    image.retired = 0;
    for (index, chunk) in image.as_bytes().chunks_exact(8).enumerate() {
        let word = chunk.try_into().map_or(0, u64::from_le_bytes);
        memory.meta(index as u64 * 8)?.store(word, Ordering::Release);
    }
    bury_processes(&memory)?;
    let memory = attach::join(memory, options.lock_timeout)?;
    let heap = Heap(Arc::new(Inner::new(memory, options.lock_timeout)));
    attach::enter(&heap, true)?;
    recovery::reap_processes(&heap)?;
    let report = check::check(&heap)?;
    match report.findings.first() {
        None => Ok(heap),
        Some(first) => {
            let count = report.findings.len();
            Err(damaged(from, &format!("the check has {count} findings, first: {first}")))
        }
    }
}

fn damaged(from: &Place, what: &str) -> Error {
    let what = format!("the snapshot is damaged: {what}; use another one");
    Error::SegmentCorrupt { name: from.name.clone(), what }
}

/// No process of the former segment is in this one, whatever its id says.
fn bury_processes(memory: &Memory) -> Result<()> {
    for slot in memory.process_slots()? {
        let at = memory.geometry.process_at(slot);
        let state = memory.meta(at + process::STATE)?;
        if state.load(Ordering::Relaxed) & 0xFFFF_FFFF != process_state::FREE {
            // Live with no id and no lock on its byte: dead.
            state.store(process_state::LIVE, Ordering::Relaxed);
        }
        let flags = memory.meta(at + process::FLAGS)?;
        let kept = flags.load(Ordering::Relaxed) & !(process_flags::BY_ID | process_flags::CREATOR);
        flags.store(kept, Ordering::Relaxed);
    }
    Ok(())
}
