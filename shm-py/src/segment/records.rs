//! Records that tell of a segment: its processes, the consistency report, what its memory is used for.
//!
//! The classes are those of `shm_py/_records.py`.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shm_core::{Peer, Report, SizeStats, Stats};

/// One record for each process.
pub(crate) fn peers<'py>(py: Python<'py>, peers: &[Peer]) -> PyResult<Bound<'py, PyList>> {
    let class = py.import("shm_py._records")?.getattr("Peer")?;
    let seconds = |peer: &Peer| Duration::from_nanos(peer.attached_at).as_secs_f64();
    let records: Vec<_> = peers
        .iter()
        .map(|peer| class.call1((peer.pid, &peer.name, peer.alive, seconds(peer))))
        .collect::<PyResult<_>>()?;
    PyList::new(py, records)
}

/// What a check found and counted.
pub(super) fn report(py: Python<'_>, report: Report) -> PyResult<Bound<'_, PyAny>> {
    let Report { findings, objects, leaves, garbage, blocks, bytes } = report;
    let class = py.import("shm_py._records")?.getattr("Report")?;
    class.call1((findings, objects, leaves, garbage, blocks, bytes))
}

/// What the memory is used for, who pins, who holds which lock, what was collected and recovered.
pub(super) fn stats<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyAny>> {
    let records = py.import("shm_py._records")?;
    let list = |name: &str, rows: Vec<Bound<'py, PyTuple>>| -> PyResult<Bound<'py, PyList>> {
        let class = records.getattr(name)?;
        let rows: PyResult<Vec<_>> = rows.into_iter().map(|row| class.call1(row)).collect();
        PyList::new(py, rows?)
    };
    let sizes: PyResult<Vec<_>> = (stats.sizes.iter())
        .map(|size| {
            let SizeStats { bytes, pages, taken, free, cached, .. } = *size;
            (bytes, pages, taken, free, cached).into_pyobject(py)
        })
        .collect();
    let kinds: PyResult<Vec<_>> = (stats.kinds.iter())
        .map(|kind| (kind.kind, kind.count, kind.bytes).into_pyobject(py))
        .collect();
    let pins: PyResult<Vec<_>> = (stats.pins.iter())
        .map(|pins| (pins.pid, &pins.name, pins.objects).into_pyobject(py))
        .collect();
    let locks: PyResult<Vec<_>> = (stats.locks.iter())
        .map(|lock| {
            let holders: PyResult<Vec<_>> = (lock.holders.iter())
                .map(|one| (one.pid, &one.name, one.alive, one.times).into_pyobject(py))
                .collect();
            let holders = list("HolderStats", holders?)?;
            (lock.kind, &lock.name, holders, lock.waiting.clone()).into_pyobject(py)
        })
        .collect();
    let fields = PyDict::new(py);
    fields.set_item("used", stats.used)?;
    fields.set_item("size", stats.size)?;
    fields.set_item("taken", stats.taken)?;
    fields.set_item("huge", stats.huge)?;
    fields.set_item("cached", stats.cached)?;
    fields.set_item("free_pages", stats.free_pages)?;
    fields.set_item("free_runs", stats.free_runs)?;
    fields.set_item("longest_free_run", stats.longest_free_run)?;
    fields.set_item("holes", stats.holes)?;
    fields.set_item("sizes", list("SizeStats", sizes?)?)?;
    fields.set_item("kinds", list("KindStats", kinds?)?)?;
    fields.set_item("pins", list("PinStats", pins?)?)?;
    fields.set_item("locks", list("LockStats", locks?)?)?;
    fields.set_item("collections", stats.collections)?;
    fields.set_item("last_pause", stats.last_pause.as_secs_f64())?;
    fields.set_item("longest_pause", stats.longest_pause.as_secs_f64())?;
    fields.set_item("deaths", stats.deaths)?;
    fields.set_item("recoveries", stats.recoveries)?;
    let last_recovery = stats.last_recovery.map(|time| time.as_secs_f64());
    fields.set_item("last_recovery", last_recovery)?;
    records.getattr("Stats")?.call((), Some(&fields))
}
