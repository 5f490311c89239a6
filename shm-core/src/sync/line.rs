//! A line of waiters, first come first served, any of whom may be killed at any instruction.
//!
//! Resident. A ring of words, one per place in the line, in memory of its own. Places are numbered
//! for ever; a place lies at its number modulo the ring, whose highest three bits are moved to the end (so
//! that neighbours share no cache line), and its word says which lap it is for:
//!
//! ```text
//! bits 0-3    state        EMPTY -> OPEN -> HELD     nobody waited: the next one to come has it
//! bits 4-20   slot + 1     EMPTY -> WAITING (-> ASLEEP) -> HELD     it was handed over
//! bits 21-40  incarnation  WAITING, ASLEEP -> GONE (-> WAITING) -> VOID     gave up
//! bits 41-63  lap          HELD -> DIED     its holder was found dead
//!                          any -> EMPTY of the next lap     the line has moved on beyond it
//! ```
//!
//! Every change is one compare-exchange of one word, and each word names who has the place, so a
//! dead one can be judged by whoever waits behind it. Exactly one place is `HELD` or `OPEN` beyond
//! all that were passed. Who leaves hands the next place over *before* it frees its own: killed in
//! between, it has left. Who finds everybody before it dead, gone or passed takes the place over
//! itself; both ways change the same word, so one of them happens.
//!
//! There is no lock and no count. The places are filled without gaps: a place becomes non-empty
//! only after the one before it has. Who is dead, sleeping and waking are the caller's business.

use crate::primitive::{AtomicU64, Ordering};

const EMPTY: u64 = 0;
/// The state word of a fresh line's first place.
pub(crate) const OPEN: u64 = 1;
const WAITING: u64 = 2;
const ASLEEP: u64 = 3;
const HELD: u64 = 4;
const GONE: u64 = 5;
const VOID: u64 = 6;
const DIED: u64 = 7;

/// The logarithm of the words of a cache line.
const CACHE_LINE: u32 = 3;

const WHO_SHIFT: u32 = 4;
const WHO_MASK: u64 = (1 << 37) - 1;
const LAP_SHIFT: u32 = 41;

/// Who has a place: a thread slot and the low bits of its incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who(u64);

impl Who {
    /// Bits of the incarnation that are kept.
    pub(crate) const INCARNATION: u64 = (1 << 20) - 1;

    pub(crate) fn new(slot: u64, incarnation: u64) -> Self {
        Who(((slot + 1) & 0x1_FFFF) | ((incarnation & Self::INCARNATION) << 17))
    }

    /// The slot, unless the word names nobody.
    pub(crate) fn slot(self) -> Option<u64> {
        (self.0 & 0x1_FFFF).checked_sub(1)
    }

    pub(crate) fn incarnation(self) -> u64 {
        self.0 >> 17
    }
}

/// How a place was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// At the head: nobody was there.
    Held(u64),
    /// Behind others.
    Waiting(u64),
    /// No place: the line is as long as its ring, or (for `try_enter`) this one is the last in it.
    Not(Option<Who>),
}

/// Where a waiter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Somebody alive is before it.
    Wait(Option<Who>),
    /// At the head; whether the holder before it died.
    Held(bool),
}

/// What became of a place that is left.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left<'m> {
    /// It was not this one's, or not at the head.
    NotMine,
    /// Handed over, or free.
    Quietly,
    /// Handed over to one who sleeps on this word.
    Wake(&'m AtomicU64),
}

/// Handle. A line in mapped words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'m> {
    places: &'m [AtomicU64],
    first: &'m AtomicU64,
    len: u64,
    /// The logarithm of `len`: laps and places are counted at each step, and a division takes long.
    shift: u32,
    /// The logarithm of how many words neighbours lie apart.
    apart: u32,
}

fn state(word: u64) -> u64 {
    word & 0xF
}

fn who(word: u64) -> Who {
    Who((word >> WHO_SHIFT) & WHO_MASK)
}

