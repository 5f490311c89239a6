//! The 64-bit fingerprint of a schema: FNV-1a of its canonical text.
//!
//! The derive's fingerprints are computed by the compiler from constant descriptions, those of
//! stored schemas from their text; both give the same number for the same text. A fingerprint
//! makes the usual comparison one word long; it is no protection against a forger.

use crate::schema::{ArgInfo, EnumInfo, FieldInfo, NameInfo, StructInfo, TypeInfo};

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// The fingerprint of a canonical text.
#[must_use]
pub(crate) const fn of_text(text: &str) -> u64 {
    bytes(BASIS, text.as_bytes())
}

/// The fingerprint of the canonical text that a description stands for.
#[must_use]
pub(crate) const fn of_struct(info: &StructInfo) -> u64 {
    structure(BASIS, info)
}

const fn bytes(mut hash: u64, mut rest: &[u8]) -> u64 {
    while let [first, tail @ ..] = rest {
        hash = (hash ^ *first as u64).wrapping_mul(PRIME);
        rest = tail;
    }
    hash
}

const fn decimal(hash: u64, number: u64) -> u64 {
    let hash = if number >= 10 { decimal(hash, number / 10) } else { hash };
    bytes(hash, &[b'0' + (number % 10) as u8])
}

const fn structure(hash: u64, info: &StructInfo) -> u64 {
    let mut hash = name(hash, info.name);
    if info.name.version > 0 {
        hash = decimal(bytes(hash, b"@"), info.name.version as u64);
    }
    hash = fields(bytes(hash, b"{"), info.fields);
    bytes(hash, b"}")
}

const fn fields(mut hash: u64, mut rest: &[FieldInfo]) -> u64 {
    while let [field, tail @ ..] = rest {
        hash = bytes(hash, field.name.as_bytes());
        hash = bytes(hash, if field.readonly { b"!:" } else { b":" });
        hash = type_info(hash, field.ty, false);
        if !tail.is_empty() {
            hash = bytes(hash, b",");
        }
        rest = tail;
    }
    hash
}

const fn name(hash: u64, info: &NameInfo) -> u64 {
    let mut hash = bytes(hash, info.name.as_bytes());
    if info.args.is_empty() {
        return hash;
    }
    hash = bytes(hash, b"<");
    let mut rest = info.args;
    while let [arg, tail @ ..] = rest {
        hash = match arg {
            ArgInfo::Type(ty) => type_info(hash, ty, true),
            ArgInfo::Number(number) => signed(hash, *number),
        };
        if !tail.is_empty() {
            hash = bytes(hash, b",");
        }
        rest = tail;
    }
    bytes(hash, b">")
}

const fn signed(hash: u64, number: i128) -> u64 {
    let hash = if number < 0 { bytes(hash, b"-") } else { hash };
    wide(hash, number.unsigned_abs())
}

const fn wide(hash: u64, number: u128) -> u64 {
    let hash = if number >= 10 { wide(hash, number / 10) } else { hash };
    bytes(hash, &[b'0' + (number % 10) as u8])
}

const fn variants(mut hash: u64, info: &EnumInfo) -> u64 {
    hash = bytes(name(hash, info.name), b":");
    hash = bytes(bytes(hash, info.tag.name().as_bytes()), b"{");
    let mut rest = info.variants;
    while let [variant, tail @ ..] = rest {
        hash = signed(bytes(bytes(hash, variant.name.as_bytes()), b"="), variant.value);
        if !variant.fields.is_empty() {
            hash = bytes(fields(bytes(hash, b"{"), variant.fields), b"}");
        }
        if !tail.is_empty() {
            hash = bytes(hash, b",");
        }
        rest = tail;
    }
    bytes(hash, b"}")
}

/// With `short`, structs and enums are their names alone.
const fn type_info(hash: u64, info: &TypeInfo, short: bool) -> u64 {
    match info {
        TypeInfo::Scalar(scalar) => bytes(hash, scalar.name().as_bytes()),
        TypeInfo::Str => bytes(hash, b"str"),
        TypeInfo::Value => bytes(hash, b"value"),
        TypeInfo::List => bytes(hash, b"list"),
        TypeInfo::Dict => bytes(hash, b"dict"),
        TypeInfo::Set => bytes(hash, b"set"),
        TypeInfo::ByteArray => bytes(hash, b"bytearray"),
        TypeInfo::Array(element, len) => {
            let hash = type_info(bytes(hash, b"["), element, short);
            bytes(decimal(bytes(hash, b";"), *len as u64), b"]")
        }
        TypeInfo::Option(inner) => type_info(bytes(hash, b"?"), inner, short),
        TypeInfo::Vec(element) => bytes(type_info(bytes(hash, b"["), element, short), b"]"),
        TypeInfo::Map(key, value) => {
            let hash = type_info(bytes(hash, b"map("), key, short);
            bytes(type_info(bytes(hash, b","), value, short), b")")
        }
        TypeInfo::Tuple(parts) => {
            let mut hash = bytes(hash, b"(");
            let mut rest = *parts;
            while let [part, tail @ ..] = rest {
                hash = type_info(hash, part, short);
                if !tail.is_empty() {
                    hash = bytes(hash, b",");
                }
                rest = tail;
            }
            bytes(hash, b")")
        }
        TypeInfo::Link(to) => name(bytes(hash, b"&"), to),
        TypeInfo::Struct(info) if short => name(hash, info.name),
        TypeInfo::Enum(info) if short => name(hash, info.name),
        TypeInfo::Struct(info) => structure(hash, info),
        TypeInfo::Enum(info) => variants(hash, info),
    }
}
