//! What a list or dict takes that is a vector or map of a typed struct.
//!
//! Its header names the schema's entry, which stays for ever, and the vector's number in the schema
//! (`schema/containers`). So every process and every handle finds what the items must be, however it came
//! by the list, and the error for any other item names the struct and the field. For all other lists that
//! is one comparison with a word of the header's line. Which struct the list belongs to is not told.
//!
//! ```text
//! word:   code 8 | number 12 | offset of the schema's entry / 16: 44
//! ```
//!
//! A vector whose elements may be any values is an ordinary list, and so is one beyond the last number.

use std::sync::Arc;

use crate::bytearray::ByteArray;
use crate::cell::{Cell, Kind, Offset};
use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::payload::Part;
use crate::primitive::Ordering;
use crate::quick::{Header, word};
use crate::record::{Elements, Step};
use crate::schema::{FieldType, Schema};
use crate::tx::Tx;
use crate::value::{Key, Value};

/// The code of a list or bytearray.
pub(super) const VECTOR: u64 = 2;
/// The code of a dict.
pub(super) const MAP: u64 = 5;

/// Bits of a container's number.
const NUMBER_BITS: u32 = 12;

/// Which vector or map, of which schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Typed(u64);

/// What a container takes, found out before anything is locked.
pub(crate) struct Takes {
    schema: Arc<Schema>,
    typed: Typed,
}

/// An entry before it is staged, and what its dict takes.
pub(crate) struct Asked {
    takes: Takes,
    key: Value,
    value: Value,
}

impl Asked {
    /// An error if the entry (of which no more than the value is new, its value) is not taken.
    #[cold]
    pub(crate) fn check(&self, is_new: bool) -> Result<()> {
        self.takes.check(Some(&self.key), &self.value, is_new)
    }
}

impl Typed {
    /// The mark of a container; `None` if it takes anything, or cannot be told.
    pub(crate) fn new(entry: Cell, schema: &Schema, number: usize) -> Option<Self> {
        let container = schema.container(number).filter(|_| number < 1 << NUMBER_BITS)?;
        let any = match container.ty {
            FieldType::Vec(element) => **element == FieldType::Value,
            FieldType::Map(key, value) => [key, value].iter().all(|ty| ***ty == FieldType::Value),
            _ => true,
        };
        let at = entry.as_ref().filter(|_| !any)?.at;
        Some(Typed((at / 16) << NUMBER_BITS | number as u64))
    }

    /// The mark of the vectors that are the elements of this one.
    pub(crate) fn inner(self, schema: &Schema) -> Option<Self> {
        Typed::new(self.entry(), schema, self.number() + 1)
    }

    #[inline]
    pub(super) fn of_parameter(parameter: u64) -> Option<Self> {
        (parameter >> NUMBER_BITS != 0).then_some(Typed(parameter))
    }

    /// The word of a list or bytearray.
    pub(crate) fn vector(self) -> u64 {
        VECTOR | (self.0 << 8)
    }

    /// The word of a dict.
    pub(crate) fn map(self) -> u64 {
        MAP | (self.0 << 8)
    }

    /// The schema's entry.
    pub(crate) fn entry(self) -> Cell {
        Cell::reference(Kind::Tuple, (self.0 >> NUMBER_BITS) * 16, 0)
    }

    pub(crate) fn number(self) -> usize {
        (self.0 & ((1 << NUMBER_BITS) - 1)) as usize
    }

