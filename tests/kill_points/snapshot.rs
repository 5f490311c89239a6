//! Copies of a segment in which everybody is dead, and what they recover to.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use shm::layout::{process, process_state, thread};
use shm::{Segment, SegmentOptions, Value};

use crate::operations::{self, Operation};

/// What the kernel leaves in the life word of a dead thread.
const DIED: u64 = 0x4000_0000;

/// A path in /dev/shm that nobody uses.
pub(crate) fn fresh_path(what: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    PathBuf::from(format!("/dev/shm/shm-kill-{}-{number}-{what}", std::process::id()))
}

/// Removes a file that may be gone already.
pub(crate) fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// The content before and after an operation that nobody disturbs.
pub(crate) fn expected(operation: &Operation) -> Result<[String; 2], String> {
    let path = fresh_path("expected");
    let states = || -> shm::Result<[String; 2]> {
        let options = operations::options(&path);
        let segment = Segment::create("", options)?;
        let subject = (operation.prepare)(&segment)?;
        let before = describe(&Value::Dict(segment.root()))?;
        (operation.step)(&segment, &subject)?;
        let after = describe(&Value::Dict(segment.root()))?;
        Ok([before, after])
    };
    let result = states().map_err(|error| format!("{}: {error}", operation.name));
    remove(&path);
    result
}

/// Recovers an image in which all participants died, and describes what it holds then.
pub(crate) fn recover(image: &[u8]) -> Result<String, String> {
    let path = fresh_path("image");
    write_dead(image, &path)?;
    let look = || -> shm::Result<(String, Vec<String>)> {
        let segment = Segment::attach("", SegmentOptions::new().path(&path))?;
        let content = describe(&Value::Dict(segment.root()))?;
        let mut findings = segment.check()?.findings;
        // Life goes on: the next operations of a survivor work as ever.
        segment.root().insert("survivor", vec![0_u8; 100])?;
        segment.root().remove("survivor")?;
        findings.extend(segment.check()?.findings);
        Ok((content, findings))
    };
    let result = look();
    remove(&path);
    let (content, findings) = result.map_err(|error| error.to_string())?;
    if findings.is_empty() { Ok(content) } else { Err(findings.join("; ")) }
}

/// Writes an image to a file, with all of its participants dead.
pub(crate) fn write_dead(image: &[u8], path: &Path) -> Result<(), String> {
    let mut image = image.to_vec();
    bury_participants(&mut image)?;
    std::fs::write(path, &image).map_err(|error| error.to_string())
}

/// What a survivor does first: attach, which recovers, and read.
pub(crate) fn attach_and_look(path: &Path) {
    if let Ok(segment) = Segment::attach("", SegmentOptions::new().path(path)) {
        let _ = segment.root().len();
        std::mem::forget(segment);
    }
}

/// Marks the life words as the kernel does, and makes the process ids mean nobody.
fn bury_participants(image: &mut [u8]) -> Result<(), String> {
    let geometry = operations::geometry();
    for slot in 0..geometry.threads {
        let at = geometry.thread_at(slot);
        let life = load(image, at + thread::LIFE)?;
        if life as u32 != 0 {
            store(image, at + thread::LIFE, (life & !0xFFFF_FFFF) | DIED)?;
        }
    }
    for slot in 0..geometry.processes {
        let at = geometry.process_at(slot);
        if load(image, at + process::STATE)? & 0xFFFF_FFFF != process_state::FREE {
            store(image, at + process::START_TIME, 1)?;
        }
    }
    Ok(())
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

/// A value in full, in words.
fn describe(value: &Value) -> shm::Result<String> {
    Ok(match value {
        Value::List(list) => {
            let items = list.to_vec()?;
            let parts: shm::Result<Vec<String>> = items.iter().map(describe).collect();
            format!("[{}]", parts?.join(", "))
        }
        Value::Dict(dict) => {
            let mut parts = Vec::new();
            for (key, value) in dict.to_vec()? {
                parts.push(format!("{}: {}", describe(&key)?, describe(&value)?));
            }
            format!("{{{}}}", parts.join(", "))
        }
        Value::Set(set) => {
            let items = set.to_vec()?;
            let parts: shm::Result<Vec<String>> = items.iter().map(describe).collect();
            format!("set({})", parts?.join(", "))
        }
        Value::ByteArray(bytes) => format!("bytearray({:?})", bytes.to_vec()?),
        Value::Tuple(items) => {
            let parts: shm::Result<Vec<String>> = items.iter().map(describe).collect();
            format!("({})", parts?.join(", "))
        }
        Value::Record(record) => {
            let fields = record.values()?;
            let parts: shm::Result<Vec<String>> = fields.iter().map(describe).collect();
            format!("{}({})", record.schema().name(), parts?.join(", "))
        }
        other => format!("{other:?}"),
    })
}
