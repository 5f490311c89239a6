//! `with x:` calls two methods; what binds them to `x` is memory that was used before.
//!
//! Up to Python 3.13 the interpreter binds `__enter__` and `__exit__` anew for each block: it makes and drops two
//! function objects, which costs twice what taking a free lock and giving it back costs. So the class has a
//! [`Method`] in the place of each, which binds to a [`BoundMethod`]: that leaves a shell as other short-lived objects do, and
//! calls the very function that the interpreter's own would call. Whatever else is asked of either is asked of
//! the interpreter's own.

use std::mem::ManuallyDrop;
use std::sync::OnceLock;

use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::class::Function;
use super::shell::{self, Shelled, Shells};
use super::{class, content, type_of};

static GET: OnceLock<ffi::descrgetfunc> = OnceLock::new();

/// A method as the interpreter has it.
struct Original {
    descriptor: Py<PyAny>,
    /// Invariant: (1) what `descriptor` calls for an instance of its class.
    function: Function,
}

/// The methods of a class that leaves what it is asked to what its `general` gives, the interpreter's own,
/// and those of its own.
macro_rules! forwarding {
    (impl $class:ident { $($own:tt)* }) => {
        #[pymethods]
        impl $class {
            fn __getattribute__<'py>(
                &self,
                name: &Bound<'py, PyString>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.general(name.py())?.getattr(name)
            }

            #[pyo3(signature = (*args, **kwargs))]
            fn __call__<'py>(
                &self,
                args: &Bound<'py, PyTuple>,
                kwargs: Option<&Bound<'py, PyDict>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                self.general(args.py())?.call(args, kwargs)
            }

            fn __repr__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
                self.general(py)?.repr()
            }

            $($own)*
        }
    };
}

/// What a class has under the method's name.
#[pyclass(frozen)]
struct Method(&'static Original);

impl Method {
    /// The interpreter's own.
    #[allow(clippy::unnecessary_wraps, reason = "as that of `BoundMethod`")]
    fn general<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(self.0.descriptor.bind(py).clone())
    }
}

forwarding! {
impl Method {
    // For what is not as usual; `bind` is in front of it.
    fn __get__<'py>(
        slf: &Bound<'py, Self>,
        this: &Bound<'py, PyAny>,
        _class: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if this.is_none() {
            return Ok(slf.clone().into_any());
        }
        class::bind(slf.get().0.descriptor.bind(slf.py()), this, &this.get_type())
    }
}
}

/// A method and the instance that it is called with.
#[pyclass(frozen, weakref)]
struct BoundMethod {
    /// What the interpreter calls: the type says that it is here.
    vectorcall: ffi::vectorcallfunc,
    original: &'static Original,
    /// Invariant: (2) of the class that `original` is of.
    this: ManuallyDrop<Py<PyAny>>,
}

impl Drop for BoundMethod {
    fn drop(&mut self) {
        // SAFETY: here and in the interpreter's own deallocation alone it is dropped, with the GIL held.
        let py = unsafe { Python::assume_attached() };
        // SAFETY: not used after this.
        unsafe { ManuallyDrop::take(&mut self.this) }.drop_ref(py);
    }
}

impl Shelled for BoundMethod {
    fn shells() -> &'static Shells {
        static SHELLS: Shells = Shells::new();
        &SHELLS
    }
}

impl BoundMethod {
    /// The interpreter's own.
    fn general<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let this = self.this.bind(py);
        class::bind(self.original.descriptor.bind(py), this, &this.get_type())
    }
}

forwarding! {
impl BoundMethod {
    fn __richcmp__<'py>(
        &self,
        other: &Bound<'py, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        let other = match other.cast_exact::<Self>() {
            Ok(other) => other.get().general(py)?,
            Err(_) => other.clone(),
        };
        self.general(py)?.rich_compare(other, operator)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<isize> {
        self.general(py)?.hash()
    }
}
}

/// Makes the blocks of a class quick. Runs once for each, before any instance exists.
pub(super) fn install<T: PyClass>(py: Python<'_>) -> PyResult<()> {
    let class = py.get_type::<T>();
    for name in ["__enter__", "__exit__"] {
        let descriptor = class.getattr(name)?;
        let Some(function) = class::function_of(&descriptor) else { continue };
        let original = Box::leak(Box::new(Original { descriptor: descriptor.unbind(), function }));
        let method = Bound::new(py, Method(original))?;
        class.setattr(name, &method)?;
        prepare(&method)?;
    }
    Ok(())
}

