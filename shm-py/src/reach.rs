//! Ways to a segment: create, attach, open, unpickle; and what exists by name on this machine.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use shm_core::{Error, Lifetime, Segment, SegmentOptions};

use crate::convert;
use crate::error::{self, OrRaise};
use crate::home::Home;
use crate::segment::{SharedSegment, peers};
use crate::wait::Deadline;

/// `create`, `attach` or `open`, with the size in bytes; see `shm_py/_api.py`.
#[pyfunction]
#[pyo3(name = "_reach")]
#[allow(clippy::too_many_arguments, reason = "the public functions have as many")]
pub(crate) fn reach(
    py: Python<'_>,
    way: &str,
    name: Option<&str>,
    size: u64,
    path: Option<PathBuf>,
    mode: u32,
    lifetime: Option<&str>,
    readonly: bool,
    timeout: Option<f64>,
    allowed: Option<Py<PyDict>>,
) -> PyResult<SharedSegment> {
    let options = made(path.as_ref(), mode, lifetime)?.size(size).readonly(readonly);
    let deadline = Deadline::new(timeout)?;
    let segment = loop {
        let attempt = py.detach(|| once(way, name, path.is_some(), &options));
        match attempt {
            // attach(timeout=...) waits for the creator.
            Err(Error::SegmentNotFound { .. })
                if way == "attach" && timeout.is_some() && !deadline.passed() =>
            {
                py.check_signals()?;
                py.detach(|| deadline.nap());
            }
            Err(Error::SegmentNotFound { name }) if way == "attach" && timeout > Some(0.0) => {
                return Err(error::not_in_time(py, &name, timeout.unwrap_or_default()));
            }
            attempt => break attempt.or_raise()?,
        }
    };
    reached(segment, path, allowed)
}

/// A segment as Python has it, with the classes whose instances may be pickled.
fn reached(
    segment: Segment,
    path: Option<PathBuf>,
    allowed: Option<Py<PyDict>>,
) -> PyResult<SharedSegment> {
    let home = Home::new(segment, path).or_raise()?;
    if let Some(classes) = allowed {
        home.allow(classes);
    }
    Ok(SharedSegment { home })
}

/// How a new segment is made, where it is and for how long.
fn made(path: Option<&PathBuf>, mode: u32, lifetime: Option<&str>) -> PyResult<SegmentOptions> {
    let mut options = SegmentOptions::new().mode(mode);
    if let Some(path) = path {
        options = options.path(path);
    }
    if let Some(lifetime) = lifetime {
        options = options.lifetime(lifetime_of(lifetime)?);
    }
    Ok(options)
}

fn lifetime_of(lifetime: &str) -> PyResult<Lifetime> {
    match lifetime {
        "last" => Ok(Lifetime::Last),
        "creator" => Ok(Lifetime::Creator),
        "manual" => Ok(Lifetime::Manual),
        other => {
            let text = format!("lifetime is 'last', 'creator' or 'manual', not {other:?}");
            Err(PyValueError::new_err(text))
        }
    }
}

/// `restore`; see `shm_py/_api.py`.
#[pyfunction]
#[pyo3(name = "_restore")]
#[allow(
    clippy::needless_pass_by_value,
    reason = "a path is converted, so it is the function's own"
)]
pub(crate) fn restore(
    py: Python<'_>,
    snapshot: PathBuf,
    name: &str,
    path: Option<PathBuf>,
    mode: u32,
    lifetime: Option<&str>,
    allowed: Option<Py<PyDict>>,
) -> PyResult<SharedSegment> {
    let options = made(path.as_ref(), mode, lifetime)?;
    let segment = py.detach(|| Segment::restore(&snapshot, name, options)).or_raise()?;
    reached(segment, path, allowed)
}

fn once(
    way: &str,
    name: Option<&str>,
    by_path: bool,
    options: &SegmentOptions,
) -> shm_core::Result<Segment> {
    let options = options.clone();
    let name = match name {
        Some(name) => name,
        None if by_path => "",
        None if way == "create" => return Segment::create_anonymous(options),
        None => {
            let what = format!("{way}() needs a name or a path");
            return Err(Error::InvalidArgument { what });
        }
    };
    match way {
        "create" => Segment::create(name, options),
        "attach" => Segment::attach(name, options),
        _ => Segment::open(name, options),
    }
}

/// Attaches for a pickled `Segment`.
#[pyfunction]
#[pyo3(name = "_reattach")]
pub(crate) fn reattach(
    py: Python<'_>,
    name: &str,
    path: Option<PathBuf>,
    uuid: u64,
    readonly: bool,
) -> PyResult<SharedSegment> {
    let home = py.detach(|| Home::find_or_attach(name, path, uuid, readonly))?;
    Ok(SharedSegment { home })
}

/// Finds the object of a pickled proxy.
#[pyfunction]
#[pyo3(name = "_rebuild")]
pub(crate) fn rebuild(
    py: Python<'_>,
    place: (String, Option<PathBuf>, u64, bool),
    id: u64,
) -> PyResult<Bound<'_, PyAny>> {
    let (name, path, uuid, readonly) = place;
    let home = py.detach(|| Home::find_or_attach(&name, path, uuid, readonly))?;
    let value = home.segment.object(id).or_raise()?;
    convert::to_python(py, &home, value)
}

/// Closes every attachment of this process; runs at exit.
#[pyfunction]
#[pyo3(name = "_close_all")]
pub(crate) fn close_all(py: Python<'_>) {
    py.detach(shm_core::close_all);
}

/// What exists on this machine: one record for each segment.
#[pyfunction]
pub(crate) fn segments(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let class = py.import("shm_py._records")?.getattr("SegmentInfo")?;
    let found = py.detach(shm_core::segments).or_raise()?;
    let records: Vec<_> = found
        .iter()
        .map(|info| class.call1((&info.name, info.size, info.used, peers(py, &info.peers)?)))
        .collect::<PyResult<_>>()?;
    PyList::new(py, records)
}

/// `unlink`, of a name or else of a path; see `shm_py/_api.py`.
#[pyfunction]
#[pyo3(name = "_unlink")]
#[allow(
    clippy::needless_pass_by_value,
    reason = "a path is converted, so it is the function's own"
)]
pub(crate) fn unlink(py: Python<'_>, name: Option<&str>, path: Option<PathBuf>) -> PyResult<()> {
    py.detach(|| match &path {
        Some(path) => shm_core::unlink_path(path),
        None => shm_core::unlink(name.unwrap_or_default()),
    })
    .or_raise()
}

/// Remove the segments that only dead processes hold; returns their names.
#[pyfunction]
pub(crate) fn prune(py: Python<'_>) -> PyResult<Vec<String>> {
    py.detach(shm_core::prune).or_raise()
}
