//! What segments exist on this machine, and removal of those that only the dead hold.

use std::path::Path;

use crate::attach::{self, DIRECTORY, Place};
use crate::error::{Error, Result};
use crate::fork;
use crate::leave;
use crate::options::SegmentOptions;
use crate::peers::Peer;

/// One segment in /dev/shm, seen without attaching to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentInfo {
    /// The name.
    pub name: String,
    /// The ceiling in bytes.
    pub size: u64,
    /// Bytes taken for objects now.
    pub used: u64,
    /// The processes that attached, dead ones included that nobody has noticed yet.
    pub peers: Vec<Peer>,
}

/// Every segment in /dev/shm that this user may read and this build understands.
pub fn segments() -> Result<Vec<SegmentInfo>> {
    let mut found = Vec::new();
    for place in places()? {
        // Files of other programs, of other users and of other versions are not ours to list.
        if let Ok((peers, size, used)) = attach::look(&place) {
            found.push(SegmentInfo { name: place.name, size, used, peers });
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Removes the name of a segment; attached processes go on until they close.
///
/// # Errors
/// `SegmentNotFound`; `FormatMismatch` for a file that is no segment, which is left alone.
pub fn unlink(name: &str) -> Result<()> {
    unlink_place(&Place::new(Some(name), None)?)
}

/// As [`unlink`], of a segment that has a path instead of a name.
///
/// # Errors
/// As [`unlink`].
pub fn unlink_path(path: impl AsRef<Path>) -> Result<()> {
    unlink_place(&Place::new(None, Some(path.as_ref()))?)
}

fn unlink_place(place: &Place) -> Result<()> {
    let heap = attach::attach(place, &SegmentOptions::new())?;
    leave::unlink(&heap)?;
    leave::close(&heap)
}

/// Removes the segments whose lifetime has ended without anybody left to notice; their names.
pub fn prune() -> Result<Vec<String>> {
    let mut removed = Vec::new();
    for place in places()? {
        // One that cannot be judged or removed (no permission, corrupt) does not stop the others.
        if attach::remove_if_abandoned(&place).unwrap_or(false) {
            removed.push(place.name);
        }
    }
    Ok(removed)
}

/// Closes every attachment of this process: for language runtimes that end without dropping.
pub fn close_all() {
    for heap in fork::attachments() {
        // Whatever cannot be given back now goes with the process.
        let _ = leave::close(&heap);
    }
}

fn places() -> Result<Vec<Place>> {
    let directory = Path::new(DIRECTORY);
    let entries = std::fs::read_dir(directory)
        .map_err(|source| Error::Io { what: format!("list {DIRECTORY}"), source })?;
    let mut places = Vec::new();
    for entry in entries.flatten() {
        if let Some(name) = entry.file_name().to_str()
            && let Ok(place) = Place::new(Some(name), None)
        {
            places.push(place);
        }
    }
    Ok(places)
}
