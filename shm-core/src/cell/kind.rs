//! What a reference refers to: the type codes, and which of them have an object header.

/// What a reference refers to; codes from [`FIRST_OBJECT`] on have a 64-byte object header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Immutable text, UTF-8 (lone surrogates as in WTF-8).
    Str = 1,
    /// Immutable bytes.
    Bytes = 2,
    /// Integer beyond 62 bits.
    BigInt = 3,
    /// Immutable sequence of cells.
    Tuple = 4,
    /// Immutable set of cells, sorted by hash.
    FrozenSet = 5,
    /// Float whose exponent does not fit into a flonum.
    Float = 6,
    /// Immutable value of another type: its code and its parts, in cells.
    Extended = 7,
    /// A message in a queue: containers that are built where they arrive.
    Packed = 8,
    /// Mutable sequence of cells.
    List = 16,
    /// Insertion-ordered map.
    Dict = 17,
    /// Mutable set, insertion-ordered.
    Set = 18,
    /// Mutable bytes.
    ByteArray = 19,
    /// Typed struct with a stored schema.
    Record = 20,
    /// First-come-first-served hand-over.
    Turn = 21,
    /// Numbers of one type in any number of dimensions.
    Array = 22,
}

/// Lowest type code of an object with a header; lower codes are leaves.
pub const FIRST_OBJECT: u8 = 16;

impl Kind {
    /// The kind of a type code, if there is one.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Kind::Str,
            2 => Kind::Bytes,
            3 => Kind::BigInt,
            4 => Kind::Tuple,
            5 => Kind::FrozenSet,
            6 => Kind::Float,
            7 => Kind::Extended,
            8 => Kind::Packed,
            16 => Kind::List,
            17 => Kind::Dict,
            18 => Kind::Set,
            19 => Kind::ByteArray,
            20 => Kind::Record,
            21 => Kind::Turn,
            22 => Kind::Array,
            _ => return None,
        })
    }

    /// Whether it has a 64-byte header: a mutable object, which handles refer to.
    #[must_use]
    pub fn is_object(self) -> bool {
        self as u8 >= FIRST_OBJECT
    }

    /// Whether it is an immutable block of cells.
    #[inline]
    #[must_use]
    pub fn is_cells(self) -> bool {
        matches!(self, Kind::Tuple | Kind::FrozenSet | Kind::Extended)
    }

    /// The name that users know it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::Str => "str",
            Kind::Bytes => "bytes",
            Kind::BigInt => "int",
            Kind::Tuple => "tuple",
            Kind::FrozenSet => "frozenset",
            Kind::Float => "float",
            Kind::Extended => "extended value",
            Kind::Packed => "message",
            Kind::List => "list",
            Kind::Dict => "dict",
            Kind::Set => "set",
            Kind::ByteArray => "bytearray",
            Kind::Record => "struct",
            Kind::Turn => "turn",
            Kind::Array => "array",
        }
    }
}
