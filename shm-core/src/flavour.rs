//! What a list or dict is besides: a deque, an ordered dict, a counter, an object of a class.
//!
//! The last word of a container's header. It is filled in with the rest of the header by the
//! operation that makes the object, so there is no moment at which it is missing. Rust code sees a
//! deque as a [`List`] and all others as a [`Dict`]; bindings give them the methods of their type.
//!
//! ```text
//! code 8 | parameter 56
//! list   0 plain   1 deque: most items + 1, 0 any   2 vector of a typed struct: see `typed`
//! dict   0 plain   1 defaultdict: its factory   2 ordered dict   3 counter   4 object of a class
//!        5 map of a typed struct: see `typed`
//! ```
//!
//! An object keeps its attributes under their names, and under the key `None` the name of its class
//! as `module:qualname`. Any other word is read as that of a plain container, and the checker names
//! it. Queues and topics use the word of their lists in a way of their own; nobody sees these lists.

use crate::dict::Dict;
use crate::error::{Error, Result};
use crate::handle::Object;
use crate::heap::Heap;
use crate::layout::object;
use crate::list::List;
use crate::primitive::Ordering;
use crate::segment::Segment;
use crate::value::{Key, Value};

mod typed;

pub use typed::Typed;
pub(crate) use typed::{Asked, check_sum, is_typed};
use typed::{MAP, VECTOR};

const DEQUE: u64 = 1;
const DEFAULT_DICT: u64 = 1;
const ORDERED_DICT: u64 = 2;
const COUNTER: u64 = 3;
const OBJECT: u64 = 4;

/// Most items that a deque may be bounded to.
const MOST: u64 = (1 << 56) - 2;

/// What a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListFlavour {
    /// A list.
    Plain,
    /// A double-ended queue that lets go of items at one end when it is full at the other.
    Deque {
        /// How many items it holds at most; `None`: any number.
        maxlen: Option<u64>,
    },
    /// A field of a typed struct, or a part of one, which takes values of one type.
    Typed(Typed),
}

/// What a dict is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DictFlavour {
    /// A dict.
    Plain,
    /// One that makes values for missing keys.
    DefaultDict(Factory),
    /// One whose order matters when it is compared, and can be changed.
    OrderedDict,
    /// A multiset: members and how often they are in it.
    Counter,
    /// The attributes of an instance of a class; see [`Dict::class`].
    Object,
    /// A field of a typed struct, which takes keys and values of one type each.
    Typed(Typed),
}

impl From<Typed> for ListFlavour {
    fn from(typed: Typed) -> Self {
        ListFlavour::Typed(typed)
    }
}

impl From<Typed> for DictFlavour {
    fn from(typed: Typed) -> Self {
        DictFlavour::Typed(typed)
    }
}

/// What makes the value of a missing key: the empty or zero one of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Factory {
    /// Nothing: a missing key is an error.
    None,
    /// An empty list.
    List,
    /// An empty dict.
    Dict,
    /// An empty set.
    Set,
    /// 0.
    Int,
    /// 0.0.
    Float,
    /// An empty text.
    Str,
    /// Empty bytes.
    Bytes,
    /// `()`.
    Tuple,
    /// False.
    Bool,
    /// An empty bytearray.
    ByteArray,
    /// An empty frozenset.
    FrozenSet,
}

impl Factory {
    /// Every one, by its code.
    pub const ALL: &[Factory] = &[
        Factory::None,
        Factory::List,
        Factory::Dict,
        Factory::Set,
        Factory::Int,
        Factory::Float,
        Factory::Str,
        Factory::Bytes,
        Factory::Tuple,
        Factory::Bool,
        Factory::ByteArray,
        Factory::FrozenSet,
    ];

