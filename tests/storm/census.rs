//! What must hold when nobody is at work: every invariant, and nothing lost or left behind.

use std::collections::BTreeSet;

use shm::{Report, Segment};

use crate::desk::{Desk, Fault, check};
use crate::ledger::{self, Account, RECORDS, TOKENS};
use crate::operations::{audit, finish_intent};

/// The messages in circulation.
pub(crate) struct Tokens {
    numbers: BTreeSet<i64>,
    next: i64,
    /// How many are known to have died with a worker that had taken them.
    pub(crate) lost: usize,
}

impl Tokens {
    /// Puts the first ones in.
    pub(crate) fn issue(segment: &Segment) -> shm::Result<Self> {
        ledger::put_tokens(segment, 0..TOKENS)?;
        Ok(Tokens { numbers: (0..TOKENS).collect(), next: TOKENS, lost: 0 })
    }

    /// Takes all messages out. At most `takers` may be missing: so many workers were killed while
    /// they relayed one. Puts as many new ones in.
    fn recount(&mut self, segment: &Segment, takers: usize) -> Result<(), Fault> {
        let found = ledger::drain_tokens(segment)?;
        let strange: Vec<&i64> = found.difference(&self.numbers).collect();
        check(strange.is_empty(), || format!("nobody put the messages {strange:?}"))?;
        let missing: Vec<&i64> = self.numbers.difference(&found).collect();
        check(missing.len() <= takers, || {
            format!("messages {missing:?} are lost; {takers} were killed relaying one")
        })?;
        self.lost += missing.len();
        let fresh = self.next..self.next + missing.len() as i64;
        self.next = fresh.end;
        self.numbers = found.into_iter().chain(fresh).collect();
        ledger::put_tokens(segment, self.numbers.iter().copied())?;
        Ok(())
    }
}

/// Everything that must hold at rest; `takers` workers were killed while they relayed a message.
pub(crate) fn take(segment: &Segment, tokens: &mut Tokens, takers: usize) -> Result<Report, Fault> {
    segment.reap()?;
    {
        let mut desk = Desk::of(segment)?;
        finish_intent(&desk)?;
        audit(&mut desk)?;
        for number in 0..RECORDS {
            let key = ledger::account_key(number);
            let record = desk.root.get_as::<Account>(&key)?.ok_or("a record is gone")?;
            ledger::check_account(&record.load()?)?;
        }
        tokens.recount(segment, takers)?;
    }
    // Without handles of ours: what is allocated is what the roots reach.
    let report = segment.check()?;
    check(report.is_sound(), || report.findings.join("; "))?;
    check(report.garbage == 0, || format!("{} objects are left behind", report.garbage))?;
    Ok(report)
}
