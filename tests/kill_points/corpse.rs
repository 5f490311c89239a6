//! A copy of a segment whose participants all died at one instruction, and what it recovers to.

#![allow(unsafe_code, reason = "memory for an image")]

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use shm::layout::{PAGE_BYTES, STRIPES, StripeLine, header, page, page_kind};
use shm::layout::{process, process_state, thread};
use shm::{Error, Segment, SegmentOptions};

use crate::describe;
use crate::operation::{self, Operation};
use crate::tracer::Child;

/// What the kernel leaves in the life word of a dead thread.
const DIED: u64 = 0x4000_0000;
/// What it keeps of it.
const WAITERS: u64 = 0x8000_0000;
/// What the description says when there is no segment (any more).
pub(crate) const ABSENT: &str = "no segment";

/// A folder for images: to anybody who looks in /dev/shm itself, they are abandoned segments.
const FOLDER: &str = "/dev/shm/shm-kill-points";

/// A path in shared memory that nobody uses.
pub(crate) fn fresh_path(what: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::fs::create_dir_all(FOLDER).expect("a folder in /dev/shm");
    PathBuf::from(format!("{FOLDER}/{}-{number}-{what}", std::process::id()))
}

/// Removes the folder if no other run uses it.
pub(crate) fn clean_up() {
    let _ = std::fs::remove_dir(FOLDER);
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// What the path holds, as any process that comes now sees it.
pub(crate) fn content(path: &Path) -> shm::Result<String> {
    match Segment::attach("", SegmentOptions::new().path(path)) {
        Ok(segment) => describe::root(&segment),
        Err(Error::SegmentNotFound { .. }) => Ok(ABSENT.to_owned()),
        Err(error) => Err(error),
    }
}

/// The image that the child leaves if it is killed now, one store after `last`: the kernel marks
/// the one word that the child named to it, and its process id means nobody any more.
///
/// # Errors
/// In words, if a thread that owns the lock or has just registered would not be noticed.
pub(crate) fn of(image: &[u8], last: &[u8], child: &Child) -> Result<Vec<u8>, String> {
    let mut image = image.to_vec();
    let geometry = operation::geometry();
    let thread_id = u64::from(child.thread_id());
    let pending = child.pending();
    let owners = holders(&image)?;
    for slot in 0..geometry.threads {
        let at = geometry.thread_at(slot);
        let claim = load(&image, at + thread::CLAIM)?;
        let life = load(&image, at + thread::LIFE)?;
        let incarnation = claim >> 32;
        if (claim >> 16) & 0xFFFF == 0 || life != (incarnation << 32) | thread_id {
            continue;
        }
        // A thread is noticed in one segment at a time, the one that it works in: so not always, but
        // while it owns the lock, and from the moment on in which it stores its id.
        let owns = owners.contains(&((incarnation << 32) | (slot + 1)));
        let is_new = load(last, at + thread::LIFE) != Ok(life);
        if (owns || is_new) && pending != Some(at + thread::LIFE) {
            return Err(format!(
                "the kernel was not told of the life word of thread slot {slot} ({}): its death \
                 would not be noticed",
                if owns { "it owns the lock" } else { "its id was just stored" }
            ));
        }
    }
    if let Some(at) = pending
        && let Ok(life) = load(&image, at)
        && life & 0x3FFF_FFFF == thread_id
    {
        store(&mut image, at, (life & !0xFFFF_FFFF) | (life & WAITERS) | DIED)?;
    }
    for slot in 0..geometry.processes {
        let at = geometry.process_at(slot);
        if load(&image, at + process::STATE)? & 0xFFFF_FFFF != process_state::FREE {
            store(&mut image, at + process::START_TIME, 1)?;
        }
    }
    Ok(image)
}

/// Writes an image to a file; what is zero becomes a hole.
pub(crate) fn write(image: &[u8], path: &Path) -> Result<(), String> {
    const BLOCK: usize = 4096;
    let write = || -> std::io::Result<()> {
        let file = File::create(path)?;
        file.set_len(image.len() as u64)?;
        for (number, block) in image.chunks(BLOCK).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                file.write_all_at(block, (number * BLOCK) as u64)?;
            }
        }
        Ok(())
    };
    write().map_err(|error| error.to_string())
}