    /// What the header of a container says: for all others one comparison.
    #[inline]
    fn of_word(word: u64, code: u64) -> Option<Self> {
        if word & 0xFF == code { Typed::of_parameter(word >> 8) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn check(self, heap: &Heap, sum: &Value) -> Result<()> {
        self.takes(heap)?.check(None, sum, false)
    }

    fn takes(self, heap: &Heap) -> Result<Takes> {
        let schema = Schema::at(heap, self.entry())?;
        Ok(Takes { schema, typed: self })
    }
}

/// Whether a container takes values of one type only. Of lists and dicts: a queue's word of the same place is
/// its own, and may look like a code.
#[inline]
pub(crate) fn is_typed(header: &Header, kind: Kind) -> bool {
    let code = if matches!(kind, Kind::Dict) { MAP } else { VECTOR };
    word(header, object::W3) & 0xFF == code
}

/// What a container's items must be, if they must be anything.
#[inline]
fn mark(object: &Object, code: u64) -> Option<Typed> {
    let word = object.heap().0.memory.peek(object.at() + object::W3)?.load(Ordering::Relaxed);
    Typed::of_word(word, code)
}

/// An error if the container at an offset does not take what a sum has become. Call under the lock.
#[inline]
pub(crate) fn check_sum(tx: &Tx<'_>, at: Offset, kind: Kind, sum: &Value) -> Result<()> {
    let code = if matches!(kind, Kind::Dict) { MAP } else { VECTOR };
    match Typed::of_word(tx.load(at + object::W3)?, code) {
        None => Ok(()),
        Some(typed) => typed.check(tx.heap(), sum),
    }
}

impl Takes {
    fn elements(&self) -> Result<Elements<'_>> {
        let container = self.schema.container(self.typed.number());
        container.map(Elements).ok_or_else(|| Error::InvalidArgument {
            what: format!(
                "a list or dict says that it is part {} of {:?}, which has no such vector or map",
                self.typed.number(),
                self.schema.name()
            ),
        })
    }

    /// An item, as what it is stored as.
    fn item(&self, heap: &Heap, value: Value, step: Step<'_>) -> Result<Value> {
        let value = settled(heap, value)?;
        match self.elements()?.item(&value, step)? {
            Part::Value(value) => Ok(value),
            part => {
                let inner = self.typed.inner(&self.schema);
                part.value(heap, inner.map(|inner| (&*self.schema, inner)))
            }
        }
    }

    /// An error if an entry (of which no more than the value is new, its value) is not taken.
    pub(crate) fn check(&self, key: Option<&Value>, value: &Value, is_new: bool) -> Result<()> {
        self.elements()?.check(key, value, is_new)
    }
}

/// A value that is stored, if it was a draft.
fn settled(heap: &Heap, value: Value) -> Result<Value> {
    if !matches!(value, Value::Draft(_)) {
        return Ok(value);
    }
    let list = List::new(heap, [value])?;
    Ok(list.get(0)?.unwrap_or_default())
}

impl List {
    #[inline]
    pub(crate) fn typed(&self) -> Option<Typed> {
        mark(self.object(), VECTOR)
    }

    /// A value as what it is stored as in this list.
    ///
    /// # Errors
    /// `WrongType` or `InvalidArgument` if it is a vector of something else.
    #[inline]
    pub(crate) fn accepted(&self, value: Value) -> Result<Value> {
        match self.typed() {
            None => Ok(value),
            Some(typed) => self.converted(typed, value),
        }
    }

    #[cold]
    #[inline(never)]
    fn converted(&self, typed: Typed, value: Value) -> Result<Value> {
        typed.takes(self.heap())?.item(self.heap(), value, Step::AnItem)
    }

    /// As [`accepted`](Self::accepted), for several.
    #[inline]
    pub(crate) fn accept_all(&self, values: &mut Vec<Value>) -> Result<()> {
        match self.typed() {
            None => Ok(()),
            Some(typed) => self.convert_all(typed, values),
        }
    }

    #[cold]
    #[inline(never)]
    fn convert_all(&self, typed: Typed, values: &mut Vec<Value>) -> Result<()> {
        let takes = typed.takes(self.heap())?;
        let items = std::mem::take(values).into_iter().enumerate();
        let items = items.map(|(index, value)| takes.item(self.heap(), value, Step::Item(index)));
        *values = items.collect::<Result<_>>()?;
        Ok(())
    }
}

impl Dict {
    #[inline]
    pub(crate) fn typed(&self) -> Option<Typed> {
        mark(self.object(), MAP)
    }

    /// What its entries must be, if they must be anything.
    pub(crate) fn takes(&self) -> Result<Option<Takes>> {
        self.typed().map(|typed| typed.takes(self.heap())).transpose()
    }

