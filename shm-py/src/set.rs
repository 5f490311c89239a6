//! `Set`: a shared set with every method and operator of the built-in.
//!
//! The in-place forms are one operation of the core each. What makes something new gives a
//! built-in set. Members are immutable values, so a snapshot is a complete copy.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::pyclass::CompareOp;
use pyo3::types::{PyFrozenSet, PySet, PyTuple, PyType};
use shm_core::{Set, Value};

use crate::common;
use crate::convert;
use crate::dict::missing;
use crate::error::OrRaise;
use crate::home::{Handle, Proxy};
use crate::slots::flat;
use crate::slots::shell::{self, Shelled, Shells};

mod iter;

pub(crate) use iter::SetIterator;

/// A set in shared memory; made by `seg.set(...)` or by storing a built-in set.
#[pyclass(name = "Set", module = "shm_py", frozen, weakref)]
pub(crate) struct SharedSet {
    handle: Handle<Set>,
}

impl Proxy for SharedSet {
    type Core = Set;

    fn create(py: Python<'_>, handle: Handle<Set>) -> PyResult<Bound<'_, Self>> {
        shell::instance(py, Self { handle })
    }

    #[inline]
    fn handle(&self) -> &Handle<Set> {
        &self.handle
    }
}

impl Shelled for SharedSet {
    fn shells() -> &'static Shells {
        static SHELLS: Shells = Shells::new();
        &SHELLS
    }
}

impl SharedSet {
    #[inline]
    fn core(&self) -> &Set {
        &self.handle.core
    }

    /// The members as a built-in set.
    pub(crate) fn shallow<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        if let Some(members) = flat::members(py, self.core())? {
            return PySet::new(py, members);
        }
        let members = self.core().to_vec().or_raise()?;
        PySet::new(py, convert::each(py, &self.handle.home, members)?)
    }

    /// The operand of a set operator: a set of any kind, or nothing.
    fn operand<'py>(other: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Ok(set) = other.cast_exact::<SharedSet>() {
            return Ok(Some(set.get().shallow(other.py())?.into_any()));
        }
        if other.is_instance_of::<PySet>() || other.is_instance_of::<PyFrozenSet>() {
            return Ok(Some(other.clone()));
        }
        let views = other.py().import("collections.abc")?.getattr("Set")?;
        if !other.is_instance(&views)? {
            return Ok(None);
        }
        let members: Vec<_> = other.try_iter()?.collect::<PyResult<_>>()?;
        Ok(Some(PySet::new(other.py(), members)?.into_any()))
    }

    /// Both operands as built-in sets. A set and itself have the same members: two copies of NaN would
    /// be none.
    fn operands<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let mine = slf.get().shallow(slf.py())?.into_any();
        let other = if slf.is(other) { Some(mine.clone()) } else { Self::operand(other)? };
        Ok(other.map(|other| (mine, other)))
    }

    /// A new built-in set by an operator of the built-in.
    fn binary(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: &str,
        swapped: bool,
    ) -> PyResult<Py<PyAny>> {
        let Some((mine, other)) = Self::operands(slf, other)? else {
            return Ok(slf.py().NotImplemented());
        };
        let (left, right) = if swapped { (other, mine) } else { (mine, other) };
        Ok(left.call_method1(operator, (right,))?.unbind())
    }

    /// A new built-in set by a method of the built-in.
    fn method<'py>(
        slf: &Bound<'py, Self>,
        name: &str,
        others: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mine = slf.get().shallow(slf.py())?.into_any();
        let or_mine = |other: Bound<'py, PyAny>| {
            if slf.is(&other) { Ok(mine.clone()) } else { plain(&other) }
        };
        let others: Vec<_> = others.iter().map(or_mine).collect::<PyResult<_>>()?;
        mine.call_method1(name, PyTuple::new(slf.py(), others)?)
    }

    fn members(&self, iterable: &Bound<'_, PyAny>) -> PyResult<Vec<Value>> {
        let home = &self.handle.home;
        iterable
            .try_iter()?
            .map(|member| {
                let member = member?;
                convert::to_key(home, &member, || {
                    format!("set member {}", convert::bounded(&member))
                })
            })
            .collect()
    }

    /// A member for a lookup; a set stands for the equal frozenset, as in the built-in.
    fn lookup(&self, member: &Bound<'_, PyAny>) -> PyResult<Option<Value>> {
        let py = member.py();
        let member = if member.is_instance_of::<PySet>() {
            py.get_type::<PyFrozenSet>().call1((member,))?
        } else if let Ok(set) = member.cast_exact::<SharedSet>() {
            py.get_type::<PyFrozenSet>().call1((set.get().shallow(py)?,))?
        } else {
            member.clone()
        };
        convert::to_lookup(&self.handle.home, &member)
    }

    fn in_place(
        &self,
        other: &Bound<'_, PyAny>,
        change: impl FnOnce(Vec<Value>) -> shm_core::Result<()>,
    ) -> PyResult<()> {
        change(self.members(&plain(other)?)?).or_raise()
    }
}

