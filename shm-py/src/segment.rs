//! `Segment`: one attachment of this process to a shared segment.
//!
//! A thin layer over the core's segment: names and sizes are checked by the core, size strings by
//! `shm_py/_api.py`. Waiting calls release the GIL and look for signals, so that Ctrl-C works.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shm_core::{Error, Lifetime, Peer, Record, Schema, Segment, SegmentOptions};

use crate::bytearray::{self, SharedByteArray};
use crate::convert;
use crate::dict::{self, SharedDict};
use crate::error::OrRaise;
use crate::home::Home;
use crate::list::SharedList;
use crate::record::SharedStruct;
use crate::set::SharedSet;
use crate::sync::{self, Barrier, Condition, Event, Lock, Manners, RLock, RwLock, Semaphore, Turn};
use crate::wait::{self, Deadline};

/// A segment of shared memory, attached to this process.
#[pyclass(name = "Segment", module = "shm_py", frozen, weakref)]
pub(crate) struct SharedSegment {
    pub(crate) home: Arc<Home>,
}

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
    lifetime: &str,
    readonly: bool,
    timeout: Option<f64>,
) -> PyResult<SharedSegment> {
    let lifetime = match lifetime {
        "last" => Lifetime::Last,
        "creator" => Lifetime::Creator,
        "manual" => Lifetime::Manual,
        other => {
            let text = format!("lifetime is 'last', 'creator' or 'manual', not {other:?}");
            return Err(PyValueError::new_err(text));
        }
    };
    let mut options =
        SegmentOptions::new().size(size).mode(mode).lifetime(lifetime).readonly(readonly);
    if let Some(path) = &path {
        options = options.path(path);
    }
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
            attempt => break attempt.or_raise()?,
        }
    };
    Ok(SharedSegment { home: Home::new(segment, path).or_raise()? })
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

impl SharedSegment {
    fn segment(&self) -> &Segment {
        &self.home.segment
    }
}

#[pymethods]
impl SharedSegment {
    /// The name under which other processes attach.
    #[getter]
    fn name(&self) -> String {
        self.segment().name().to_owned()
    }

    /// The file, where the segment was opened by path.
    #[getter]
    fn path(&self) -> Option<PathBuf> {
        self.home.path.clone()
    }

    /// The ceiling in bytes.
    #[getter]
    fn size(&self) -> u64 {
        self.segment().size()
    }

    /// Bytes taken so far.
    #[getter]
    fn used(&self) -> PyResult<u64> {
        self.segment().used().or_raise()
    }

