//! Finds what cannot be shared, before any code is written.
//!
//! Types are judged by how they are written: a name that could be the user's own (`Cell`, `Box`
//! without arguments) passes, and the compiler then reports it through the trait `Shared`, whose
//! `on_unimplemented` text says the same.

use crate::diag::Diag;
use crate::model::{Field, Model};
use proc_macro2::TokenStream;
use quote::ToTokens;
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::{Data, Fields, GenericArgument, GenericParam, Ident, PathArguments, PathSegment, Type};

/// Methods that every handle has.
const HANDLE_METHODS: [&str; 3] = ["load", "store", "update"];
/// Longest name of a schema or a field, in bytes.
const NAME_BYTES: usize = 120;

/// Records every mistake of the struct; clears `sound` of fields whose type is one.
pub(crate) fn check(model: &mut Model<'_>, diag: &mut Diag) {
    shape(model, diag);
    generics(model, diag);
    representation(model, diag);
    names(model, diag);
    methods(model, diag);
    let own = &model.input.ident;
    for field in model.fields.iter_mut().filter(|field| field.attrs.skip.is_none()) {
        if let Err((tokens, message)) = shareable(field.ty, own) {
            diag.error(tokens, message);
            field.sound = false;
        }
    }
}

fn shape(model: &Model<'_>, diag: &mut Diag) {
    match &model.input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(_) => {}
            Fields::Unnamed(fields) => diag.error(
                fields,
                "fields without names cannot be shared yet; use a struct with named fields",
            ),
            Fields::Unit => diag.error(
                &model.input.ident,
                "a struct without fields cannot be shared yet; use a struct with named fields",
            ),
        },
        Data::Enum(data) => diag.error(
            data.enum_token,
            "an enum cannot be shared yet; use a struct with a field per variant, or `Value`",
        ),
        Data::Union(data) => diag.error(
            data.union_token,
            "a union has no record of which field holds; use a struct with `Option` fields",
        ),
    }
}

fn generics(model: &Model<'_>, diag: &mut Diag) {
    for param in &model.input.generics.params {
        match param {
            GenericParam::Lifetime(lifetime) => diag.error(
                lifetime,
                "a borrow ends with this process, the segment does not; use owned fields",
            ),
            GenericParam::Type(param) => diag
                .error(param, "a generic struct cannot be shared yet; use a struct for each type"),
            GenericParam::Const(param) => diag.error(
                param,
                "a generic struct cannot be shared yet; use a named constant as the length",
            ),
        }
    }
}

fn representation(model: &Model<'_>, diag: &mut Diag) {
    for attr in model.input.attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        // What `repr` itself makes of its arguments is the compiler's business.
        let _ = attr.parse_nested_meta(|meta| {
            if meta.path.is_ident("packed") {
                diag.error(
                    &meta.path,
                    "a packed struct cannot lend its fields; use none: \
                     in the segment it has C layout anyway",
                );
            }
            if meta.input.peek(syn::token::Paren) {
                let content;
                syn::parenthesized!(content in meta.input);
                content.parse::<TokenStream>()?;
            }
            Ok(())
        });
    }
}

/// Stored names are made of letters, digits and `_` (the struct's also of `.`), and differ.
fn names(model: &Model<'_>, diag: &mut Diag) {
    if let Some(name) = &model.attrs.name
        && !name.value().split('.').all(is_name)
    {
        diag.error(
            name,
            format!(
                "{:?} is no name for a schema; use letters, digits and `_`, in parts joined by `.`",
                name.value()
            ),
        );
    }
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for field in model.stored() {
        let (name, span) = field.stored_name();
        if !is_name(&name) {
            diag.error_at(
                span,
                format!("{name:?} is no name for a field; use letters, digits and `_`"),
            );
        }
        if let Some(first) = seen.get(&name) {
            diag.error_at(
                span,
                format!("the name {name:?} is taken by the field `{first}`; use another `rename`"),
            );
        } else {
            seen.insert(name, field.ident);
        }
    }
}

/// Whether a name can be stored: an identifier of at most [`NAME_BYTES`] bytes.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && name.chars().next().is_some_and(|c| !c.is_numeric())
}