    /// The name of its type, as Python says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Factory::None => "None",
            Factory::List => "list",
            Factory::Dict => "dict",
            Factory::Set => "set",
            Factory::Int => "int",
            Factory::Float => "float",
            Factory::Str => "str",
            Factory::Bytes => "bytes",
            Factory::Tuple => "tuple",
            Factory::Bool => "bool",
            Factory::ByteArray => "bytearray",
            Factory::FrozenSet => "frozenset",
        }
    }

    /// A value of its own; nothing where there is no factory.
    pub fn make(self, segment: &Segment) -> Result<Option<Value>> {
        Ok(Some(match self {
            Factory::None => return Ok(None),
            Factory::List => segment.list([])?.into(),
            Factory::Dict => segment.dict::<Value, Value>([])?.into(),
            Factory::Set => segment.set::<Value>([])?.into(),
            Factory::Int => Value::Int(0),
            Factory::Float => Value::Float(0.0),
            Factory::Str => Value::Str(String::new()),
            Factory::Bytes => Value::Bytes(Vec::new()),
            Factory::Tuple => Value::Tuple(Vec::new()),
            Factory::Bool => Value::Bool(false),
            Factory::ByteArray => segment.bytearray(&[])?.into(),
            Factory::FrozenSet => Value::FrozenSet(Vec::new()),
        }))
    }
}

impl ListFlavour {
    /// The word for it.
    pub(crate) fn word(self) -> Result<u64> {
        match self {
            ListFlavour::Plain => Ok(0),
            ListFlavour::Deque { maxlen: None } => Ok(DEQUE),
            ListFlavour::Typed(typed) => Ok(typed.vector()),
            ListFlavour::Deque { maxlen: Some(most) } if most <= MOST => {
                Ok(DEQUE | ((most + 1) << 8))
            }
            ListFlavour::Deque { maxlen: Some(most) } => Err(Error::InvalidArgument {
                what: format!("a deque of at most {most} items: {MOST} is the highest bound"),
            }),
        }
    }

    /// What a word means; `None` for one that means nothing.
    #[inline]
    pub(crate) fn of_word(word: u64) -> Option<Self> {
        match (word & 0xFF, word >> 8) {
            (0, 0) => Some(ListFlavour::Plain),
            (DEQUE, most) => Some(ListFlavour::Deque { maxlen: most.checked_sub(1) }),
            (VECTOR, which) => Typed::of_parameter(which).map(ListFlavour::Typed),
            _ => None,
        }
    }
}

impl DictFlavour {
    /// The word for it.
    pub(crate) fn word(self) -> u64 {
        match self {
            DictFlavour::Plain => 0,
            DictFlavour::DefaultDict(factory) => DEFAULT_DICT | ((factory as u64) << 8),
            DictFlavour::OrderedDict => ORDERED_DICT,
            DictFlavour::Counter => COUNTER,
            DictFlavour::Object => OBJECT,
            DictFlavour::Typed(typed) => typed.map(),
        }
    }

    /// What a word means; `None` for one that means nothing.
    #[inline]
    pub(crate) fn of_word(word: u64) -> Option<Self> {
        match (word & 0xFF, word >> 8) {
            (0, 0) => Some(DictFlavour::Plain),
            (DEFAULT_DICT, code) => {
                let factory = Factory::ALL.get(usize::try_from(code).ok()?)?;
                Some(DictFlavour::DefaultDict(*factory))
            }
            (ORDERED_DICT, 0) => Some(DictFlavour::OrderedDict),
            (COUNTER, 0) => Some(DictFlavour::Counter),
            (OBJECT, 0) => Some(DictFlavour::Object),
            (MAP, which) => Typed::of_parameter(which).map(DictFlavour::Typed),
            _ => None,
        }
    }
}

/// The word of an object that a handle names.
fn word_of(object: &Object) -> Result<u64> {
    Ok(object.heap().word(object.at() + object::W3)?.load(Ordering::Relaxed))
}

#[inline]
fn is_plain(object: &Object) -> bool {
    let word = object.heap().0.memory.peek(object.at() + object::W3);
    word.is_some_and(|word| word.load(Ordering::Relaxed) == 0)
}

impl List {
    /// An empty list of a flavour, made in one operation.
    pub(crate) fn empty_as(heap: &Heap, flavour: ListFlavour) -> Result<Self> {
        let word = flavour.word()?;
        let kind = crate::cell::Kind::List;
        Ok(List::from_object(Object::create(heap, kind, |tx, at| tx.fill(at + object::W3, word))?))
    }

    /// Whether it is nothing besides a list.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        is_plain(self.object())
    }

    /// What it is besides a list.
    #[inline]
    pub fn flavour(&self) -> Result<ListFlavour> {
        Ok(ListFlavour::of_word(word_of(self.object())?).unwrap_or(ListFlavour::Plain))
    }
}

