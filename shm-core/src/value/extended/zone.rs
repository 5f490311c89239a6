//! What a time is counted from: a fixed offset from UTC, or a zone by its name.
//!
//! The rules of a named zone are not known here. Whoever stores a time in one stores the zone's offsets
//! at that time with it, before and after a change of clocks (`fold`), and these say which instant it is.

use super::moment::DAY;

/// `datetime.timezone` or `zoneinfo.ZoneInfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    /// `datetime.timezone`: microseconds east of UTC, and a name if it was given one.
    Fixed {
        /// Microseconds east of UTC, less than a day.
        offset: i64,
        /// Its name.
        name: Option<String>,
    },
    /// `zoneinfo.ZoneInfo`, and the offsets at the time that it is the zone of.
    Named {
        /// Its key, as in `"Europe/Berlin"`.
        key: String,
        /// The offsets; `None` of a zone by itself, and where the zone has none.
        offsets: Offsets,
    },
}

/// Microseconds east of UTC of the earlier and the later of two equal local times.
pub type Offsets = Option<[i64; 2]>;

fn is_offset(offset: i64) -> bool {
    -DAY < offset && offset < DAY
}

impl Zone {
    /// UTC.
    #[must_use]
    pub fn utc() -> Self {
        Zone::Fixed { offset: 0, name: None }
    }

    pub(super) fn is_valid(&self) -> bool {
        match self {
            Zone::Fixed { offset, .. } => is_offset(*offset),
            Zone::Named { key, offsets } => {
                !key.is_empty() && offsets.is_none_or(|both| both.into_iter().all(is_offset))
            }
        }
    }

    /// The offsets of a time that it is the zone of.
    pub(super) fn offsets(&self) -> Offsets {
        match self {
            Zone::Fixed { offset, .. } => Some([*offset, *offset]),
            Zone::Named { offsets, .. } => *offsets,
        }
    }
}