fn swap(place: &AtomicU64, from: u64, to: u64) -> bool {
    // AcqRel: what the one before did is seen, what this one did is published.
    place.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

impl<'m> Line<'m> {
    /// A line in a ring of words; their number is a power of two.
    pub(crate) fn new(places: &'m [AtomicU64]) -> Option<Self> {
        let first = places.first()?;
        let (len, shift) = (places.len() as u64, places.len().trailing_zeros());
        let apart = if shift > CACHE_LINE { CACHE_LINE } else { 0 };
        places.len().is_power_of_two().then_some(Line { places, first, len, shift, apart })
    }

    /// The word of a place. Neighbours lie in cache lines of their own: who waits looks at one all the time
    /// while the others come, leave and are handed over.
    #[inline]
    pub(crate) fn at(&self, place: u64) -> &'m AtomicU64 {
        let mask = self.len - 1;
        let number = place & mask;
        let index = ((number << self.apart) | (number >> (self.shift - self.apart))) & mask;
        self.places.get(index as usize).unwrap_or(self.first)
    }

    #[inline]
    fn word(&self, place: u64, who: Who, state: u64) -> u64 {
        ((place >> self.shift) << LAP_SHIFT) | (who.0 << WHO_SHIFT) | state
    }

    fn empty(&self, place: u64) -> u64 {
        self.word(place, Who(0), EMPTY)
    }

    /// How many laps the word that lies there is ahead of the place.
    #[inline]
    fn lead(&self, word: u64, place: u64) -> i64 {
        let lap = (word >> LAP_SHIFT).wrapping_sub(place >> self.shift);
        ((lap << LAP_SHIFT) as i64) >> LAP_SHIFT
    }

    /// Takes the next place. `hint` is any place that was ever taken, or 0; the nearer to the end
    /// of the line, the faster.
    #[inline]
    pub(crate) fn enter(&self, hint: u64, me: Who) -> Entered {
        // The usual case: the one who left last comes again, and nobody came since.
        let next = hint.wrapping_add(1);
        let (at, open) = (self.at(next), self.word(next, Who(0), OPEN));
        if at.load(Ordering::Relaxed) == open && swap(at, open, self.word(next, me, HELD)) {
            return Entered::Held(next);
        }
        self.go_in(hint, me, true)
    }

    /// Takes the next place if it is at the head, else says who is last in the line.
    pub(crate) fn try_enter(&self, hint: u64, me: Who) -> Entered {
        self.go_in(hint, me, false)
    }

    fn go_in(&self, hint: u64, me: Who, patient: bool) -> Entered {
        let mut place = hint;
        // Bounded, whatever the words hold: others can move the end only so often meanwhile.
        for _ in 0..self.len * 8 {
            let at = self.at(place);
            let word = at.load(Ordering::Acquire);
            let lead = self.lead(word, place);
            if lead > 0 {
                place = place.wrapping_add((lead as u64 - 1) * self.len + 1);
                continue;
            }
            if lead < 0 {
                if self.is_passed(place) {
                    swap(at, word, self.empty(place));
                    continue;
                }
                return match self.revive(place, me) {
                    Some(revived) if patient => Entered::Waiting(revived),
                    _ => Entered::Not(self.last(place)),
                };
            }
            match state(word) {
                OPEN => {
                    if swap(at, word, self.word(place, me, HELD)) {
                        return Entered::Held(place);
                    }
                }
                EMPTY if !patient => return Entered::Not(self.last(place)),
                EMPTY => {
                    if let Some(revived) = self.revive(place, me) {
                        return Entered::Waiting(revived);
                    }
                    if swap(at, word, self.word(place, me, WAITING)) {
                        return Entered::Waiting(place);
                    }
                }
                _ => place = place.wrapping_add(1),
            }
        }
        Entered::Not(None)
    }

    /// Who is in the place before.
    fn last(&self, place: u64) -> Option<Who> {
        let before = place.checked_sub(1)?;
        let word = self.at(before).load(Ordering::Acquire);
        let taken = self.lead(word, before) == 0 && matches!(state(word), WAITING | ASLEEP | HELD);
        taken.then(|| who(word))
    }

    /// Takes the place before over from one who gave up: without that, a thread that tries again
    /// and again would fill the ring. Nobody waits behind it who has looked past it (that voids it).
    fn revive(&self, place: u64, me: Who) -> Option<u64> {
        let before = place.checked_sub(1)?;
        let at = self.at(before);
        let word = at.load(Ordering::Acquire);
        let gone = self.lead(word, before) == 0 && state(word) == GONE;
        (gone && swap(at, word, self.word(before, me, WAITING))).then_some(before)
    }

    /// Whether the line has moved on beyond what lies at this place from the lap before.
    fn is_passed(&self, place: u64) -> bool {
        let Some(old) = place.checked_sub(self.len) else { return true };
        (old + 1..place).any(|later| {
            let word = self.at(later).load(Ordering::Acquire);
            let lead = self.lead(word, later);
            lead > 0 || (lead == 0 && state(word) == HELD)
        })
    }

    /// Whether the place is at the head by now.
    #[inline]
    pub(crate) fn is_held(&self, place: u64, me: Who) -> bool {
        // Acquire: pairs with the hand-over in `leave`.
        self.at(place).load(Ordering::Acquire) == self.word(place, me, HELD)
    }

    /// Whether the one in the place before is at the head.
    pub(crate) fn is_next(&self, place: u64) -> bool {
        let Some(before) = place.checked_sub(1) else { return false };
        let word = self.at(before).load(Ordering::Relaxed);
        self.lead(word, before) == 0 && state(word) == HELD
    }

    /// Marks a waiter as sleeping, so that it is woken: the word to sleep on, and its value. `None`
    /// if it is its turn.
    pub(crate) fn doze(&self, place: u64, me: Who) -> Option<(&'m AtomicU64, u64)> {
        let at = self.at(place);
        let asleep = self.word(place, me, ASLEEP);
        let waiting = self.word(place, me, WAITING);
        (at.load(Ordering::Acquire) == asleep || swap(at, waiting, asleep)).then_some((at, asleep))
    }

    /// Looks at everybody before a waiter; takes the place over if none of them lives.
    ///
    /// # Errors
    /// Whatever `dead` returns.
    pub(crate) fn judge<E>(
        &self,
        place: u64,
        me: Who,
        mut dead: impl FnMut(Who) -> Result<bool, E>,
    ) -> Result<Verdict, E> {
        let mut died = false;
        let mut before = place;
        // One more than the ring holds would be this place again.
        for _ in 0..self.len * 2 {
            if before == 0 || place - before == self.len - 1 {
                break;
            }
            before -= 1;
            let at = self.at(before);
            let word = at.load(Ordering::Acquire);
            let lead = self.lead(word, before);
            if lead > 0 {
                break;
            }
            let (verdict, instead) = match state(word) {
                _ if lead < 0 => return Ok(Verdict::Wait(None)),
                VOID => continue,
                DIED => {
                    died = true;
                    break;
                }
                GONE => (false, VOID),
                HELD => (!dead(who(word))?, DIED),
                WAITING | ASLEEP => (!dead(who(word))?, VOID),
                _ => return Ok(Verdict::Wait(None)),
            };
            if verdict {
                return Ok(Verdict::Wait(Some(who(word))));
            }
            let changed = swap(at, word, self.word(before, who(word), instead));
            if !changed {
                // Something happened there: look again.
                before += 1;
            } else if instead == DIED {
                died = true;
                break;
            }
        }
        let at = self.at(place);
        let held = self.word(place, me, HELD);
        for waiting in [WAITING, ASLEEP] {
            swap(at, self.word(place, me, waiting), held);
        }
        // If neither was there, it was handed over meanwhile.
        Ok(if self.is_held(place, me) { Verdict::Held(died) } else { Verdict::Wait(None) })
    }

    /// Gives a waiting place up. `false` if it was handed over meanwhile: then it is to be left.
    pub(crate) fn withdraw(&self, place: u64, me: Who) -> bool {
        let at = self.at(place);
        let gone = self.word(place, me, GONE);
        swap(at, self.word(place, me, WAITING), gone)
            || swap(at, self.word(place, me, ASLEEP), gone)
            || at.load(Ordering::Acquire) != self.word(place, me, HELD)
    }

    /// Hands the head of the line to the next one.
    #[inline]
    pub(crate) fn leave(&self, mine: u64, me: Who) -> Left<'m> {
        let own = self.at(mine);
        let held = self.word(mine, me, HELD);
        if own.load(Ordering::Relaxed) != held {
            return Left::NotMine;
        }
        let mut wake = Left::Quietly;
        let mut place = mine.wrapping_add(1);
        for _ in 0..self.len * 4 {
            if place.wrapping_sub(mine) == self.len {
                // Everybody else was passed over: the next place lies where this one does.
                swap(own, held, self.word(place, Who(0), OPEN));
                return Left::Quietly;
            }
            let at = self.at(place);
            let word = at.load(Ordering::Acquire);
            let lead = self.lead(word, place);
            if lead < 0 {
                // From the lap before, so behind the holder: a leaver killed on its way out.
                swap(at, word, self.empty(place));
                continue;
            }
            if lead > 0 {
                break;
            }
            match state(word) {
                EMPTY => {
                    if swap(at, word, self.word(place, Who(0), OPEN)) {
                        break;
                    }
                }
                WAITING | ASLEEP => {
                    if swap(at, word, self.word(place, who(word), HELD)) {
                        if state(word) == ASLEEP {
                            wake = Left::Wake(at);
                        }
                        break;
                    }
                }
                GONE | VOID | DIED => {
                    if swap(at, word, self.empty(place.wrapping_add(self.len))) {
                        place = place.wrapping_add(1);
                    }
                }
                _ => break,
            }
        }
        swap(own, held, self.empty(mine.wrapping_add(self.len)));
        wake
    }

    /// A place that was taken, near to the end of the line.
    pub(crate) fn end(&self, hint: u64) -> u64 {
        let mut place = hint;
        for _ in 0..self.len * 4 {
            let word = self.at(place).load(Ordering::Acquire);
            let lead = self.lead(word, place);
            if lead > 0 {
                place = place.wrapping_add((lead as u64 - 1) * self.len + 1);
            } else if lead < 0 || matches!(state(word), EMPTY | OPEN) {
                break;
            } else {
                place = place.wrapping_add(1);
            }
        }
        place
    }

    /// The place at the head and who has it; `None` while nobody does.
    pub(crate) fn holder(&self, hint: u64) -> Option<(u64, Who)> {
        let end = self.end(hint);
        let start = end.saturating_sub(self.len);
        (start..end).rev().find_map(|place| {
            let word = self.at(place).load(Ordering::Acquire);
            (self.lead(word, place) == 0 && state(word) == HELD).then(|| (place, who(word)))
        })
    }

    /// Whether nobody is in the line.
    #[inline]
    pub(crate) fn is_idle(&self, hint: u64) -> bool {
        let end = self.end(hint);
        let word = self.at(end).load(Ordering::Relaxed);
        self.lead(word, end) == 0 && state(word) == OPEN
    }
}