/// Puts the quick functions of this file's own classes in place, once there is a method.
fn prepare(method: &Bound<'_, Method>) -> PyResult<()> {
    let py = method.py();
    let class = type_of::<BoundMethod>(py);
    // SAFETY: the class is alive.
    if unsafe { (*class).tp_vectorcall_offset } != 0 {
        return Ok(());
    }
    shell::install::<BoundMethod>(py);
    let original = method.get().0;
    let bound = BoundMethod { vectorcall: call, original, this: ManuallyDrop::new(py.None()) };
    let some = shell::instance(py, bound)?;
    let at = (&raw const some.get().vectorcall).addr() - some.as_ptr().addr();
    // SAFETY: the class is alive, and nothing has called an instance yet.
    unsafe { (*class).tp_vectorcall_offset = at as ffi::Py_ssize_t };
    // SAFETY: as above; each instance has the function at that place.
    unsafe { (*class).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL };
    // SAFETY: the class is alive, and nothing has looked a method up yet.
    let slot = unsafe { &mut (*type_of::<Method>(py)).tp_descr_get };
    if let Some(get) = slot.replace(bind) {
        let _ = GET.set(get);
    }
    Ok(())
}

/// `Method.__get__`
unsafe extern "C" fn bind(
    method: *mut ffi::PyObject,
    this: *mut ffi::PyObject,
    class: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariant 1 of `slots`: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: invariants 1 and 2 of `slots`.
    let original = unsafe { content::<Method>(method) }.0;
    // SAFETY: that of `function_of`.
    let of = unsafe {
        (*original.descriptor.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_common.d_type
    };
    // SAFETY: two live objects.
    if this.is_null() || unsafe { ffi::PyObject_TypeCheck(this, of) } == 0 {
        // SAFETY: the slot's own arguments, passed on.
        return GET.get().map_or(std::ptr::null_mut(), |get| unsafe { get(method, this, class) });
    }
    // SAFETY: invariant 1 of `slots`.
    let this = unsafe { Bound::from_borrowed_ptr(py, this) }.unbind();
    let bound = || BoundMethod { vectorcall: call, original, this: ManuallyDrop::new(this) };
    pointer(py, shell::instance_with(py, bound).map(Bound::into_any))
}

/// What a slot returns.
#[inline]
fn pointer(py: Python<'_>, result: PyResult<Bound<'_, PyAny>>) -> *mut ffi::PyObject {
    match result {
        Ok(object) => object.into_ptr(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    }
}

/// What the interpreter calls for a [`BoundMethod`].
unsafe extern "C" fn call(
    bound: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: invariants 1 and 2 of `slots`; whoever calls it keeps it.
    let BoundMethod { original, this, .. } = unsafe { content::<BoundMethod>(bound) };
    // SAFETY: a number.
    let count = unsafe { ffi::PyVectorcall_NARGS(nargsf) };
    match original.function {
        Function::NoArguments(function) if count == 0 && kwnames.is_null() => {
            // SAFETY: (1) of `Original` and (2) of `BoundMethod`.
            unsafe { function(this.as_ptr(), std::ptr::null_mut()) }
        }
        Function::Fast(function) => {
            // SAFETY: (1) of `Original` and (2) of `BoundMethod`; the call's own arguments.
            unsafe { function(this.as_ptr(), args, count, kwnames) }
        }
        // SAFETY: the call's own arguments.
        Function::NoArguments(_) => unsafe { refuse(bound, args, nargsf, kwnames) },
    }
}

/// As the interpreter refuses arguments.
///
/// # Safety
/// 1. The arguments are those of a vectorcall of a [`BoundMethod`].
#[cold]
unsafe fn refuse(
    bound: *mut ffi::PyObject,
    args: *const *mut ffi::PyObject,
    nargsf: usize,
    kwnames: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: (1) of this function: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: (1) of this function.
    let general = match unsafe { content::<BoundMethod>(bound) }.general(py) {
        Ok(general) => general,
        Err(error) => return pointer(py, Err(error)),
    };
    // SAFETY: (1) of this function.
    unsafe { ffi::PyObject_Vectorcall(general.as_ptr(), args, nargsf, kwnames) }
}
