//! Iterators over a `Dict`: in batches, each read at one moment; what changes the dict's size ends them.

use std::sync::Mutex;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use shm_core::{Cursor, Dict, Value};

use super::SharedDict;
use crate::common;
use crate::convert;
use crate::error::OrRaise;

/// Entries that are fetched in one validated read.
const BATCH: usize = 64;

/// What of an entry an iterator gives.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Key,
    Item,
    Both,
}

/// Iterates over a `Dict`.
#[pyclass(name = "DictIterator", module = "shm_py._native", frozen)]
pub(crate) struct DictIterator {
    dict: Py<SharedDict>,
    part: Part,
    reverse: bool,
    progress: Mutex<Progress>,
}

struct Progress {
    /// Where the batch starts, and where the next one does.
    start: Cursor,
    cursor: Cursor,
    /// The dict's at the start; what has another one has another size.
    version: u64,
    /// The dict's when the batch was read.
    sequence: u64,
    left: usize,
    /// Entries of the batch that were given out.
    taken: usize,
    ended: bool,
    batch: std::vec::IntoIter<(Value, Value)>,
}

impl DictIterator {
    pub(super) fn new(dict: Bound<'_, SharedDict>, part: Part, reverse: bool) -> PyResult<Self> {
        let core = dict.get().core();
        let version = core.version().or_raise()?;
        let sequence = core.sequence().or_raise()?;
        let left = core.len().or_raise()?;
        let cursor = if reverse { core.last_cursor() } else { core.first_cursor() }.or_raise()?;
        let batch = Vec::new().into_iter();
        let (start, taken, ended) = (cursor, 0, false);
        let progress = Progress { start, cursor, version, sequence, left, taken, ended, batch };
        Ok(Self { dict: dict.unbind(), part, reverse, progress: Mutex::new(progress) })
    }

    /// The next entry.
    #[inline]
    fn step(&self, core: &Dict) -> PyResult<Option<(Value, Value)>> {
        let mut progress = common::exclusive(&self.progress)?;
        let progress = &mut *progress;
        if progress.ended {
            return Ok(None);
        }
        if core.sequence().or_raise()? != progress.sequence {
            self.refresh(core, progress)?;
        }
        if progress.batch.len() == 0 {
            let (batch, cursor) = self.fetch(core, progress.cursor).or_raise()?;
            progress.start = std::mem::replace(&mut progress.cursor, cursor);
            progress.batch = batch.into_iter();
            progress.taken = 0;
        }
        let next = progress.batch.next();
        progress.taken += 1;
        progress.left = progress.left.saturating_sub(1);
        progress.ended = next.is_none();
        Ok(next)
    }

    /// Reads the batch again after a change, which must have left the size alone.
    #[cold]
    fn refresh(&self, core: &Dict, progress: &mut Progress) -> PyResult<()> {
        // Before the batch: a change after it is met again.
        let sequence = core.sequence().or_raise()?;
        if core.version().or_raise()? != progress.version {
            return Err(PyRuntimeError::new_err("dictionary changed size during iteration"));
        }
        if progress.batch.len() > 0 {
            let (batch, cursor) = self.fetch(core, progress.start).or_raise()?;
            progress.cursor = cursor;
            progress.batch = batch.into_iter();
            // The keys and their order are the same.
            progress.batch.by_ref().take(progress.taken).for_each(drop);
        }
        progress.sequence = sequence;
        Ok(())
    }

    /// The next entries; what is not asked for is not made a handle of.
    fn fetch(
        &self,
        core: &Dict,
        cursor: Cursor,
    ) -> shm_core::Result<(Vec<(Value, Value)>, Cursor)> {
        let keys = |(keys, cursor): (Vec<Value>, Cursor)| {
            (keys.into_iter().map(|key| (key, Value::None)).collect(), cursor)
        };
        let items = |(items, cursor): (Vec<Value>, Cursor)| {
            (items.into_iter().map(|item| (Value::None, item)).collect(), cursor)
        };
        match (self.part, self.reverse) {
            (Part::Key, false) => core.next_keys(cursor, BATCH).map(keys),
            (Part::Key, true) => core.previous_keys(cursor, BATCH).map(keys),
            (Part::Item, false) => core.next_values(cursor, BATCH).map(items),
            (Part::Item, true) => core.previous_values(cursor, BATCH).map(items),
            (Part::Both, false) => core.next_entries(cursor, BATCH),
            (Part::Both, true) => core.previous_entries(cursor, BATCH),
        }
    }
}

#[pymethods]
impl DictIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dict = self.dict.bind(py).get();
        let next = self.step(dict.core())?;
        let Some((key, item)) = next else { return Ok(None) };
        let home = dict.home();
        Ok(Some(match self.part {
            Part::Key => convert::to_python(py, home, key)?,
            Part::Item => convert::to_python(py, home, item)?,
            Part::Both => {
                let key = convert::to_python(py, home, key)?;
                PyTuple::new(py, [key, convert::to_python(py, home, item)?])?.into_any()
            }
        }))
    }

    fn __length_hint__(&self) -> PyResult<usize> {
        let progress = common::exclusive(&self.progress)?;
        Ok(if progress.ended { 0 } else { progress.left })
    }
}
