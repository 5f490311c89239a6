//! A worker's desk: the handles that it works with, and the loop that it works in.

use std::path::Path;
use std::time::Duration;

use shm::{ByteArray, Dict, List, Segment, Set, Turn, Value};

use crate::board::Pen;
use crate::operations::OPERATIONS;

/// What is wrong: a violated invariant, in words, or an error of the library.
pub(crate) type Fault = Box<dyn std::error::Error>;
pub(crate) type Outcome = Result<(), Fault>;

/// A turn that does not come in this time is a violation.
pub(crate) const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

/// Whether something holds that must hold.
pub(crate) fn check(holds: bool, what: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(what().into()) }
}

pub(crate) struct Desk {
    pub(crate) segment: Segment,
    pub(crate) root: Dict,
    pub(crate) list: List,
    pub(crate) dict: Dict,
    pub(crate) pairs: List,
    pub(crate) swaps: List,
    pub(crate) mirror_dict: Dict,
    pub(crate) mirror_list: List,
    pub(crate) members: Set,
    pub(crate) uniform: Dict,
    pub(crate) scratch: List,
    pub(crate) bulk: List,
    pub(crate) nested: Dict,
    pub(crate) bytes: ByteArray,
    pub(crate) by_list: Turn,
    pub(crate) by_dict: Turn,
    pub(crate) by_mirror: Turn,
    /// The count of operations as last seen: it only grows.
    pub(crate) seen: i64,
}

impl Desk {
    pub(crate) fn of(segment: &Segment) -> Result<Self, Fault> {
        let root = segment.root();
        let object = |key: &str| -> Result<Value, Fault> {
            root.get(key)?.ok_or_else(|| format!("{key:?} is gone").into())
        };
        let list = |key: &str| -> Result<List, Fault> {
            object(key)?.as_list().cloned().ok_or_else(|| format!("{key:?} is no list").into())
        };
        let dict = |key: &str| -> Result<Dict, Fault> {
            object(key)?.as_dict().cloned().ok_or_else(|| format!("{key:?} is no dict").into())
        };
        Ok(Desk {
            list: list("list")?,
            dict: dict("dict")?,
            pairs: list("pairs")?,
            swaps: list("swaps")?,
            mirror_dict: dict("mirror dict")?,
            mirror_list: list("mirror list")?,
            members: object("members")?.as_set().cloned().ok_or("\"members\" is no set")?,
            uniform: dict("uniform")?,
            scratch: list("scratch")?,
            bulk: list("bulk")?,
            nested: dict("nested")?,
            bytes: object("bytes")?.as_bytearray().cloned().ok_or("\"bytes\" is no bytearray")?,
            by_list: segment.turn("list")?,
            by_dict: segment.turn("dict")?,
            by_mirror: segment.turn("mirror")?,
            seen: 0,
            root: root.clone(),
            segment: segment.clone(),
        })
    }
}

/// Works until it is killed, or until something is wrong: then it complains and returns.
pub(crate) fn work(segment: &Segment, board: &Path, page: usize) {
    let Ok(mut pen) = Pen::open(board, page) else { return };
    let fault = match Desk::of(segment) {
        Ok(mut desk) => loop {
            if let Err(fault) = step(&mut desk, &mut pen) {
                break fault;
            }
        },
        Err(fault) => fault,
    };
    pen.complain(&fault.to_string());
}

fn step(desk: &mut Desk, pen: &mut Pen) -> Outcome {
    let mut at = fastrand::u32(0..OPERATIONS.iter().map(|operation| operation.weight).sum());
    for operation in OPERATIONS {
        if at >= operation.weight {
            at -= operation.weight;
            continue;
        }
        pen.begin(operation.name)?;
        (operation.run)(desk).map_err(|fault| format!("{}: {fault}", operation.name))?;
        if operation.writes {
            pen.complete()?;
        }
        break;
    }
    // Workers leave the processors idle for most of the time: a killed process must be given one to
    // die, and with busy ones it is the scheduler's queue that would be measured.
    std::thread::sleep(Duration::from_micros(fastrand::u64(100..2000)));
    Ok(())
}