/// A shared set as a built-in one; anything else as it is.
fn plain<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    match object.cast_exact::<SharedSet>() {
        Ok(set) => Ok(set.get().shallow(object.py())?.into_any()),
        Err(_) => Ok(object.clone()),
    }
}

fn not_a_set(other: &Bound<'_, PyAny>, operator: &str) -> PyResult<()> {
    if SharedSet::operand(other)?.is_some() {
        return Ok(());
    }
    let given = other.get_type().name()?;
    Err(pyo3::exceptions::PyTypeError::new_err(format!(
        "unsupported operand type(s) for {operator}: 'Set' and '{given}'"
    )))
}

#[pymethods]
impl SharedSet {
    fn __len__(&self) -> PyResult<usize> {
        self.core().len().or_raise()
    }

    fn __contains__(&self, member: &Bound<'_, PyAny>) -> PyResult<bool> {
        match self.lookup(member)? {
            Some(member) => self.core().contains(&member).or_raise(),
            None => Ok(false),
        }
    }

    fn __iter__(slf: Bound<'_, Self>) -> PyResult<SetIterator> {
        SetIterator::new(slf)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        common::repr(py, &self.handle.home, "Set", &Value::Set(self.core().clone()))
    }

    fn __richcmp__(
        slf: &Bound<'_, Self>,
        other: &Bound<'_, PyAny>,
        operator: CompareOp,
    ) -> PyResult<Py<PyAny>> {
        match Self::operands(slf, other)? {
            Some((mine, other)) => Ok(mine.rich_compare(other, operator)?.unbind()),
            None => Ok(slf.py().NotImplemented()),
        }
    }