    /// The dict that everything else hangs on.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.home.adopt::<SharedDict>(py, self.segment().try_root().or_raise()?)
    }

    /// Whether this attachment is closed.
    #[getter]
    fn closed(&self) -> bool {
        self.segment().is_closed()
    }

    /// Whether this attachment only reads.
    #[getter]
    fn readonly(&self) -> bool {
        self.segment().is_readonly()
    }

    /// One record for each attached process.
    #[getter]
    fn peers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        peers(py, &self.segment().peers().or_raise()?)
    }

    /// Detach this process; its handles raise `Closed` from now on.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.home.drop_in_flight();
        py.detach(|| self.segment().close()).or_raise()
    }

    /// Remove the name; attached processes keep their memory until they close.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.segment().unlink()).or_raise().map(drop)
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.close(py)
    }

    fn __repr__(&self) -> String {
        let state = if self.segment().is_closed() {
            " closed"
        } else if self.segment().is_readonly() {
            " readonly"
        } else {
            ""
        };
        format!("<Segment {:?}{state}>", self.segment().name())
    }

    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        Ok((py.import("shm_py._native")?.getattr("_reattach")?, self.home.place(py)?))
    }

    /// A new shared list, with the arguments of `list`.
    #[pyo3(signature = (iterable=None, /), text_signature = "($self, iterable=(), /)")]
    fn list<'py>(
        &self,
        py: Python<'py>,
        iterable: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let items = match iterable {
            Some(iterable) => convert::to_values(&self.home, iterable, "list")?,
            None => Vec::new(),
        };
        self.home.adopt::<SharedList>(py, self.segment().list(items).or_raise()?)
    }

    /// A new shared dict, with the arguments of `dict`.
    #[pyo3(signature = (*args, **kwargs), text_signature = "($self, /, *args, **kwargs)")]
    fn dict<'py>(
        &self,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let built_in = dict::built_in(args, kwargs)?;
        let entries = dict::to_entries(&self.home, &built_in, "dict")?;
        self.home.adopt::<SharedDict>(args.py(), self.segment().dict(entries).or_raise()?)
    }

    /// A new shared set, with the arguments of `set`.
    #[pyo3(signature = (iterable=None, /), text_signature = "($self, iterable=(), /)")]
    fn set<'py>(
        &self,
        py: Python<'py>,
        iterable: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut members = Vec::new();
        if let Some(iterable) = iterable {
            for member in iterable.try_iter()? {
                let member = member?;
                let site = || format!("set member {}", convert::bounded(&member));
                members.push(convert::to_key(&self.home, &member, site)?);
            }
        }
        self.home.adopt::<SharedSet>(py, self.segment().set(members).or_raise()?)
    }

    /// A new shared bytearray, with the arguments of `bytearray`.
    #[pyo3(signature = (source=None, /), text_signature = "($self, source=b\"\", /)")]
    fn bytearray<'py>(
        &self,
        py: Python<'py>,
        source: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let bytes = source.map_or_else(|| Ok(Vec::new()), bytearray::content)?;
        self.home.adopt::<SharedByteArray>(py, self.segment().bytearray(&bytes).or_raise()?)
    }

    /// The turn of this name: one process at a time, first come first served.
    #[pyo3(signature = (name="default", *, timeout=None, on_owner_died="ignore"))]
    fn turn(&self, name: &str, timeout: Option<f64>, on_owner_died: &str) -> PyResult<Turn> {
        let manners = Manners::new(timeout, on_owner_died)?;
        Ok(Turn::new(self.segment().turn(name).or_raise()?, manners, Arc::clone(&self.home)))
    }

    /// The lock of this name, with the methods of `threading.Lock`.
    #[pyo3(signature = (name, *, timeout=None, on_owner_died="warn"))]
    fn lock(&self, name: &str, timeout: Option<f64>, on_owner_died: &str) -> PyResult<Lock> {
        let manners = Manners::new(timeout, on_owner_died)?;
        Ok(Lock::new(self.segment().lock(name).or_raise()?, manners, Arc::clone(&self.home)))
    }

    /// The reentrant lock of this name, with the methods of `threading.RLock`.
    #[pyo3(signature = (name, *, timeout=None, on_owner_died="warn"))]
    fn rlock(&self, name: &str, timeout: Option<f64>, on_owner_died: &str) -> PyResult<RLock> {
        let manners = Manners::new(timeout, on_owner_died)?;
        Ok(RLock::new(self.segment().rlock(name).or_raise()?, manners, Arc::clone(&self.home)))
    }

    /// The read-write lock of this name: `with lock.read():`, `with lock.write():`.
    #[pyo3(signature = (name, *, on_owner_died="warn"))]
    fn rwlock(&self, name: &str, on_owner_died: &str) -> PyResult<RwLock> {
        let core = self.segment().rwlock(name).or_raise()?;
        RwLock::new(core, on_owner_died, Arc::clone(&self.home))
    }

    /// The semaphore of this name, with the methods of `threading.Semaphore`.
    #[pyo3(signature = (name, value=1, *, timeout=None, on_owner_died="warn"))]
    fn semaphore(
        &self,
        name: &str,
        value: i64,
        timeout: Option<f64>,
        on_owner_died: &str,
    ) -> PyResult<Semaphore> {
        let manners = Manners::new(timeout, on_owner_died)?;
        let core = self.segment().semaphore(name, permits(value)?).or_raise()?;
        Ok(Semaphore::new(core, None, manners, Arc::clone(&self.home)))
    }

    /// As `semaphore`; giving back more than was taken is a `ValueError`.
    #[pyo3(signature = (name, value=1, *, timeout=None, on_owner_died="warn"))]
    fn bounded_semaphore(
        &self,
        name: &str,
        value: i64,
        timeout: Option<f64>,
        on_owner_died: &str,
    ) -> PyResult<Semaphore> {
        let manners = Manners::new(timeout, on_owner_died)?;
        let bound = permits(value)?;
        let core = self.segment().bounded_semaphore(name, bound).or_raise()?;
        Ok(Semaphore::new(core, Some(bound), manners, Arc::clone(&self.home)))
    }

    /// The event of this name, with the methods of `threading.Event`.
    fn event(&self, name: &str) -> PyResult<Event> {
        Ok(Event::new(self.segment().event(name).or_raise()?, Arc::clone(&self.home)))
    }

    /// The condition of this name, with the methods of `threading.Condition`.
    #[pyo3(signature = (name, lock=None, *, timeout=None, on_owner_died="warn"))]
    fn condition(
        &self,
        name: &str,
        lock: Option<&Bound<'_, PyAny>>,
        timeout: Option<f64>,
        on_owner_died: &str,
    ) -> PyResult<Condition> {
        let manners = Manners::new(timeout, on_owner_died)?;
        let core = match lock {
            None => self.segment().condition(name),
            Some(lock) => self.segment().condition_with(name, sync::lock_of(lock)?),
        };
        Ok(Condition::new(core.or_raise()?, manners, Arc::clone(&self.home)))
    }

    /// The barrier of this name, with the methods of `threading.Barrier`.
    #[pyo3(signature = (name, parties, action=None, timeout=None))]
    fn barrier(
        &self,
        name: &str,
        parties: u64,
        action: Option<Py<PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Barrier> {
        let core = self.segment().barrier(name, parties).or_raise()?;
        Ok(Barrier::new(core, action, timeout, Arc::clone(&self.home)))
    }

    /// Append an object to the segment's queue of messages; built-in objects are copied in.
    #[pyo3(signature = (obj, /))]
    fn put_message(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = convert::to_value(&self.home, obj, || "message".to_owned())?;
        self.segment().put_message(message).or_raise()
    }

    /// Take the oldest message, waiting for one; `NoMessages` when `timeout` seconds have passed.
    #[pyo3(signature = (timeout=None))]
    fn take_message<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let timeout = wait::duration(timeout)?;
        let message = self.segment().take_message(timeout).or_raise()?;
        convert::to_python(py, &self.home, message)
    }

    /// The consistency report: `seg.check().sound`, and what was counted on the way.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let report = py.detach(|| self.segment().check()).or_raise()?;
        let shm_core::Report { findings, objects, leaves, garbage, blocks, bytes } = report;
        let class = py.import("shm_py._records")?.getattr("Report")?;
        class.call1((findings, objects, leaves, garbage, blocks, bytes))
    }

    /// Whether there is a message to take.
    fn has_messages(&self) -> PyResult<bool> {
        self.segment().has_messages().or_raise()
    }
}

