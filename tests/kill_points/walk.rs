//! A walk: an operation, killed after each of its instructions; and its recovery, killed likewise.

use std::path::Path;

use crate::corpse;
use crate::operation::Operation;
use crate::tracer;

/// What walks came to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Instructions, each of them a kill.
    pub(crate) instructions: u64,
    /// Times that the segment was not what it was one instruction before.
    pub(crate) states: u64,
    /// States that recovered to the content before the operation.
    pub(crate) before: u64,
    /// States that recovered to the content after it.
    pub(crate) after: u64,
}

impl Tally {
    /// Adds another walk's.
    pub(crate) fn add(&mut self, other: Tally) {
        self.instructions += other.instructions;
        self.states += other.states;
        self.before += other.before;
        self.after += other.after;
    }
}

/// The content before and after an operation that nobody disturbs.
pub(crate) fn expected(operation: &Operation) -> Result<[String; 2], String> {
    let path = corpse::fresh_path("expected");
    let states = || -> shm::Result<[String; 2]> {
        let subject = (operation.prepare)(&path)?;
        let before = corpse::content(&path)?;
        let refused = (operation.step)(&path, &subject).is_err();
        let after = corpse::content(&path)?;
        assert!(!refused || before == after, "{}: refused, but not without effect", operation.name);
        Ok([before, after])
    };
    let result = states().map_err(|error| error.to_string());
    corpse::remove(&path);
    result
}

/// Sets an operation up in the child; its step.
pub(crate) fn step<'o>(operation: &'o Operation, path: &'o Path) -> impl FnOnce() + use<'o> {
    let subject = (operation.prepare)(path);
    move || {
        // A failed set-up runs no step, which shows as a walk that saw no change.
        if let Ok(subject) = &subject {
            let _ = (operation.step)(path, subject);
        }
        std::mem::forget(subject);
    }
}

/// Steps through an operation; `look` gets each new state, as a kill there leaves it (`None`: no
/// segment under that name). How many instructions the operation has.
fn for_each_state(
    operation: &Operation,
    mut look: impl FnMut(u64, Option<Vec<u8>>) -> Result<(), String>,
) -> Result<u64, String> {
    let path = corpse::fresh_path("live");
    // `None` before the first look; the file is absent while there is no segment.
    let mut last: Option<Option<Vec<u8>>> = None;
    let outcome =
        tracer::single_step(&path, || step(operation, &path), &mut |instruction, image, child| {
            if last.as_ref().is_some_and(|last| last.as_deref() == image) {
                return Ok(());
            }
            let before = last.replace(image.map(<[u8]>::to_vec)).flatten();
            // The first look sees what the set-up left: nothing in it is new.
            let before = before.as_deref().or(image).unwrap_or_default();
            let corpse = image.map(|image| corpse::of(image, before, child)).transpose();
            let at = |error| format!("killed after instruction {instruction}: {error}");
            look(instruction, corpse.map_err(at)?).map_err(at)
        });
    corpse::remove(&path);
    outcome
}

/// Kills an operation after each of its instructions; looks at one in `stride` of the states that this
/// leaves, and at the last one.
///
/// # Errors
/// In words, which instruction leaves what.
pub(crate) fn operation(operation: &Operation, stride: u64) -> Result<Tally, String> {
    let [before, after] = expected(operation)?;
    let mut tally = Tally::default();
    let mut judge = |image: Option<Vec<u8>>| {
        tally.states += 1;
        let found = corpse::recover(image.as_deref(), operation)?;
        if found == before {
            tally.before += 1;
            Ok(())
        } else if found == after {
            tally.after += 1;
            Ok(())
        } else if operation.between == Some(found.as_str()) {
            Ok(())
        } else {
            Err(format!("recovers to\n  {found}\nneither before\n  {before}\nnor after\n  {after}"))
        }
    };
    // The instructions that left the states that were looked at.
    let (mut covered, mut count) = (0, 0);
    // Where the last state began, and the state, if it was passed over.
    let (mut since, mut passed) = (1, None);
    let instructions = for_each_state(operation, |instruction, image| {
        covered += if passed.is_none() { instruction - since } else { 0 };
        (since, passed) = (instruction, None);
        count += 1;
        if count % stride == 1 % stride {
            return judge(image);
        }
        passed = Some(image);
        Ok(())
    })?;
    if let Some(image) = passed {
        judge(image).map_err(|error| format!("killed after instruction {since}: {error}"))?;
    }
    tally.instructions = covered + instructions + 1 - since;
    // Where the content changes, the walk must have seen it change.
    if before != after && (tally.before == 0 || tally.after == 0) {
        return Err(format!(
            "saw {} states before and {} after: the walk missed the operation",
            tally.before, tally.after
        ));
    }
    Ok(tally)
}

/// Most states that are kept while a walk goes on.
const KEPT: usize = 16;

/// Kills the recovery of up to `most` of an operation's states, evenly spread, after each of its
/// instructions.
///
/// # Errors
/// In words, which instruction of the recovery of which state leaves what.
pub(crate) fn recoveries(operation: &Operation, most: usize) -> Result<Tally, String> {
    let expected = expected(operation)?;
    let mut states = Vec::new();
    // Of hundreds of states of megabytes each only some are kept: one of ever more, evenly spread.
    let (mut seen, mut apart) = (0_usize, 1);
    for_each_state(operation, |instruction, image| {
        if seen.is_multiple_of(apart) {
            states.extend(image.map(|image| (instruction, image)));
        }
        seen += 1;
        if states.len() > KEPT {
            let mut index = 0_usize;
            states.retain(|_| {
                index += 1;
                !index.is_multiple_of(2)
            });
            apart *= 2;
        }
        Ok(())
    })?;
    let stride = states.len().div_ceil(most).max(1);
    let mut tally = Tally::default();
    for (instruction, image) in states.iter().skip(stride / 2).step_by(stride) {
        let one = recovery(operation, image, &expected)
            .map_err(|error| format!("killed after instruction {instruction}, then {error}"))?;
        tally.add(one);
    }
    Ok(tally)
}

/// Kills the recovery of one state after each of its instructions.
fn recovery(operation: &Operation, image: &[u8], expected: &[String]) -> Result<Tally, String> {
    let path = corpse::fresh_path("nested");
    corpse::write_whole(image, &path)?;
    let mut tally = Tally::default();
    let mut last = image.to_vec();
    let outcome = tracer::single_step(
        &path,
        || || corpse::attach_and_look(&path),
        &mut |instruction, image, child| {
            let image = image.ok_or("the recoverer removed the segment")?;
            if last == image {
                return Ok(());
            }
            tally.states += 1;
            let at = |error| format!("the recoverer after {instruction}: {error}");
            let corpse = corpse::of(image, &last, child).map_err(at)?;
            last.clear();
            last.extend_from_slice(image);
            let found = corpse::recover(Some(&corpse), operation).map_err(at)?;
            if expected.contains(&found) || operation.between == Some(found.as_str()) {
                Ok(())
            } else {
                Err(at(format!("recovers to {found}")))
            }
        },
    );
    corpse::remove(&path);
    outcome.map(|instructions| Tally { instructions, ..tally })
}
