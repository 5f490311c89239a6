//! A process that works on the ledger until it is killed.

#![allow(unsafe_code, reason = "fork and kill")]

use std::ffi::OsString;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use shm::{Result, Segment, SegmentOptions, Value};

use crate::ledger::{ACCOUNTS, Ledger, NAMES, PAIRS, SWAPS};

/// How a worker comes to the segment.
pub(crate) enum Kind {
    /// Forked, works with the parent's handles.
    RustInherited,
    /// Forked, attaches by name.
    RustAttached,
    /// A Python process.
    Python(OsString),
}

/// Killed and reaped when dropped.
pub(crate) struct Worker(Process);

enum Process {
    Forked(libc::pid_t),
    Spawned(Child),
    Reaped,
}

impl Worker {
    pub(crate) fn start(segment: &Segment, kind: &Kind, heavy: bool) -> Self {
        if let Kind::Python(python) = kind {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/worker.py");
            let child = Command::new(python)
                .args([script, segment.name()])
                .stdin(Stdio::null())
                .spawn()
                .expect("the Python of SHM_PYTHON starts");
            return Worker(Process::Spawned(child));
        }
        let seed = fastrand::u64(..);
        // SAFETY: the child works on the segment only and ends by _exit.
        let pid = unsafe { libc::fork() };
        if pid != 0 {
            return Worker(Process::Forked(pid));
        }
        fastrand::seed(seed);
        let result = match kind {
            Kind::RustAttached => Segment::attach(segment.name(), SegmentOptions::new())
                .and_then(|own| work(&own, heavy)),
            _ => work(segment, heavy),
        };
        let code = i32::from(result.is_err());
        if let Err(error) = result {
            eprintln!("storm worker: {error}");
        }
        // SAFETY: ends without running the parent's exit handlers.
        unsafe { libc::_exit(code) }
    }

    /// Kills without waiting for the end.
    pub(crate) fn kill(&mut self) {
        match &mut self.0 {
            Process::Forked(pid) => {
                // SAFETY: the child was not reaped, so the id is its.
                unsafe { libc::kill(*pid, libc::SIGKILL) };
            }
            // Only an ended child cannot be killed.
            Process::Spawned(child) => drop(child.kill()),
            Process::Reaped => {}
        }
    }

    /// Waits for the end.
    pub(crate) fn reap(&mut self) {
        match &mut self.0 {
            Process::Forked(pid) => {
                let mut status = 0;
                // SAFETY: `status` is a live local; the child is ours.
                unsafe { libc::waitpid(*pid, &raw mut status, 0) };
                assert!(libc::WIFSIGNALED(status), "a worker ended by itself: {status:#x}");
            }
            Process::Spawned(child) => {
                let status = child.wait().expect("the child is ours");
                assert!(status.code().is_none(), "a Python worker ended by itself: {status}");
            }
            Process::Reaped => {}
        }
        self.0 = Process::Reaped;
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            self.reap();
        }
    }
}

/// Works for ever.
fn work(segment: &Segment, heavy: bool) -> Result<()> {
    let ledger = Ledger::of(segment)?;
    // Touched page by page, so that all of it is resident.
    let _ballast: Vec<u8> =
        if heavy { (0..1_usize << 30).map(|n| n as u8).collect() } else { Vec::new() };
    if heavy {
        segment.root().set("heavy", 1)?;
    }
    let by_list = segment.turn("list")?;
    let by_dict = segment.turn("dict")?;
    loop {
        let amount = fastrand::i64(1..100);
        match fastrand::u32(0..9) {
            0 => {
                let _turn = by_list.acquire(None)?;
                let at = fastrand::i64(0..ACCOUNTS - 8);
                let mut part = ledger.list.slice(Some(at), Some(at + 8), None)?;
                part[0] = Value::Int(part[0].as_int().unwrap_or(0) - amount);
                part[7] = Value::Int(part[7].as_int().unwrap_or(0) + amount);
                ledger.list.set_slice(Some(at), Some(at + 8), None, part)?;
            }
            1 => {
                let _turn = by_dict.acquire(None)?;
                let from = fastrand::i64(0..NAMES);
                let to = (from + 1) % NAMES;
                let (from, to) = (format!("account {from}"), format!("account {to}"));
                let one = ledger.dict.get_str(&from)?.and_then(|v| v.as_int()).unwrap_or(0);
                let other = ledger.dict.get_str(&to)?.and_then(|v| v.as_int()).unwrap_or(0);
                ledger.dict.update([(from, one - amount), (to, other + amount)])?;
            }
            2 | 3 => {
                let at = fastrand::i64(0..PAIRS) as usize;
                let Some(old) = ledger.pairs.get(at)? else { continue };
                let Value::Tuple(pair) = &old else { continue };
                let one = pair.first().and_then(Value::as_int).unwrap_or(0);
                let other = pair.get(1).and_then(Value::as_int).unwrap_or(0);
                // Fails if another worker was faster; then this transfer does not happen.
                ledger.pairs.compare_exchange(at, &old, (one - amount, other + amount))?;
            }
            4 => {
                let [one, other] = [0, 1].map(|_| fastrand::i64(0..SWAPS) as usize);
                ledger.swaps.swap(one, other)?;
            }
            5 => {
                ledger.scratch.push((amount, "a text that comes and goes", vec![1_u8; 300]))?;
                if ledger.scratch.len()? > 50 {
                    ledger.scratch.pop_front()?;
                    ledger.scratch.pop()?;
                }
            }
            6 => {
                // Long holds of the lock, so that many victims die with it.
                let fresh = (0..150).map(|n| Value::from(format!("bulk text {n}"))).collect();
                ledger.bulk.set_slice(None, None, None, fresh)?;
                ledger.bulk.reverse()?;
            }
            7 => {
                let inner = segment.list([Value::from("deep inside"), Value::from(amount)])?;
                let outer = segment.dict([("inner", Value::from(&inner)), ("n", amount.into())])?;
                ledger.nested.set(format!("entry {}", fastrand::u32(0..20)), &outer)?;
            }
            _ => {
                ledger.nested.remove(format!("entry {}", fastrand::u32(0..20)))?;
            }
        }
        segment.root().add("operations", 1)?;
        // A pause now and then, so that the time until a dead one is noticed is not the time that a
        // preempted one of four per processor waits to be scheduled for its own death.
        if fastrand::u32(0..8) == 0 {
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}
