//! Dates, times of day, moments and spans, as Python's `datetime` has them.
//!
//! Years are 1 to 9999 of the Gregorian calendar; times are microseconds since midnight. An aware time
//! equals, and comes before, another one by its instant; a naive one by what it says; one is never
//! equal to the other.

use std::cmp::Ordering;

use super::zone::Zone;

/// Microseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000;
/// Most days of a span.
const MOST_DAYS: i64 = 999_999_999;

/// `datetime.date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        days_from_civil(i64::from(self.year), i64::from(self.month), i64::from(self.day))
    }

    pub(super) fn is_valid(self) -> bool {
        let leap = self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let length = match self.month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return false,
        };
        (1..=9999).contains(&self.year) && (1..=length).contains(&self.day)
    }

    /// As one number that is read as it is written: 20261129.
    pub(super) fn packed(self) -> i64 {
        i64::from(self.year) * 10_000 + i64::from(self.month) * 100 + i64::from(self.day)
    }

    pub(super) fn unpacked(packed: i64) -> Option<Self> {
        let date = Date {
            year: u16::try_from(packed / 10_000).ok()?,
            month: u8::try_from(packed / 100 % 100).ok()?,
            day: u8::try_from(packed % 100).ok()?,
        };
        date.is_valid().then_some(date)
    }
}

/// Days since 1970-01-01 of a day of the Gregorian calendar; months and days may be any in the range.
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// `datetime.time`.
#[derive(Clone, Debug)]
pub struct Time {
    /// Microseconds since midnight.
    pub micros: i64,
    /// The later of two equal local times.
    pub fold: bool,
    /// Where.
    pub zone: Option<Zone>,
}

impl Time {
    pub(super) fn is_valid(&self) -> bool {
        (0..DAY).contains(&self.micros) && self.zone.as_ref().is_none_or(Zone::is_valid)
    }

    /// Microseconds east of UTC, if that is known: the earlier one's, or its own.
    fn offset(&self, fold: bool) -> Option<i64> {
        let [earlier, later] = self.zone.as_ref()?.offsets()?;
        Some(if fold { later } else { earlier })
    }

    /// What equal times have in common: whether aware, and microseconds.
    pub(super) fn instant(&self) -> (bool, i64) {
        let offset = self.offset(false);
        (offset.is_some(), self.micros - offset.unwrap_or(0))
    }

    /// Whether they are equal.
    pub(super) fn equals(&self, other: &Self) -> bool {
        self.instant() == other.instant()
    }

    /// Which comes first; `None` if only one is aware.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        let (one, two) = (self.instant(), other.instant());
        (one.0 == two.0).then(|| one.1.cmp(&two.1))
    }
}

/// `datetime.datetime`.
#[derive(Clone, Debug)]
pub struct DateTime {
    /// The day.
    pub date: Date,
    /// The time of day, and where.
    pub time: Time,
}

impl DateTime {
    /// Microseconds since 1970, local.
    fn local(&self) -> i64 {
        self.date.days() * DAY + self.time.micros
    }

    /// Microseconds since 1970 in UTC, if it is aware.
    #[must_use]
    pub fn unix_micros(&self) -> Option<i64> {
        Some(self.local() - self.time.offset(self.time.fold)?)
    }

    /// What equal ones have in common: whether aware, and microseconds. As in Python, `fold` plays no
    /// part: of two moments that differ in it alone both are equal in their own zone.
    pub(super) fn instant(&self) -> (bool, i64) {
        let offset = self.time.offset(false);
        (offset.is_some(), self.local() - offset.unwrap_or(0))
    }

    /// Whether both are in one zone with rules of its own, where clocks are compared as they show.
    fn is_in_zone_of(&self, other: &Self) -> bool {
        match (&self.time.zone, &other.time.zone) {
            (Some(Zone::Named { key: one, .. }), Some(Zone::Named { key: two, .. })) => one == two,
            _ => false,
        }
    }

    /// Whether it happens once only: no change of clocks repeats it, or leaves it out.
    fn is_plain(&self) -> bool {
        self.time.offset(false) == self.time.offset(true)
    }

    /// Whether they are equal.
    pub(super) fn equals(&self, other: &Self) -> bool {
        if self.is_in_zone_of(other) {
            // Offsets too: they differ where the two were stored by other versions of the rules.
            return self.local() == other.local() && self.time.zone == other.time.zone;
        }
        self.is_plain() && other.is_plain() && self.instant() == other.instant()
    }

    /// Which comes first; `None` if only one is aware.
    pub(super) fn order(&self, other: &Self) -> Option<Ordering> {
        if self.is_in_zone_of(other) {
            return Some(self.local().cmp(&other.local()));
        }
        match (self.unix_micros(), other.unix_micros()) {
            (Some(one), Some(two)) => Some(one.cmp(&two)),
            (None, None) => Some(self.local().cmp(&other.local())),
            _ => None,
        }
    }
}

/// `datetime.timedelta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeDelta {
    /// Days, of either sign, at most 999999999.
    pub days: i64,
    /// Microseconds of a day.
    pub micros: i64,
}

impl TimeDelta {
    /// A span of so many days and microseconds, of any sign.
    #[must_use]
    pub fn new(days: i64, micros: i64) -> Self {
        let days = days.saturating_add(micros.div_euclid(DAY));
        TimeDelta { days, micros: micros.rem_euclid(DAY) }
    }

    pub(super) fn is_valid(self) -> bool {
        (-MOST_DAYS..=MOST_DAYS).contains(&self.days) && (0..DAY).contains(&self.micros)
    }
}

impl From<std::time::Duration> for TimeDelta {
    /// Without what is less than a microsecond; longer ones than Python has are refused when stored.
    fn from(span: std::time::Duration) -> Self {
        let days = i64::try_from(span.as_secs() / 86_400).unwrap_or(i64::MAX);
        TimeDelta { days, micros: (span.as_micros() % u128::from(DAY.unsigned_abs())) as i64 }
    }
}
