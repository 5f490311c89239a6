//! Changes of a struct by field name or position: one, several, all; added to, exchanged.
//!
//! A scalar is one locked store. Everything else is an image that is made without the lock and stored if
//! what it was made from is still there; else it is made again.

use crate::error::{Error, Result};
use crate::payload::{Fixed, Image, Seen};
use crate::schema::{Field, Place};
use crate::slot::{back_off, fixed_fields};
use crate::transaction::Transaction;
use crate::value::Value;

use super::{Record, convert};

impl Record {
    /// Sets a field.
    ///
    /// # Errors
    /// `WrongType` for a value of another type or a read-only field, `InvalidArgument` for a number
    /// out of range, `UnknownField`, which lists the fields; then nothing has changed.
    pub fn set(&self, field: &str, value: impl Into<Value>) -> Result<()> {
        self.set_at(self.index(field)?, value)
    }

    /// Sets a field by its position.
    ///
    /// # Errors
    /// As [`set`](Self::set); `IndexOutOfRange`.
    pub fn set_at(&self, index: usize, value: impl Into<Value>) -> Result<()> {
        let field = self.writable(index)?;
        let value = value.into();
        let at = field.place();
        if let Some(scalar) = field.ty().scalar() {
            let bits = convert::scalar_bits(&self.schema, field, scalar, &value)?;
            return self.slot.write_bits(at, scalar.size(), bits);
        }
        let image = convert::field(&self.schema, field, &value)?;
        self.put(field, &image, None).map(drop)
    }

    /// Adds to a field as `+=` does, and returns the sum.
    ///
    /// # Errors
    /// As [`set`](Self::set); `InvalidArgument` if the sum is out of the field's range.
    pub fn add(&self, field: &str, delta: impl Into<Value>) -> Result<Value> {
        self.add_at(self.index(field)?, delta)
    }

    /// Adds to a field by its position.
    ///
    /// # Errors
    /// As [`add`](Self::add); `IndexOutOfRange`.
    pub fn add_at(&self, index: usize, delta: impl Into<Value>) -> Result<Value> {
        let field = self.writable(index)?;
        let delta = delta.into();
        if let Some(scalar) = field.ty().scalar() {
            let sum = |bits| {
                let sum = convert::scalar_value(scalar, bits).add(&delta)?;
                let bits = convert::scalar_bits(&self.schema, field, scalar, &sum)?;
                Ok((sum, bits))
            };
            let old = self.slot.change_bits(field.place(), scalar.size(), |old| Ok(sum(old)?.1))?;
            return Ok(sum(old)?.0);
        }
        self.modify(field, |old| old.add(&delta).map(Some))?
            .ok_or_else(|| Error::InvalidArgument { what: "nothing was added".to_owned() })
    }

    /// Sets a field if it equals `old`; whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn compare_exchange(
        &self,
        field: &str,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        self.compare_exchange_at(self.index(field)?, old, new)
    }

    /// Sets a field, by its position, if it equals `old`; whether it did.
    ///
    /// # Errors
    /// As [`set`](Self::set); `IndexOutOfRange`.
    pub fn compare_exchange_at(
        &self,
        index: usize,
        old: &Value,
        new: impl Into<Value>,
    ) -> Result<bool> {
        let field = self.writable(index)?;
        let new = new.into();
        // A value that does not fit is an error whatever the field holds.
        convert::field(&self.schema, field, &new)?;
        let done = self.modify(field, |now| Ok((now == *old).then(|| new.clone())))?;
        Ok(done.is_some())
    }

    /// Sets all fields at once.
    ///
    /// # Errors
    /// As [`set`](Self::set); a read-only field may be given as it is.
    pub fn replace(&self, values: &[Value]) -> Result<()> {
        let fixed = fixed_fields(&self.schema);
        let image = convert::whole(&self.schema, values)?;
        let layout = self.schema.layout();
        let mut attempt = 0;
        loop {
            let seen = self.slot.look(|reader| self.slot.seen(reader, Place::START, layout))?;
            let at = self.slot.base();
            if self.slot.target(at, self.schema.name(), &fixed, Some(&seen)).put(&image)? {
                return Ok(());
            }
            back_off(&mut attempt);
        }
    }

    /// Sets several fields at once; the others keep what they have.
    ///
    /// # Errors
    /// As [`set`](Self::set); then nothing has changed.
    pub fn set_many(&self, changes: &[(usize, Value)]) -> Result<()> {
        for (index, _) in changes {
            self.writable(*index)?;
        }
        let fixed = fixed_fields(&self.schema);
        let layout = self.schema.layout();
        let at = self.slot.base();
        let mut attempt = 0;
        loop {
            let ((mut seen, mut values), owned) = self.slot.look_inside(|reader| {
                let seen = self.slot.seen(reader, Place::START, layout)?;
                let fields = self.schema.fields().iter();
                let values = fields.map(|field| {
                    convert::decode(Some(&self.slot), reader, field.ty(), at.part(field.place()))
                });
                Ok((seen, values.collect::<Result<Vec<Value>>>()?))
            })?;
            seen.owned = owned;
            for (index, value) in changes {
                if let Some(room) = values.get_mut(*index) {
                    room.clone_from(value);
                }
            }
            let Ok(image) = convert::whole(&self.schema, &values) else {
                return self.set_each(changes);
            };
            if self.slot.target(at, self.schema.name(), &fixed, Some(&seen)).put(&image)? {
                return Ok(());
            }
            back_off(&mut attempt);
        }
    }

    /// As [`set_many`](Self::set_many), whatever the others are: a field's own list or dict may have been given
    /// what the field does not take.
    fn set_each(&self, changes: &[(usize, Value)]) -> Result<()> {
        let heap = self.heap();
        let transaction = Transaction::begin(heap, Some(heap.0.lock_timeout))?;
        for (index, value) in changes {
            self.set_at(*index, value.clone())?;
        }
        transaction.commit()
    }

    /// Replaces a field by what `change` makes of it, unless that is nothing.
    fn modify(
        &self,
        field: &Field,
        change: impl Fn(Value) -> Result<Option<Value>>,
    ) -> Result<Option<Value>> {
        let at = self.slot.base().part(field.place());
        let mut attempt = 0;
        loop {
            let (seen, old) = self.slot.look(|reader| {
                let seen = self.slot.seen(reader, field.place(), field.layout())?;
                Ok((seen, convert::decode(Some(&self.slot), reader, field.ty(), at)?))
            })?;
            let Some(new) = change(old)? else { return Ok(None) };
            let image = convert::field(&self.schema, field, &new)?;
            if self.put(field, &image, Some(&seen))? {
                return Ok(Some(new));
            }
            back_off(&mut attempt);
        }
    }

    fn put(&self, field: &Field, image: &Image, seen: Option<&Seen>) -> Result<bool> {
        let at = self.slot.base().part(field.place());
        self.slot.target(at, self.schema.name(), &[], seen).put(image)
    }

    pub(super) fn writable(&self, index: usize) -> Result<&Field> {
        let field = self.field(index)?;
        if !field.readonly() {
            return Ok(field);
        }
        let fixed = Fixed::new(field.name(), field.place(), field.layout());
        Err(fixed.refuse(self.schema.name()))
    }
}
