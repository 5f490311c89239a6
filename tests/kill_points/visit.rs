//! A visit: a second process works on the segment while the first is stopped, alive, at an instruction.
//!
//! What it finds must be whole, or it is told whom it waits for; and the first one, which goes on
//! between two visits, must come to what it would have come to alone.

use std::path::Path;
use std::time::Duration;

use shm::{Error, List, Segment, SegmentOptions};

use crate::corpse;
use crate::describe;
use crate::operation::Operation;
use crate::tracer::{self, Child};
use crate::walk::{self, Tally};

/// What the visitor puts into the root.
const KEY: &str = "visitor";
/// Lists that it changes: there are some on every stripe of the writer lock.
const LISTS: usize = 64;
/// So many visits at first, then one in so many.
const OFTEN: u64 = 400;
const SELDOM: u64 = 32;

/// The second process: this one.
struct Visitor {
    segment: Segment,
    lists: Vec<List>,
    number: i64,
}

impl Visitor {
    fn new(path: &Path) -> shm::Result<Self> {
        let options = SegmentOptions::new().path(path).lock_timeout(Duration::ZERO);
        let segment = Segment::attach("", options)?;
        let lists = (0..LISTS).map(|_| segment.list_of([0])).collect::<shm::Result<_>>()?;
        Ok(Visitor { segment, lists, number: 0 })
    }

    /// Looks at everything and changes something, with short operations and with whole ones; how often it
    /// was told to wait.
    fn visit(&mut self, child: &Child) -> Result<u64, String> {
        self.number += 1;
        let number = self.number;
        let Visitor { segment, lists, .. } = self;
        let mut waits = 0;
        let mut done = |what: &str, result: shm::Result<()>| match result {
            Ok(()) => Ok(()),
            // A process on its way out has given its slot back, and its name with it.
            Err(Error::LockTimeout { holder_pid: pid, .. })
                if pid == child.thread_id() || pid == 0 =>
            {
                waits += 1;
                Ok(())
            }
            Err(error) => Err(format!("a visitor cannot {what}: {error}")),
        };
        let check = || match segment.check()?.findings {
            findings if findings.is_empty() => Ok(()),
            findings => Err(Error::InvalidArgument { what: findings.join("; ") }),
        };
        done("find it sound", check())?;
        done("change the root", segment.root().insert(KEY, number).map(drop))?;
        for list in lists {
            done("change a list", list.set(0, number))?;
        }
        Ok(waits)
    }

    /// What everything has come to, but for what the visitor put there. The first process is dead.
    fn leave(self) -> shm::Result<String> {
        self.segment.root().remove(KEY)?;
        let report = self.segment.check()?;
        let found = describe::root(&self.segment)?;
        Ok(if report.is_sound() { found } else { report.findings.join("; ") })
    }
}

/// Stops an operation after each of its instructions that may store, and lets a visitor work there; how many
/// visits, as states, and how many of its operations had to wait, as those before.
///
/// # Errors
/// In words, after which instruction what went wrong.
pub(crate) fn visited(operation: &Operation) -> Result<Tally, String> {
    let [_, after] = walk::expected(operation)?;
    let path = corpse::fresh_path("visited");
    let mut visitor = None;
    let mut tally = Tally::default();
    let outcome = tracer::single_step(
        &path,
        || walk::step(operation, &path),
        &mut |instruction, image, child| {
            if image.is_none() {
                return Ok(());
            }
            let words = |error: Error| format!("a visitor cannot come: {error}");
            let visitor = match &mut visitor {
                Some(visitor) => visitor,
                None => visitor.insert(Visitor::new(&path).map_err(words)?),
            };
            tally.states += 1;
            if tally.states > OFTEN && !tally.states.is_multiple_of(SELDOM) {
                return Ok(());
            }
            tally.before += visitor
                .visit(child)
                .map_err(|error| format!("stopped after instruction {instruction}: {error}"))?;
            Ok(())
        },
    );
    let found =
        visitor.map_or(Ok(after.clone()), Visitor::leave).map_err(|error| error.to_string());
    corpse::remove(&path);
    tally.instructions = outcome?;
    let found = found?;
    if found == after {
        return Ok(tally);
    }
    Err(format!("comes to\n  {found}\nwhen visited, alone to\n  {after}"))
}