    fn __or__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__or__", false)
    }

    fn __ror__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__or__", true)
    }

    fn __and__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__and__", false)
    }

    fn __rand__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__and__", true)
    }

    fn __sub__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__sub__", false)
    }

    fn __rsub__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__sub__", true)
    }

    fn __xor__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__xor__", false)
    }

    fn __rxor__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Self::binary(slf, other, "__xor__", true)
    }

    fn __ior__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        not_a_set(other, "|=")?;
        self.in_place(other, |members| self.core().update(members))
    }

    fn __iand__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        not_a_set(other, "&=")?;
        self.in_place(other, |members| self.core().intersection_update(members))
    }

    fn __isub__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        not_a_set(other, "-=")?;
        self.in_place(other, |members| self.core().difference_update(members))
    }

    fn __ixor__(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        not_a_set(other, "^=")?;
        self.in_place(other, |members| self.core().symmetric_difference_update(members))
    }

    /// Add a member; nothing happens if it is there.
    #[pyo3(signature = (member, /))]
    fn add(&self, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let site = || format!("set member {}", convert::bounded(member));
        let value = convert::to_key(&self.handle.home, member, site)?;
        self.core().add(value).or_raise().map(drop)
    }

    /// Remove a member if it is there.
    #[pyo3(signature = (member, /))]
    fn discard(&self, member: &Bound<'_, PyAny>) -> PyResult<()> {
        match self.lookup(member)? {
            Some(member) => self.core().remove(&member).or_raise().map(drop),
            None => Ok(()),
        }
    }

    /// Remove a member; `KeyError` if it is not there.
    #[pyo3(signature = (member, /))]
    fn remove(&self, member: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Some(value) = self.lookup(member)?
            && self.core().remove(&value).or_raise()?
        {
            return Ok(());
        }
        Err(missing(member))
    }

    /// Remove and return some member; `KeyError` if there is none.
    fn pop<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.core().pop().or_raise()? {
            Some(value) => convert::to_python(py, &self.handle.home, value),
            None => Err(PyKeyError::new_err("pop from an empty set")),
        }
    }

    /// Remove all members.
    fn clear(&self) -> PyResult<()> {
        self.core().clear().or_raise()
    }

    /// Add all members of the others.
    #[pyo3(signature = (*others))]
    fn update(&self, others: &Bound<'_, PyTuple>) -> PyResult<()> {
        let mut members = Vec::new();
        for other in others {
            members.extend(self.members(&plain(&other)?)?);
        }
        self.core().update(members).or_raise()
    }

    /// Keep only members that all others have.
    #[pyo3(signature = (*others))]
    fn intersection_update(&self, others: &Bound<'_, PyTuple>) -> PyResult<()> {
        let py = others.py();
        let others: Vec<_> = others.iter().map(|other| plain(&other)).collect::<PyResult<_>>()?;
        let Some((first, rest)) = others.split_first() else { return Ok(()) };
        let first: Vec<_> = first.try_iter()?.collect::<PyResult<_>>()?;
        let all = PySet::new(py, first)?.call_method1("intersection", PyTuple::new(py, rest)?)?;
        self.in_place(&all, |members| self.core().intersection_update(members))
    }

    /// Remove all members of the others.
    #[pyo3(signature = (*others))]
    fn difference_update(&self, others: &Bound<'_, PyTuple>) -> PyResult<()> {
        let mut members = Vec::new();
        for other in others {
            members.extend(self.members(&plain(&other)?)?);
        }
        self.core().difference_update(members).or_raise()
    }

    /// Keep the members that only one of the two has.
    #[pyo3(signature = (other, /))]
    fn symmetric_difference_update(&self, other: &Bound<'_, PyAny>) -> PyResult<()> {
        self.in_place(other, |members| self.core().symmetric_difference_update(members))
    }

    /// A built-in set of all members of this and the others.
    #[pyo3(signature = (*others))]
    fn union<'py>(
        slf: &Bound<'py, Self>,
        others: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "union", others)
    }

    /// A built-in set of the members that this and all others have.
    #[pyo3(signature = (*others))]
    fn intersection<'py>(
        slf: &Bound<'py, Self>,
        others: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "intersection", others)
    }

    /// A built-in set of the members that none of the others has.
    #[pyo3(signature = (*others))]
    fn difference<'py>(
        slf: &Bound<'py, Self>,
        others: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "difference", others)
    }

    /// A built-in set of the members that only one of the two has.
    #[pyo3(signature = (other, /))]
    fn symmetric_difference<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "symmetric_difference", &PyTuple::new(other.py(), [other])?)
    }

    /// Whether every member is in `other`.
    #[pyo3(signature = (other, /))]
    fn issubset<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "issubset", &PyTuple::new(other.py(), [other])?)
    }

    /// Whether every element of `other` is a member.
    #[pyo3(signature = (other, /))]
    fn issuperset<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "issuperset", &PyTuple::new(other.py(), [other])?)
    }

    /// Whether the two have no member in common.
    #[pyo3(signature = (other, /))]
    fn isdisjoint<'py>(
        slf: &Bound<'py, Self>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::method(slf, "isdisjoint", &PyTuple::new(other.py(), [other])?)
    }

    /// A built-in set of the members.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        self.shallow(py)
    }

    /// A built-in set of the members.
    fn to_py<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        self.shallow(py)
    }

    fn __copy__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PySet>> {
        self.shallow(py)
    }

    fn __deepcopy__<'py>(&self, memo: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PySet>> {
        self.shallow(memo.py())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        common::reduce(slf)
    }

    #[classmethod]
    #[pyo3(signature = (item, /))]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        item: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        common::generic_alias(cls, item)
    }
}
