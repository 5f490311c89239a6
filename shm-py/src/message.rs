//! Messages that were taken: a `Dict` that nobody else knows, read from private memory until that ends.
//!
//! A dict that comes out of a queue belongs to the taker alone. Most are read and dropped, so it is
//! kept as a private built-in dict, and built in the segment when something is done to it that others
//! could see: a change, a nested container asked for, storing it, pickling it, locking it. One message
//! per attachment is kept so, the one taken last; the others, and that one before the process forks and
//! before the segment is closed, are built. Where the segment has no room for it, it is built in
//! another one (`elsewhere`): what was taken can always be used, and storing it then copies it.

use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, OnceLock};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString};
use shm_core::{Dict, Message, Value};

use crate::convert;
use crate::dict::SharedDict;
use crate::draft;
use crate::elsewhere;
use crate::error::OrRaise;
use crate::home::{Core, Handle, Home};
use crate::slots::identity::living;

/// The handle of a `Dict`, or the message that it will be made of.
pub(crate) enum Body {
    Shared(Handle<Dict>),
    Arrived(Box<Arrived>),
}

/// A message in private memory.
pub(crate) struct Arrived {
    /// The shared dict, once it is built.
    handle: OnceLock<Handle<Dict>>,
    message: Message,
    /// What it holds; immutable values are handed out, containers never.
    plain: Py<PyDict>,
    home: Arc<Home>,
    /// The `Dict` that has this, for as long as that lives; null until there is one.
    owner: AtomicPtr<ffi::PyObject>,
}

impl From<Handle<Dict>> for Body {
    fn from(handle: Handle<Dict>) -> Self {
        Body::Shared(handle)
    }
}

impl Body {
    /// The shared dict, built now if it is not yet.
    #[inline]
    pub(crate) fn handle(&self) -> &Handle<Dict> {
        match self {
            Body::Shared(handle) => handle,
            Body::Arrived(arrived) => arrived.handle(),
        }
    }

    /// Whether it never was a message.
    #[inline]
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Body::Shared(_))
    }

    /// The private copy of a message that is not built.
    #[inline]
    fn unbuilt(&self) -> Option<&Arrived> {
        match self {
            Body::Arrived(arrived) if arrived.handle.get().is_none() => Some(arrived),
            _ => None,
        }
    }

    /// The value of a key of everyday type, if it is an immutable one of a message that is not built.
    #[inline]
    pub(crate) fn item<'py>(&self, key: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        let arrived = self.unbuilt()?;
        let found = arrived.plain(key)?.get_item(key).ok()??;
        is_scalar(&found).then_some(found)
    }

    /// Whether a key of everyday type is in a message that is not built.
    #[inline]
    pub(crate) fn contains(&self, key: &Bound<'_, PyAny>) -> Option<bool> {
        self.unbuilt()?.plain(key)?.contains(key).ok()
    }

    /// How many entries a message has that is not built.
    #[inline]
    pub(crate) fn len(&self, py: Python<'_>) -> Option<usize> {
        Some(self.unbuilt()?.plain.bind(py).len())
    }

    /// A copy of a message that is not built.
    pub(crate) fn to_plain<'py>(&self, py: Python<'py>) -> Option<PyResult<Bound<'py, PyAny>>> {
        let arrived = self.unbuilt()?;
        Some(draft::to_plain(py, &arrived.home, arrived.message.parts()))
    }
}

impl Arrived {
    /// The shared dict, built now if it is not yet.
    fn handle(&self) -> &Handle<Dict> {
        match self.handle.get() {
            Some(handle) => handle,
            None => self.settled(),
        }
    }

    #[cold]
    fn settled(&self) -> &Handle<Dict> {
        Python::attach(|py| {
            if let Some(handle) = self.build() {
                // Waiting for the writer lock may have let another thread build it first.
                let cell = handle.core.cell_word();
                if self.handle.set(handle).is_ok()
                    && let Some(handle) = self.handle.get()
                {
                    let at = std::ptr::from_ref(handle).addr();
                    handle.home.identity.remember_owner(py, cell, &self.owner, at);
                    self.leave();
                }
            }
        });
        match self.handle.get() {
            Some(handle) => handle,
            // No descriptor or mapping is left in this process.
            None => std::alloc::handle_alloc_error(std::alloc::Layout::new::<Self>()),
        }
    }

