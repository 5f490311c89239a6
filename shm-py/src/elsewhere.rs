//! Where a message is built that was taken from a segment without room for it.
//!
//! A message is gone from its queue before it is built, so there must be a place for it. All that need
//! one share a segment, which goes with the last of them; thousands may be held, and each segment is
//! a mapping and descriptors. It has a name, by which its handles can be unpickled in other processes, unless
//! the file system of named segments is what is full (Docker gives it 64 MB): then it is private.
//!
//! Not here: what lets nothing more be put into a full segment; that is its error, as ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use shm_core::{Error, Message, Segment, SegmentOptions, Value};

use crate::home::Home;

/// The ceiling of such a segment; when it is reached, there is another one.
const CEILING: u64 = 64 << 20;

/// The one in use, and the segment that was full.
struct Place {
    home: Weak<Home>,
    full: Weak<Home>,
}

/// Held for moments only, and never while the GIL is given away: a fork finds it free.
static LATEST: Mutex<Place> = Mutex::new(Place { home: Weak::new(), full: Weak::new() });

fn latest() -> MutexGuard<'static, Place> {
    LATEST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Builds a message, which has at most 4 KiB, in its own segment or elsewhere, and says where.
///
/// # Errors
/// `Io` if this process has no descriptors or mappings left.
pub(crate) fn build(message: &Message, home: &Arc<Home>) -> shm_core::Result<(Value, Arc<Home>)> {
    let (place, full) = {
        let latest = latest();
        (latest.home.upgrade(), std::ptr::eq(latest.full.as_ptr(), Arc::as_ptr(home)))
    };
    let heap = home.segment.heap();
    // It was full a message ago: not each of thousands is worth a look for garbage.
    let again = full && place.is_some();
    let built = if again { message.build_if_room(heap) } else { message.build(heap) };
    if let Ok(value) = built {
        return Ok((value, Arc::clone(home)));
    }
    if let Some(place) = place
        && let Ok(value) = message.build_if_room(place.segment.heap())
    {
        latest().full = Arc::downgrade(home);
        return Ok((value, place));
    }
    let options = || SegmentOptions::new().size(CEILING);
    let named = Segment::create_anonymous(options()).and_then(|made| build_in(made, message));
    let (value, place) = match named {
        Err(Error::SegmentFull { .. }) => build_in(Segment::create_private(options())?, message)?,
        other => other?,
    };
    *latest() = Place { home: Arc::downgrade(&place), full: Arc::downgrade(home) };
    Ok((value, place))
}

fn build_in(segment: Segment, message: &Message) -> shm_core::Result<(Value, Arc<Home>)> {
    let home = Home::new(segment, None)?;
    let value = message.build(home.segment.heap())?;
    Ok((value, home))
}