fn permits(value: i64) -> PyResult<u64> {
    u64::try_from(value).map_err(|_| PyValueError::new_err("semaphore initial value must be >= 0"))
}

fn peers<'py>(py: Python<'py>, peers: &[Peer]) -> PyResult<Bound<'py, PyList>> {
    let class = py.import("shm_py._records")?.getattr("Peer")?;
    let seconds = |peer: &Peer| Duration::from_nanos(peer.attached_at).as_secs_f64();
    let records: Vec<_> = peers
        .iter()
        .map(|peer| class.call1((peer.pid, &peer.name, peer.alive, seconds(peer))))
        .collect::<PyResult<_>>()?;
    PyList::new(py, records)
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

/// Remove the name of a segment; attached processes keep their memory until they close.
#[pyfunction]
#[pyo3(signature = (name, /))]
pub(crate) fn unlink(py: Python<'_>, name: &str) -> PyResult<()> {
    py.detach(|| shm_core::unlink(name)).or_raise()
}

/// Remove the segments that only dead processes hold; returns their names.
#[pyfunction]
pub(crate) fn prune(py: Python<'_>) -> PyResult<Vec<String>> {
    py.detach(shm_core::prune).or_raise()
}

/// A typed struct from a schema in the notation of Rust and the values of its fields.
#[pyfunction]
#[pyo3(name = "_make_struct", signature = (segment, schema, values, /))]
pub(crate) fn make_struct<'py>(
    segment: &Bound<'py, SharedSegment>,
    schema: &str,
    values: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let home = &segment.get().home;
    let values = convert::to_values(home, values, "struct")?;
    let schema = Schema::parse(schema).or_raise()?;
    let record = Record::create(home.segment.heap(), &schema, &values).or_raise()?;
    home.adopt::<SharedStruct>(segment.py(), record)
}
