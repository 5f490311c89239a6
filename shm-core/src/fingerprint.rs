//! The 64-bit fingerprint of a schema: FNV-1a of its canonical text.
//!
//! The derive's fingerprints are computed by the compiler from constant descriptions, those of
//! stored schemas from their text; both give the same number for the same text. A fingerprint
//! makes the usual comparison one word long; it is no protection against a forger.

use crate::schema::{StructInfo, TypeInfo};

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
    let mut hash = bytes(bytes(hash, info.name.as_bytes()), b"{");
    let mut rest = info.fields;
    while let [field, tail @ ..] = rest {
        hash = bytes(hash, field.name.as_bytes());
        hash = bytes(hash, if field.readonly { b"!:" } else { b":" });
        hash = type_info(hash, field.ty);
        if !tail.is_empty() {
            hash = bytes(hash, b",");
        }
        rest = tail;
    }
    bytes(hash, b"}")
}

const fn type_info(hash: u64, info: &TypeInfo) -> u64 {
    match info {
        TypeInfo::Scalar(scalar) => bytes(hash, scalar.name().as_bytes()),
        TypeInfo::Str => bytes(hash, b"str"),
        TypeInfo::Value => bytes(hash, b"value"),
        TypeInfo::List => bytes(hash, b"list"),
        TypeInfo::Dict => bytes(hash, b"dict"),
        TypeInfo::Array(element, len) => {
            let hash = type_info(bytes(hash, b"["), element);
            bytes(decimal(bytes(hash, b";"), *len as u64), b"]")
        }
        TypeInfo::Option(inner) => type_info(bytes(hash, b"?"), inner),
        TypeInfo::Struct(info) => structure(hash, info),
    }
}