    /// A value that is to be put into it, ready to be looked at.
    pub(crate) fn settled(&self, value: Value) -> Result<Value> {
        settled(self.heap(), value)
    }

    /// What an operation has to look at before it stores an entry.
    pub(crate) fn asked(&self, typed: Typed, key: &Key<'_>, value: Value) -> Result<Asked> {
        Ok(Asked { takes: typed.takes(self.heap())?, key: key.to_value(), value })
    }
}

impl ByteArray {
    /// The elements and their type, if it is a vector inside of a vector.
    ///
    /// # Errors
    /// If it is closed or corrupt.
    pub fn elements(&self) -> Result<Option<(FieldType, Vec<Value>)>> {
        let Some(typed) = mark(self.object(), VECTOR) else { return Ok(None) };
        let takes = typed.takes(self.heap())?;
        let elements = takes.elements()?;
        Ok(elements.element().cloned().zip(Some(elements.decode(self)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::ListFlavour;
    use super::*;
    use crate::record::Record;
    use crate::schema::Place;
    use crate::{Segment, SegmentOptions};

    fn segment() -> Segment {
        Segment::create_anonymous(SegmentOptions::new().size(1 << 24)).unwrap()
    }

    fn record(seg: &Segment) -> Record {
        let schema = Schema::parse("a.S{names:[str],ages:map(str,u8),one:str}").unwrap();
        let tuple =
            |items: &[&str]| Value::Tuple(items.iter().map(|item| (*item).into()).collect());
        let ages = seg.dict([("x", 1)]).unwrap();
        let values = [tuple(&["a"]), ages.into(), "b".into()];
        Record::create(seg.heap(), &schema, &values).unwrap()
    }

    fn store(seg: &Segment, at: Offset, word: u64) {
        seg.heap().word(at).unwrap().store(word, Ordering::Relaxed);
    }

    fn names(record: &Record) -> List {
        let Value::List(list) = record.get("names").unwrap() else { panic!() };
        list
    }

    #[test]
    fn a_word_that_leads_nowhere_is_an_error_and_a_finding() {
        let seg = segment();
        let record = record(&seg);
        seg.root().set("record", &record).unwrap();
        let list = names(&record);
        let word = list.object().at() + object::W3;
        let right = seg.heap().load(word).unwrap();
        assert_eq!(ListFlavour::of_word(right).unwrap().word().unwrap(), right);
        let map = right & !0xFFF00 | 1 << 8;
        for wrong in [right + (1 << 20), map, right | 0xFFF00, VECTOR | u64::MAX << 8] {
            store(&seg, word, wrong);
            let findings = seg.check().unwrap().findings;
            assert!(findings.iter().any(|text| text.contains("no flavour is")), "{findings:?}");
            // Whatever becomes of it, it stays in the segment.
            let _ = (list.push(1), list.set(0, "c"), list.extend(["a"]), list.add(0, "b"));
            assert!(list.flavour().is_ok());
        }
        store(&seg, word, right);
        list.push(1).unwrap_err();
        assert_eq!(seg.check().unwrap().findings, Vec::<String>::new());
    }

    #[test]
    fn what_was_put_in_before_the_type_was_told_is_an_error_with_the_fields_name() {
        let seg = segment();
        let record = record(&seg);
        let list = names(&record);
        let word = list.object().at() + object::W3;
        let marked = seg.heap().load(word).unwrap();
        store(&seg, word, 0);
        list.push(1).unwrap();
        store(&seg, word, marked);
        let place = |cells| Place { cells, plain: 0 };
        let error = record.slot().read::<Vec<String>>(place(0)).unwrap_err().to_string();
        let expected = "a value of type str is expected, one of type int is there";
        assert_eq!(error, format!("field \"names\" of \"a.S\": {expected}"));
        let payload = seg.heap().load(record.object().at() + object::W0).unwrap();
        store(&seg, payload + 24, Cell::int(5).unwrap().0);
        let error = record.slot().read::<String>(place(2)).unwrap_err().to_string();
        assert_eq!(error, format!("field \"one\" of \"a.S\": {expected}"));
    }
}
