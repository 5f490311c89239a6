//! `Segment`: one attachment of this process to a shared segment.
//!
//! A thin layer over the core's segment: names and sizes are checked by the core, size strings by
//! `shm_py/_api.py`. Waiting calls release the GIL and look for signals, so that Ctrl-C works.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::exceptions::{PyBufferError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use shm_core::{Error, Segment, Value};

use crate::array::SharedArray;
use crate::bytearray::SharedByteArray;
use crate::common::Given;
use crate::convert;
use crate::dict::{self, SharedDict};
use crate::draft;
use crate::error::OrRaise;
use crate::home::Home;
use crate::list::SharedList;
use crate::message;
use crate::queue::Queue;
use crate::set::SharedSet;
use crate::sync::{self, Barrier, Condition, Event, Lock, Manners, RLock, RwLock, Semaphore, Turn};
use crate::topic::Topic;
use crate::transaction::Transaction;
use crate::wait;
use crate::watch::Watch;

mod arguments;
mod records;
mod schemas;

use arguments::{INITIAL, not_negative};
pub(crate) use records::peers;
pub(crate) use schemas::{canonical, make_struct, schema_source};

/// A segment of shared memory, attached to this process.
#[pyclass(name = "Segment", module = "shm_py", frozen, weakref)]
pub(crate) struct SharedSegment {
    pub(crate) home: Arc<Home>,
}

impl SharedSegment {
    fn segment(&self) -> &Segment {
        &self.home.segment
    }

    /// The views of its memory that live, in words, if there are any.
    fn views(&self, py: Python<'_>) -> PyResult<Option<String>> {
        const NAMED: usize = 5;
        let all = self.home.views();
        if all == 0 {
            return Ok(None);
        }
        let mut named = Vec::new();
        let mut counted = 0;
        for proxy in self.home.identity.all(py) {
            let Ok(array) = proxy.cast_exact::<SharedArray>() else { continue };
            let views = array.get().views();
            if views > 0 {
                counted += views;
                named.push(format!("{views} of {}", array.get().described(py)?));
            }
        }
        if all > counted {
            named.push(format!("{} of vectors in structs", all - counted));
        }
        if named.len() > NAMED {
            let more = named.len() - NAMED;
            named.truncate(NAMED);
            named.push(format!("those of {more} others"));
        }
        let plural = if all == 1 { "" } else { "s" };
        let named = named.join(", ");
        Ok(Some(format!("{all} living view{plural} (numpy arrays, memoryviews): {named}")))
    }

    fn messages(&self) -> PyResult<Queue> {
        Ok(Queue { core: self.segment().messages().or_raise()?, home: Arc::clone(&self.home) })
    }

