//! Judges the types of fields by how they are written.
//!
//! A name that could be the user's own (`Cell`, `Box` without arguments, anything below `crate`) passes, and
//! the compiler then reports it through the trait `Shared`, whose `on_unimplemented` text says the same.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{GenericArgument, Ident, PathArguments, PathSegment, Type};

/// Whether a field may have this type, as far as its spelling tells.
pub(crate) fn shareable(ty: &Type, own: &Ident) -> Result<(), (TokenStream, String)> {
    let refuse = |message: &str| Err((ty.to_token_stream(), message.to_owned()));
    match ty {
        Type::Array(array) => shareable(&array.elem, own),
        Type::Group(group) => shareable(&group.elem, own),
        Type::Paren(paren) => shareable(&paren.elem, own),
        Type::Path(path) => {
            if path.qself.is_none()
                && path.path.segments.len() == 1
                && path.path.segments.iter().all(|s| s.ident == "Self" || s.ident == *own)
            {
                return refuse(
                    "a type cannot contain itself; use `Option<Link<..>>` to refer to another one",
                );
            }
            let from = path.path.segments.first().map(|first| first.ident.to_string());
            // The user's own type, whatever its name.
            if matches!(from.as_deref(), Some("crate" | "self" | "super")) {
                return Ok(());
            }
            let std = path.path.segments.len() > 1
                && matches!(from.as_deref(), Some("std" | "core" | "alloc"));
            path.path.segments.last().map_or(Ok(()), |last| named(ty, last, std, own))
        }
        Type::Reference(reference) => Err((
            reference.to_token_stream(),
            match &*reference.elem {
                Type::Slice(_) => "a reference points into one process; use `Vec`, or an array",
                elem if crate::model::primitive(elem).as_deref() == Some("str") => {
                    "a reference points into one process; use `String`"
                }
                _ => "a reference points into one process; use the type itself, by value",
            }
            .to_owned(),
        )),
        Type::Ptr(_) => {
            refuse("a pointer means nothing in another process; use `Link<..>`, or the type itself")
        }
        Type::FnPtr(_) => {
            refuse("a function has another address in each process; use a number that selects it")
        }
        Type::Slice(_) => refuse("a slice has no fixed length; use `Vec`, or an array"),
        Type::Tuple(tuple) if tuple.elems.is_empty() => {
            refuse("`()` holds nothing; use `#[shared(skip)]` on it, or `bool`")
        }
        Type::Tuple(tuple) if tuple.elems.len() > 8 => {
            refuse("a tuple of more than 8 parts is unreadable; use a struct with named fields")
        }
        Type::Tuple(tuple) => tuple.elems.iter().try_for_each(|part| shareable(part, own)),
        Type::TraitObject(_) | Type::ImplTrait(_) => {
            refuse("code is not shared, so neither is a trait object; use `Value`")
        }
        Type::Infer(_) => refuse("the type of a field cannot be inferred; use its name"),
        // The compiler tells about `!`; macros and syntax of the future pass.
        _ => Ok(()),
    }
}

/// Judges a named type by its last path segment; `std` is whether the path begins with the standard library.
fn named(
    ty: &Type,
    segment: &PathSegment,
    std: bool,
    own: &Ident,
) -> Result<(), (TokenStream, String)> {
    let name = segment.ident.unraw().to_string();
    let refuse = |message: String| Err((ty.to_token_stream(), message));
    let arguments = match &segment.arguments {
        PathArguments::None => Vec::new(),
        PathArguments::AngleBracketed(list) => list.args.iter().collect(),
        PathArguments::Parenthesized(_) => {
            return refuse("code is not shared, so neither is a closure; use `Value`".to_owned());
        }
    };
    if arguments.is_empty() {
        return match name.as_str() {
            "usize" => refuse("`usize` differs between platforms; use `u64`".to_owned()),
            "isize" => refuse("`isize` differs between platforms; use `i64`".to_owned()),
            "str" => refuse("`str` has no fixed length; use `String`".to_owned()),
            _ => {
                let instead = atomic(&name).or_else(|| if std { of_std(&name) } else { None });
                instead.map_or(Ok(()), &refuse)
            }
        };
    }
    match name.as_str() {
        "Option" => arguments.iter().try_for_each(|argument| match argument {
            GenericArgument::Type(inner) => shareable(inner, own),
            _ => Ok(()),
        }),
        "Box" | "Rc" | "Arc" | "Weak" | "NonNull" => refuse(format!(
            "`{name}` points into one process; use the type itself, or `Link<..>` to refer to another \
             struct"
        )),
        "Mutex" | "RwLock" | "RefCell" | "Cell" | "UnsafeCell" | "OnceCell" | "OnceLock"
        | "LazyCell" | "LazyLock" => refuse(format!(
            "`{name}` guards within one process; use the type itself: the handle's accessors \
                 are atomic across processes"
        )),
        "VecDeque" | "LinkedList" | "BinaryHeap" => {
            refuse(format!("`{name}` has no form in a segment; use `Vec` or `List`"))
        }
        "IndexMap" => {
            refuse(format!("`{name}` has no form in a segment; use `BTreeMap` or `Dict`"))
        }
        // A link refers, so it may name the type itself.
        "Link" => Ok(()),
        "Vec" | "HashMap" | "BTreeMap" => {
            arguments.iter().try_for_each(|argument| match argument {
                GenericArgument::Type(inner) => shareable(inner, own),
                _ => Ok(()),
            })
        }
        "HashSet" | "BTreeSet" => refuse(format!("`{name}` lives in one process; use `Set`")),
        "Cow" => refuse("`Cow` may borrow from one process; use `String`".to_owned()),
        "PhantomData" => {
            refuse("`PhantomData` stores nothing; use `#[shared(skip)]` on it".to_owned())
        }
        _ => arguments.iter().try_for_each(|argument| match argument {
            GenericArgument::Lifetime(lifetime) => Err((
                lifetime.to_token_stream(),
                "a borrow ends with this process, the segment does not; use an owned type"
                    .to_owned(),
            )),
            _ => Ok(()),
        }),
    }
}

/// What is wrong with an atomic of the standard library, or of a crate that has the same.
fn atomic(name: &str) -> Option<String> {
    let kind = name.strip_prefix("Atomic")?;
    let plain = match kind {
        "Bool" => "bool",
        "I8" => "i8",
        "I16" => "i16",
        "I32" => "i32",
        "I64" | "Isize" => "i64",
        "U8" => "u8",
        "U16" => "u16",
        "U32" => "u32",
        "U64" | "Usize" => "u64",
        _ => return None,
    };
    Some(format!(
        "`{name}` is atomic for who holds a reference to it; use `{plain}`: the handle's accessors \
         are atomic across processes"
    ))
}

/// What is wrong with a type of the standard library that has no parameters.
fn of_std(name: &str) -> Option<String> {
    Some(match name {
        "Instant" => "an `Instant` means nothing in another process; use `SystemTime`".to_owned(),
        "PathBuf" | "OsString" | "CString" => {
            format!("`{name}` has no form in a segment; use `String`, or `Vec<u8>`")
        }
        _ => {
            let number = name.strip_prefix("NonZero").map(str::to_lowercase)?;
            let number = match number.as_str() {
                "usize" => "u64".to_owned(),
                "isize" => "i64".to_owned(),
                _ => number,
            };
            format!("`{name}` has bits that are no value; use `{number}`")
        }
    })
}
