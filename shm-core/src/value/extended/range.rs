//! `range`: three integers.

use num_bigint::{BigInt, Sign};

use super::NUMBER_BITS;

/// `range`.
#[derive(Clone, Debug)]
pub struct Range {
    /// Its first number.
    pub start: BigInt,
    /// Where it ends.
    pub stop: BigInt,
    /// From one number to the next; not 0.
    pub step: BigInt,
}

impl Range {
    pub(super) fn is_valid(&self) -> bool {
        let parts = [&self.start, &self.stop, &self.step];
        self.step.sign() != Sign::NoSign && parts.iter().all(|part| part.bits() <= NUMBER_BITS)
    }

    /// How many numbers it has.
    #[must_use]
    pub fn length(&self) -> BigInt {
        let (from, to, step) = match self.step.sign() {
            Sign::Minus => (&self.stop, &self.start, -&self.step),
            Sign::NoSign => return 0.into(),
            Sign::Plus => (&self.start, &self.stop, self.step.clone()),
        };
        if from >= to { 0.into() } else { (to - from - 1_u32) / step + 1_u32 }
    }

    /// What equal ranges have in common: the length, of one that is not empty the first number, of a
    /// longer one the step.
    pub(super) fn essence(&self) -> (BigInt, Option<&BigInt>, Option<&BigInt>) {
        let length = self.length();
        let start = (length > 0.into()).then_some(&self.start);
        let step = (length > 1.into()).then_some(&self.step);
        (length, start, step)
    }
}