    fn message<'py>(&self, py: Python<'py>, message: Option<Value>) -> PyResult<Bound<'py, PyAny>> {
        let none =
            || Error::NoMessages { name: self.segment().name().to_owned(), waited: Duration::ZERO };
        convert::to_python(py, &self.home, message.ok_or_else(none).or_raise()?)
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

    /// Bytes taken now.
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

    /// The schemas of its structs: canonical texts by name and version, oldest first.
    fn schemas<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let all = PyDict::new(py);
        for schema in self.segment().schemas().or_raise()? {
            all.set_item((schema.name(), schema.version()), schema.text())?;
        }
        Ok(all)
    }

    /// Detach this process; its handles raise `Closed` from now on.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if let Some(views) = self.views(py)? {
            let name = self.segment().name();
            return Err(PyBufferError::new_err(format!(
                "segment {name:?} has {views}: delete them before closing"
            )));
        }
        message::settle(py, &self.home);
        self.home.drop_in_flight();
        py.detach(|| self.segment().close()).or_raise()
    }

    /// Write the whole segment, as of one moment, to a file, replacing a former snapshot; returns its bytes.
    ///
    /// Writers wait for it, readers do not. `shm_py.restore` makes a segment of it.
    #[pyo3(signature = (path))]
    fn snapshot(&self, py: Python<'_>, path: PathBuf) -> PyResult<u64> {
        py.detach(|| self.segment().snapshot(path)).or_raise()
    }

    /// Remove the name, if it is still there; attached processes keep their memory until they close.
    ///
    /// Before or after `close()`.
    fn unlink(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.home.unlink()).or_raise()
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (*exception))]
    fn __exit__(&self, py: Python<'_>, exception: &Bound<'_, PyTuple>) -> PyResult<()> {
        let raised = exception.get_item(0).is_ok_and(|class| !class.is_none());
        match self.close(py) {
            // The frames of what was raised keep the views: it is not to be hidden behind them.
            Err(error) if raised && error.is_instance_of::<PyBufferError>(py) => Ok(()),
            result => result,
        }
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
    #[pyo3(signature = (iterable=Given(None), /), text_signature = "($self, iterable=(), /)")]
    fn list<'py>(&self, py: Python<'py>, iterable: Given<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let items = match iterable.0 {
            Some(iterable) => convert::to_values(&self.home, &iterable, "list")?,
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
    #[pyo3(signature = (iterable=Given(None), /), text_signature = "($self, iterable=(), /)")]
    fn set<'py>(&self, py: Python<'py>, iterable: Given<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
        let members = arguments::members(&self.home, iterable.0.as_deref())?;
        self.home.adopt::<SharedSet>(py, self.segment().set(members).or_raise()?)
    }

    /// A new shared bytearray, with the arguments of `bytearray`.
    #[pyo3(signature = (source=Given(None), encoding=None, errors=None), text_signature = "($self, source=b\"\", encoding=None, errors=None)")]
    fn bytearray<'py>(
        &self,
        py: Python<'py>,
        source: Given<'_, 'py>,
        encoding: Option<&str>,
        errors: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let bytes = arguments::bytes(py, source.0.as_deref(), encoding, errors)?;
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
    #[pyo3(signature = (name, value=1, *, n=None, timeout=None, on_owner_died="warn"))]
    fn semaphore(
        &self,
        name: &str,
        value: i64,
        n: Option<i64>,
        timeout: Option<f64>,
        on_owner_died: &str,
    ) -> PyResult<Semaphore> {
        let manners = Manners::new(timeout, on_owner_died)?;
        let value = not_negative(n.unwrap_or(value), INITIAL)?;
        let core = self.segment().semaphore(name, value).or_raise()?;
        Ok(Semaphore::new(core, None, manners, Arc::clone(&self.home)))
    }

    /// As `semaphore`; giving back more than was taken is a `ValueError`.
    #[pyo3(signature = (name, value=1, *, n=None, timeout=None, on_owner_died="warn"))]
    fn bounded_semaphore(
        &self,
        name: &str,
        value: i64,
        n: Option<i64>,
        timeout: Option<f64>,
        on_owner_died: &str,
    ) -> PyResult<Semaphore> {
        let manners = Manners::new(timeout, on_owner_died)?;
        let bound = not_negative(n.unwrap_or(value), INITIAL)?;
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
    #[pyo3(signature = (name, parties=None, action=None, timeout=None, *, n=None))]
    fn barrier(
        &self,
        name: &str,
        parties: Option<i64>,
        action: Option<Py<PyAny>>,
        timeout: Option<f64>,
        n: Option<i64>,
    ) -> PyResult<Barrier> {
        let missing = || PyTypeError::new_err("barrier() needs the number of parties");
        let parties = parties.or(n).ok_or_else(missing)?;
        let parties = not_negative(parties, "the number of parties of a barrier")?;
        let core = self.segment().barrier(name, parties).or_raise()?;
        Ok(Barrier::new(core, action, timeout, Arc::clone(&self.home)))
    }

    /// The queue of this name, made on first use to take `maxsize` objects (0 or less: any number).
    #[pyo3(signature = (name, maxsize=0))]
    fn queue(&self, name: &str, maxsize: i64) -> PyResult<Queue> {
        let maxsize = u64::try_from(maxsize).unwrap_or(0);
        let core = self.segment().queue(name, maxsize).or_raise()?;
        Ok(Queue { core, home: Arc::clone(&self.home) })
    }

    /// The topic of this name, made on first use; it keeps the last `keep` messages.
    #[pyo3(signature = (name, keep=1024))]
    fn topic(&self, name: &str, keep: i64) -> PyResult<Topic> {
        let keep = not_negative(keep, "the number of messages that a topic keeps")?;
        let core = self.segment().topic(name, keep).or_raise()?;
        Ok(Topic { core, home: Arc::clone(&self.home) })
    }

    /// A block in which everything that this thread changes happens at once or not at all.
    #[pyo3(signature = (timeout=None))]
    fn transaction(&self, timeout: Option<f64>) -> PyResult<Transaction> {
        Ok(Transaction::new(&self.home, wait::duration(timeout)?))
    }

    /// Watch a shared object, or what lies at a path from the root ('a/b' or a tuple of keys).
    #[pyo3(signature = (target, /))]
    fn watch(&self, target: &Bound<'_, PyAny>) -> PyResult<Watch> {
        Watch::of(&self.home, target)
    }

    /// The shared object for a built-in one: copied in, and nothing but the result refers to it.
    #[pyo3(signature = (obj, /))]
    fn _share<'py>(&self, obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let value = convert::to_value(&self.home, obj, || "object".to_owned())?;
        convert::to_python(obj.py(), &self.home, value)
    }

    /// Append an object to the segment's queue of messages; built-in objects are copied in.
    #[pyo3(signature = (obj))]
    fn put_message(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let message = draft::to_stored(&self.home, obj, || "message".to_owned())?;
        self.segment().put_message(message).or_raise()
    }

    /// Take the oldest message, waiting for one; `NoMessages` when `timeout` seconds have passed.
    #[pyo3(signature = (timeout=None))]
    fn take_message<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.messages()?.take(py, wait::duration(timeout)?)
    }

    /// `take_message` for coroutines.
    #[pyo3(signature = (timeout=None))]
    fn take_message_async<'py>(
        &self,
        py: Python<'py>,
        timeout: Option<f64>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Queue::get_async(&Bound::new(py, self.messages()?)?, timeout)
    }

    /// Take the newest message, for `shm_py.cengal`.
    fn _take_newest_message<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let message = self.segment().messages().and_then(|messages| messages.get_newest());
        self.message(py, message.or_raise()?)
    }

    /// The oldest or newest message, which stays, for `shm_py.cengal`.
    #[pyo3(signature = (newest, /))]
    fn _peek_message<'py>(&self, py: Python<'py>, newest: bool) -> PyResult<Bound<'py, PyAny>> {
        let message = self.segment().messages().and_then(|messages| messages.peek(newest));
        self.message(py, message.or_raise()?)
    }

    /// Wait for a message, for `shm_py.cengal`; whether there is one within `timeout` seconds.
    #[pyo3(signature = (timeout, /))]
    fn _wait_for_message(&self, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = wait::duration(timeout)?;
        self.segment().messages().and_then(|messages| messages.wait(timeout)).or_raise()
    }

    /// The consistency report: `seg.check().sound`, and what was counted on the way.
    fn check<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::report(py, py.detach(|| self.segment().check()).or_raise()?)
    }

    /// What the memory is used for, who pins, what was collected and recovered.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::stats(py, &py.detach(|| self.segment().stats()).or_raise()?)
    }

    /// Free objects that only each other refer to; the number of bytes that this gave back.
    ///
    /// If nobody else is attached, free memory, from 1 MiB in a row on, then goes back to the
    /// system: ``used`` and what the file takes become smaller.
    fn gc(&self, py: Python<'_>) -> PyResult<u64> {
        py.detach(|| self.segment().gc()).or_raise().map(|collected| collected.bytes)
    }

    /// Free one object now, whoever refers to it: every later use of it raises `Closed`.
    fn free(&self, obj: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = obj.py();
        let value = convert::to_value(&self.home, obj, || "object".to_owned())?;
        if let Ok(array) = obj.cast_exact::<SharedArray>() {
            return array.get().free(&self.home, &value);
        }
        py.detach(|| self.segment().free(&value)).or_raise()
    }

    /// Whether there is a message to take.
    fn has_messages(&self) -> PyResult<bool> {
        self.segment().has_messages().or_raise()
    }
}
