//! What the storm's workers change, and what must hold of it whenever nobody is at work.

use std::time::{Duration, Instant};

use shm::{Dict, Error, List, Result, Segment, Value};

pub(crate) const ACCOUNTS: i64 = 64;
pub(crate) const NAMES: i64 = 32;
pub(crate) const PAIRS: i64 = 16;
pub(crate) const SWAPS: i64 = 40;
const EACH: i64 = 1000;

/// The ledger's entries in the root.
pub(crate) struct Ledger {
    pub(crate) list: List,
    pub(crate) dict: Dict,
    pub(crate) pairs: List,
    pub(crate) swaps: List,
    pub(crate) scratch: List,
    pub(crate) bulk: List,
    pub(crate) nested: Dict,
}

fn list(root: &Dict, key: &str) -> Result<List> {
    match root.get(key)? {
        Some(Value::List(list)) => Ok(list),
        other => Err(Error::KeyNotFound { what: format!("{key}: {other:?} is no list") }),
    }
}

fn dict(root: &Dict, key: &str) -> Result<Dict> {
    match root.get(key)? {
        Some(Value::Dict(dict)) => Ok(dict),
        other => Err(Error::KeyNotFound { what: format!("{key}: {other:?} is no dict") }),
    }
}

impl Ledger {
    pub(crate) fn of(segment: &Segment) -> Result<Self> {
        let root = segment.root();
        Ok(Ledger {
            list: list(&root, "list")?,
            dict: dict(&root, "dict")?,
            pairs: list(&root, "pairs")?,
            swaps: list(&root, "swaps")?,
            scratch: list(&root, "scratch")?,
            bulk: list(&root, "bulk")?,
            nested: dict(&root, "nested")?,
        })
    }
}

fn swap_text(number: i64) -> String {
    format!("a text that is moved about, number {number}")
}

pub(crate) fn prepare(segment: &Segment) -> Result<()> {
    let root = segment.root();
    root.set("list", segment.list((0..ACCOUNTS).map(|_| EACH))?)?;
    root.set("dict", segment.dict((0..NAMES).map(|n| (format!("account {n}"), EACH)))?)?;
    root.set("pairs", segment.list((0..PAIRS).map(|_| Value::from((EACH, EACH))))?)?;
    root.set("swaps", segment.list((0..SWAPS).map(swap_text))?)?;
    root.set("scratch", segment.list::<Value>([])?)?;
    root.set("bulk", segment.list::<Value>([])?)?;
    root.set("nested", segment.dict::<Value, Value>([])?)?;
    root.set("operations", 0)?;
    root.set("heavy", 0)
}

/// Waits until the others have written after a kill: the lock that the victim may have held is in
/// use again. More than one write, because the victim may finish one while it is being killed. (The
/// killer's own write would also take its turn among eight workers on two cores.)
pub(crate) fn wait_for_writes(segment: &Segment) -> Result<()> {
    let root = segment.root();
    let count = || Ok::<i64, Error>(root.get("operations")?.and_then(|n| n.as_int()).unwrap_or(0));
    let before = count()?;
    let deadline = Instant::now() + Duration::from_mins(1);
    while count()? < before + 3 {
        if Instant::now() > deadline {
            return Err(Error::KeyNotFound { what: "nobody writes any more".into() });
        }
        // Leaves the processor to those who are waited for.
        std::thread::sleep(Duration::from_micros(20));
    }
    Ok(())
}

/// A write of the killer's own.
pub(crate) fn probe(segment: &Segment, number: usize) -> Result<()> {
    segment.root().set("probe", format!("kill number {number} was noticed"))
}

/// Until the worker with much memory has filled it.
pub(crate) fn wait_for_heavy(segment: &Segment) -> Result<()> {
    let deadline = Instant::now() + Duration::from_mins(1);
    while segment.root().get("heavy")? != Some(Value::Int(1)) {
        if Instant::now() > deadline {
            return Err(Error::KeyNotFound { what: "the heavy worker did not start".into() });
        }
        std::thread::yield_now();
    }
    segment.root().set("heavy", 0)
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::KeyNotFound { what: what() }) }
}

fn sum(values: &[Value]) -> i64 {
    values.iter().filter_map(Value::as_int).sum()
}

pub(crate) fn verify(segment: &Segment) -> Result<()> {
    let ledger = Ledger::of(segment)?;
    let list = ledger.list.to_vec()?;
    require(list.len() as i64 == ACCOUNTS && sum(&list) == ACCOUNTS * EACH, || {
        format!("list sums to {}, not {}: {list:?}", sum(&list), ACCOUNTS * EACH)
    })?;
    let dict: Vec<Value> = ledger.dict.to_vec()?.into_iter().map(|(_, value)| value).collect();
    require(dict.len() as i64 == NAMES && sum(&dict) == NAMES * EACH, || {
        format!("dict sums to {}, not {}: {dict:?}", sum(&dict), NAMES * EACH)
    })?;
    for pair in ledger.pairs.to_vec()? {
        let Value::Tuple(pair) = pair else {
            return Err(Error::KeyNotFound { what: format!("{pair:?} is no pair") });
        };
        require(pair.len() == 2 && sum(&pair) == 2 * EACH, || format!("{pair:?} does not add up"))?;
    }
    let mut swaps: Vec<String> =
        ledger.swaps.to_vec()?.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect();
    swaps.sort();
    let mut expected: Vec<String> = (0..SWAPS).map(swap_text).collect();
    expected.sort();
    require(swaps == expected, || format!("swapped texts were lost: {swaps:?}"))?;
    let operations = segment.root().get("operations")?.and_then(|value| value.as_int());
    require(operations > Some(1000), || format!("the workers did too little: {operations:?}"))?;
    drop(ledger);
    let report = segment.check()?;
    require(report.is_sound(), || report.findings.join("; "))?;
    require(report.garbage == 0, || format!("{} objects are left behind", report.garbage))
}