/// The same, with memory behind all pages that are no holes, as a segment has it.
pub(crate) fn write_whole(image: &[u8], path: &Path) -> Result<(), String> {
    write(image, path)?;
    let file = File::options().write(true).open(path).map_err(|error| error.to_string())?;
    let geometry = operation::geometry();
    let pages = load(image, header::COMMITTED)?.saturating_sub(geometry.data_at) / PAGE_BYTES;
    for number in 0..pages {
        if load(image, geometry.entry_at(number) + page::WHAT)? & 0xFF == page_kind::HOLE {
            continue;
        }
        let (at, bytes) = (geometry.page_at(number) as libc::off_t, PAGE_BYTES as libc::off_t);
        // SAFETY: the descriptor is open; the kernel checks the range.
        if unsafe { libc::posix_fallocate(file.as_raw_fd(), at, bytes) } != 0 {
            return Err("no memory for an image".to_owned());
        }
    }
    Ok(())
}

/// What a survivor does first: attach, which recovers, and read.
pub(crate) fn attach_and_look(path: &Path) {
    if let Ok(segment) = Segment::attach("", SegmentOptions::new().path(path)) {
        let _ = segment.root().len();
        std::mem::forget(segment);
    }
}

/// Recovers an image in which all participants died, and describes what it holds then.
///
/// # Errors
/// In words, if anything is wrong afterwards or a survivor cannot go on.
pub(crate) fn recover(image: Option<&[u8]>, operation: &Operation) -> Result<String, String> {
    let path = fresh_path("image");
    if let Some(image) = image {
        write(image, &path)?;
    }
    let found = look(&path, operation);
    let left = path.exists();
    remove(&path);
    match found {
        Ok(_) if left => Err("the survivor closed the segment, its name is still there".to_owned()),
        found => found,
    }
}

fn look(path: &Path, operation: &Operation) -> Result<String, String> {
    let words = |error: Error| error.to_string();
    let segment = match Segment::attach("", SegmentOptions::new().path(path)) {
        Ok(segment) => segment,
        Err(Error::SegmentNotFound { .. }) => {
            // Whatever is left of it, the name can be used again.
            Segment::create("", operation::options(path)).map_err(words)?;
            return Ok(ABSENT.to_owned());
        }
        Err(error) => return Err(words(error)),
    };
    let found = describe::root(&segment).map_err(words)?;
    if operation.damaged {
        let audit = segment.audit().map_err(words)?;
        if !audit.left.is_empty() {
            return Err(format!("a second audit does not mend it: {}", audit.left.join("; ")));
        }
    }
    sound(&segment, "after recovery")?;
    if holders(&std::fs::read(path).map_err(|error| error.to_string())?)? != [0; STRIPES + 1] {
        return Err("the writer lock or a stripe of it is held after recovery".to_owned());
    }
    let peers = segment.peers().map_err(words)?;
    if peers.len() != 1 {
        return Err(format!("dead processes keep their slots: {peers:?}"));
    }
    // Life goes on: the next operations of a survivor work as ever.
    let root = segment.root();
    match root.insert("survivor", vec![0_u8; 100]) {
        Ok(_) => root.remove("survivor").map(drop).map_err(words)?,
        // As good an answer as any.
        Err(Error::SegmentFull { .. }) => {}
        Err(error) => return Err(words(error)),
    }
    (operation.survivor)(&segment).map_err(|error| format!("a survivor cannot go on: {error}"))?;
    sound(&segment, "after a survivor's operations")?;
    Ok(found)
}

fn sound(segment: &Segment, when: &str) -> Result<(), String> {
    let report = segment.check().map_err(|error| error.to_string())?;
    if report.is_sound() { Ok(()) } else { Err(format!("{when}: {}", report.findings.join("; "))) }
}

/// Who has the writer lock, and its stripes.
fn holders(image: &[u8]) -> Result<[u64; STRIPES + 1], String> {
    let mut holders = [0; STRIPES + 1];
    let stripes = (header::STRIPES..).step_by(size_of::<StripeLine>());
    for (holder, at) in holders.iter_mut().zip([header::LOCK_OWNER].into_iter().chain(stripes)) {
        *holder = load(image, at)?;
    }
    Ok(holders)
}

fn load(image: &[u8], at: u64) -> Result<u64, String> {
    let at = at as usize;
    let bytes = image.get(at..at + 8).ok_or("the image is too short")?;
    Ok(u64::from_le_bytes(bytes.try_into().map_err(|_| "8 bytes")?))
}

fn store(image: &mut [u8], at: u64, value: u64) -> Result<(), String> {
    let at = at as usize;
    let bytes = image.get_mut(at..at + 8).ok_or("the image is too short")?;
    bytes.copy_from_slice(&value.to_le_bytes());
    Ok(())
}