    /// Its entries, if the key is of a type whose comparison runs no code of users.
    fn plain<'py>(&self, key: &Bound<'py, PyAny>) -> Option<&Bound<'py, PyDict>> {
        let everyday =
            key.is_exact_instance_of::<PyString>() || key.is_exact_instance_of::<PyInt>();
        everyday.then(|| self.plain.bind(key.py()))
    }

    /// The shared dict: in its segment, or elsewhere.
    fn build(&self) -> Option<Handle<Dict>> {
        match elsewhere::build(&self.message, &self.home).ok()? {
            (Value::Dict(core), home) => Some(Handle { core, home }),
            _ => None,
        }
    }

    /// It is not the attachment's last message any more.
    fn leave(&self) {
        let owner = self.owner.load(Ordering::Relaxed);
        let in_hand = &self.home.in_hand;
        let _ = in_hand.compare_exchange(
            owner,
            std::ptr::null_mut(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        if !self.owner.get_mut().is_null() {
            self.leave();
        }
    }
}

/// Whether an object is immutable, contains nothing and needs no segment.
fn is_scalar(object: &Bound<'_, PyAny>) -> bool {
    object.is_exact_instance_of::<PyString>()
        || object.is_exact_instance_of::<PyInt>()
        || object.is_exact_instance_of::<PyFloat>()
        || object.is_exact_instance_of::<PyBool>()
        || object.is_exact_instance_of::<PyBytes>()
        || object.is_none()
}

/// The Python object for a message.
pub(crate) fn received<'py>(
    py: Python<'py>,
    home: &Arc<Home>,
    message: Message,
) -> PyResult<Bound<'py, PyAny>> {
    let plain = draft::to_plain(py, home, message.parts())?;
    let plain = match plain.cast_into::<PyDict>() {
        Ok(plain) => plain.unbind(),
        Err(_) => return built(py, home, &message),
    };
    let arrived = Arrived {
        handle: OnceLock::new(),
        message,
        plain,
        home: Arc::clone(home),
        owner: AtomicPtr::new(std::ptr::null_mut()),
    };
    let body = Body::Arrived(Box::new(arrived));
    let dict = Bound::new(py, SharedDict::from(body))?;
    // Last of all: whatever is done before may run other code, which may take messages.
    settle(py, home);
    if let Body::Arrived(arrived) = dict.get().body() {
        arrived.owner.store(dict.as_ptr(), Ordering::Relaxed);
        home.in_hand.store(dict.as_ptr(), Ordering::Relaxed);
    }
    Ok(dict.into_any())
}

/// The shared object for a message that is no dict. It is taken already, so whatever keeps it from being
/// built in its segment, it is built elsewhere.
fn built<'py>(py: Python<'py>, home: &Arc<Home>, message: &Message) -> PyResult<Bound<'py, PyAny>> {
    let (value, home) = elsewhere::build(message, home).or_raise()?;
    convert::to_python(py, &home, value)
}

/// Builds the message that was taken last, if it is not yet, and whichever is taken meanwhile.
pub(crate) fn settle(py: Python<'_>, home: &Home) {
    while let Some(dict) = living(py, &home.in_hand)
        && let Ok(dict) = dict.cast_exact::<SharedDict>()
    {
        let body = dict.get().body();
        body.handle();
        if let Body::Arrived(arrived) = body {
            arrived.leave();
        }
    }
}

/// Builds the last messages of all attachments: before a fork, after which each process would have its own. And
/// waits, without the GIL, for other processes' transactions, for which the fork would wait with it.
#[pyfunction]
#[pyo3(name = "_settle")]
pub(crate) fn settle_all(py: Python<'_>) {
    shm_core::before_fork();
    for home in Home::all() {
        settle(py, &home);
    }
}
