//! Members of enums, and pickles of classes that a segment was opened for: both name a class.
//!
//! A class is `module:qualname`. Here it is only a name: whoever reads the value finds the class, or says
//! that it is not there.

use crate::value::Value;

/// A member of an `Enum`.
#[derive(Clone, Debug)]
pub struct EnumMember {
    /// `module:qualname` of its class.
    pub class: String,
    /// Its name; `None` of a combination of flags.
    pub name: Option<String>,
    /// Its value; `None` where that cannot be stored.
    pub value: Value,
    /// Whether it is equal to its value, as the members of `IntEnum`, `StrEnum` and `IntFlag` are.
    pub is_value: bool,
}

impl EnumMember {
    pub(super) fn is_valid(&self) -> bool {
        is_class(&self.class)
    }
}

/// An instance of a class that `allow_pickle` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pickled {
    /// `module:qualname` of its class.
    pub class: String,
    /// The pickle.
    pub data: Vec<u8>,
}

/// Whether it is `module:qualname`.
pub(super) fn is_class(text: &str) -> bool {
    text.split_once(':').is_some_and(|(module, name)| !module.is_empty() && !name.is_empty())
}