impl Dict {
    /// An empty dict of a flavour, made in one operation.
    pub(crate) fn empty_as(heap: &Heap, flavour: DictFlavour) -> Result<Self> {
        let word = flavour.word();
        let kind = crate::cell::Kind::Dict;
        Ok(Dict::from_object(Object::create(heap, kind, |tx, at| tx.fill(at + object::W3, word))?))
    }

    /// Whether it is nothing besides a dict.
    #[inline]
    #[must_use]
    pub fn is_plain(&self) -> bool {
        is_plain(self.object())
    }

    /// What it is besides a dict.
    #[inline]
    pub fn flavour(&self) -> Result<DictFlavour> {
        Ok(DictFlavour::of_word(word_of(self.object())?).unwrap_or(DictFlavour::Plain))
    }

    /// Gives a defaultdict another factory.
    ///
    /// # Errors
    /// `WrongType` for any other dict.
    pub fn set_factory(&self, factory: Factory) -> Result<()> {
        let at = self.object().at();
        let new = DictFlavour::DefaultDict(factory).word();
        self.heap().write(|tx| {
            let word = tx.load(at + object::W3)?;
            match DictFlavour::of_word(word) {
                Some(DictFlavour::DefaultDict(_)) => tx.set_only(at, at + object::W3, new),
                other => Err(Error::WrongType { what: format!("{other:?} has no factory") }),
            }
        })
    }

    /// The class of an object, as `module:qualname`; `None` if it names none.
    pub fn class(&self) -> Result<Option<String>> {
        match self.get(Value::None)? {
            Some(Value::Str(name)) => Ok(Some(name)),
            _ => Ok(None),
        }
    }
}

impl Segment {
    /// A new shared deque; of more items than `maxlen`, the last ones.
    ///
    /// ```
    /// # fn main() -> Result<(), shm_core::Error> {
    /// # let seg = shm_core::Segment::create_anonymous(shm_core::SegmentOptions::new().size(1 << 20))?;
    /// let last = seg.deque([1.into(), 2.into()], Some(2))?;
    /// last.push_bounded(3)?;
    /// assert_eq!(last.to_vec()?, [2.into(), shm_core::Value::from(3)]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn deque(
        &self,
        items: impl IntoIterator<Item = Value>,
        maxlen: Option<u64>,
    ) -> Result<List> {
        let list = List::empty_as(self.heap(), ListFlavour::Deque { maxlen })?;
        let mut items: Vec<Value> = items.into_iter().collect();
        let most = maxlen.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
        items.drain(..items.len().saturating_sub(most));
        list.fill(&items)?;
        Ok(list)
    }

    /// A new shared dict of a flavour.
    pub fn dict_as<'k, K: Into<Key<'k>>, V: Into<Value>>(
        &self,
        flavour: DictFlavour,
        entries: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Dict> {
        let dict = Dict::empty_as(self.heap(), flavour)?;
        dict.fill(entries)?;
        Ok(dict)
    }

    /// A new shared object: the attributes of an instance of a class.
    pub fn instance(&self, class: &str, attributes: Vec<(Value, Value)>) -> Result<Dict> {
        let name = std::iter::once((Value::None, Value::from(class)));
        self.dict_as(DictFlavour::Object, name.chain(attributes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for maxlen in [None, Some(0), Some(1), Some(MOST)] {
            let flavour = ListFlavour::Deque { maxlen };
            assert_eq!(ListFlavour::of_word(flavour.word().unwrap()), Some(flavour));
        }
        assert!(ListFlavour::Deque { maxlen: Some(MOST + 1) }.word().is_err());
        let factories = Factory::ALL.iter().map(|factory| DictFlavour::DefaultDict(*factory));
        let others = [
            DictFlavour::Plain,
            DictFlavour::OrderedDict,
            DictFlavour::Counter,
            DictFlavour::Object,
        ];
        for flavour in factories.chain(others) {
            assert_eq!(DictFlavour::of_word(flavour.word()), Some(flavour));
        }
    }

    #[test]
    fn other_words_mean_nothing() {
        for word in [0x100, 2, u64::MAX, 0xFF] {
            assert_eq!(ListFlavour::of_word(word), None, "{word:#x}");
        }
        for word in [0x100, 0x102, 5, 1 | (12 << 8), u64::MAX, 1 << 63 | 4] {
            assert_eq!(DictFlavour::of_word(word), None, "{word:#x}");
        }
    }
}