/// The handle's methods must not collide: its own, and those made of two fields.
fn methods(model: &Model<'_>, diag: &mut Diag) {
    let mut taken: HashMap<String, String> = HashMap::new();
    for field in model.stored() {
        for (name, _) in accessors(field).into_iter().skip(1) {
            taken.insert(name, field.plain_name());
        }
    }
    for field in model.stored() {
        let name = field.plain_name();
        if HANDLE_METHODS.contains(&name.as_str()) {
            diag.error(
                field.ident,
                format!(
                    "the handle has its own method `{name}`; \
                     use another field name with `#[shared(rename = \"{name}\")]`"
                ),
            );
        }
        if let Some(other) = taken.get(&name) {
            diag.error(
                field.ident,
                format!(
                    "`{name}` is also the accessor of the field `{other}`; \
                     use another field name with `#[shared(rename = \"{name}\")]`"
                ),
            );
        }
    }
}

/// The names of a field's accessors, the getter first, each with what it is for.
pub(crate) fn accessors(field: &Field<'_>) -> Vec<(String, &'static str)> {
    let name = field.plain_name();
    let mut all = vec![(name.clone(), "get"), (format!("try_{name}"), "try_get")];
    if field.attrs.readonly.is_none() {
        all.push((format!("set_{name}"), "set"));
        if field.is_integer() {
            all.push((format!("fetch_add_{name}"), "fetch_add"));
        }
    }
    all
}

/// Whether a field may have this type, as far as its spelling tells.
fn shareable(ty: &Type, own: &Ident) -> Result<(), (TokenStream, String)> {
    let refuse = |message: &str| Err((ty.to_token_stream(), message.to_owned()));
    match ty {
        Type::Array(array) => shareable(&array.elem, own),
        Type::Group(group) => shareable(&group.elem, own),
        Type::Paren(paren) => shareable(&paren.elem, own),
        Type::Path(path) => {
            if path.qself.is_none()
                && path.path.segments.len() == 1
                && path
                    .path
                    .segments
                    .iter()
                    .all(|s| s.arguments.is_none() && (s.ident == "Self" || s.ident == *own))
            {
                return refuse(
                    "a struct cannot contain itself; use `Value` to refer to another one",
                );
            }
            path.path.segments.last().map_or(Ok(()), |last| named(ty, last, own))
        }
        Type::Reference(reference) => Err((
            reference.to_token_stream(),
            match &*reference.elem {
                Type::Slice(_) => "a reference points into one process; use `List` or an array",
                elem if crate::model::primitive(elem).as_deref() == Some("str") => {
                    "a reference points into one process; use `String`"
                }
                _ => "a reference points into one process; use the type itself, by value",
            }
            .to_owned(),
        )),
        Type::Ptr(_) => refuse("a pointer means nothing in another process; use `Value`"),
        Type::FnPtr(_) => {
            refuse("a function has another address in each process; use a number that selects it")
        }
        Type::Slice(_) => refuse("a slice has no fixed length; use an array or `List`"),
        Type::Tuple(_) => refuse("a tuple has no C layout; use a struct with named fields"),
        Type::TraitObject(_) | Type::ImplTrait(_) => {
            refuse("code is not shared, so neither is a trait object; use `Value`")
        }
        // The compiler tells about `!` and `_`; macros and syntax of the future pass.
        _ => Ok(()),
    }
}

/// Judges a named type by its last path segment.
fn named(ty: &Type, segment: &PathSegment, own: &Ident) -> Result<(), (TokenStream, String)> {
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
            _ => Ok(()),
        };
    }
    match name.as_str() {
        "Option" => arguments.iter().try_for_each(|argument| match argument {
            GenericArgument::Type(inner) => shareable(inner, own),
            _ => Ok(()),
        }),
        "Box" | "Rc" | "Arc" | "Weak" | "NonNull" => refuse(format!(
            "`{name}` points into one process; use the type itself, or `Value` to refer to another \
             object"
        )),
        "Mutex" | "RwLock" | "RefCell" | "Cell" | "UnsafeCell" | "OnceCell" | "OnceLock" => {
            refuse(format!(
                "`{name}` guards within one process; use the type itself: the handle's accessors \
                 are atomic across processes"
            ))
        }
        "Vec" | "VecDeque" | "LinkedList" | "BinaryHeap" => {
            refuse(format!("`{name}` lives in one process; use `List`, or an array"))
        }
        "HashMap" | "BTreeMap" | "IndexMap" => {
            refuse(format!("`{name}` lives in one process; use `Dict`"))
        }
        "HashSet" | "BTreeSet" => refuse(format!(
            "`{name}` lives in one process; use `Dict`, or `Value` that holds a `Set`"
        )),
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
