//! Finds what cannot be shared, before any code is written: shapes, numbers, names. Types are judged in `types`.

use crate::diag::Diag;
use crate::model::{Field, Model, representation as representation_of, stored};
use crate::types::shareable;
use proc_macro2::TokenStream;
use std::collections::HashMap;
use syn::ext::IdentExt;
use syn::{Data, GenericParam, Member, Type};

/// Methods that every handle has.
const HANDLE_METHODS: [&str; 3] = ["load", "store", "update"];
/// Longest name of a schema or a field, in bytes.
const NAME_BYTES: usize = 120;

/// Records every mistake of the type; clears `sound` of fields whose type is one.
pub(crate) fn check(model: &mut Model<'_>, diag: &mut Diag) {
    shape(model, diag);
    generics(model, diag);
    representation(model, diag);
    names(model, diag);
    methods(model, diag);
    variants(model, diag);
    let own = &model.input.ident;
    for field in model.all_fields().filter(|field| field.attrs.skip.is_none()) {
        // The bytes of an address are known to be of no use; of other types zerocopy's traits tell.
        let address = matches!(field.written, Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_));
        if field.attrs.as_bytes.is_some() && !address {
            continue;
        }
        if let Err((tokens, message)) = shareable(field.written, own) {
            diag.error(tokens, message);
            field.sound = false;
        }
    }
}

fn shape(model: &Model<'_>, diag: &mut Diag) {
    match &model.input.data {
        Data::Enum(data) if data.variants.is_empty() => diag.error(
            &model.input.ident,
            "an enum without variants has no values; use a struct without fields",
        ),
        Data::Struct(_) | Data::Enum(_) => {}
        Data::Union(data) => diag.error(
            data.union_token,
            "a union has no record of which field holds; use an enum, or a struct with `Option`s",
        ),
    }
}

fn generics(model: &Model<'_>, diag: &mut Diag) {
    for param in &model.input.generics.params {
        if let GenericParam::Lifetime(lifetime) = param {
            diag.error(
                lifetime,
                "a borrow ends with this process, the segment does not; use owned fields",
            );
        }
    }
    if let Some((bound, _)) = &model.attrs.bound
        && !model.is_generic()
    {
        diag.error(
            bound,
            "`bound` is for type parameters, and there are none; use it on a generic type",
        );
    }
}

/// What only enums have: numbers of variants, and fields inside of variants.
fn variants(model: &Model<'_>, diag: &mut Diag) {
    if !model.is_enum() {
        return;
    }
    if let Some(version) = &model.attrs.version {
        diag.error(
            version,
            "an enum is compared as a part of its struct; use `version` on the struct",
        );
    }
    let repr = representation_of(model.input);
    if let Some(repr) = &repr
        && (repr == "usize" || repr == "isize")
    {
        let fixed = if repr == "usize" { "u64" } else { "i64" };
        diag.error(repr, format!("`{repr}` differs between platforms; use `{fixed}`"));
    }
    if repr.is_none() && model.variants.len() > 256 {
        diag.error(
            &model.input.ident,
            "more than 256 variants do not fit into `u8`; use `#[repr(u16)]`",
        );
    }
    for variant in &model.variants {
        if let Some((_, number)) = &variant.variant.discriminant
            && repr.is_none()
        {
            diag.error(
                number,
                "numbers of variants are stored, so their width must be said; use `#[repr(u8)]` or \
                 another integer on the enum",
            );
        }
        for attr in variant.variant.attrs.iter().filter(|attr| attr.path().is_ident("shared")) {
            diag.error(attr, "a variant has no options; use `#[shared(...)]` on its fields");
        }
        field_names(&variant.fields, diag);
        for field in &variant.fields {
            for (what, given) in
                [("readonly", &field.attrs.readonly), ("default", &field.attrs.default)]
            {
                if let Some(given) = given {
                    diag.error(
                        given,
                        format!(
                            "`{what}` is for fields of structs, a variant is set as a whole; use \
                             it on the field that has the enum"
                        ),
                    );
                }
            }
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
        && !is_schema_name(&name.value(), model.is_generic())
    {
        diag.error(
            name,
            format!(
                "{:?} is no name for a schema; use letters, digits and `_`, in parts joined by `.`",
                name.value()
            ),
        );
    }
    field_names(&model.fields, diag);
}

fn field_names(fields: &[Field<'_>], diag: &mut Diag) {
    let mut seen: HashMap<String, &Field<'_>> = HashMap::new();
    for field in stored(fields) {
        let (name, span) = field.stored_name();
        if !is_name(&name) {
            diag.error_at(
                span,
                format!("{name:?} is no name for a field; use letters, digits and `_`"),
            );
        }
        if let Some(&first) = seen.get(&name) {
            // Of the two, the one that was renamed is the mistake.
            let (span, other) = if field.attrs.rename.is_some() {
                (span, first)
            } else {
                (first.stored_name().1, field)
            };
            let other = other.plain_name();
            diag.error_at(
                span,
                format!("the name {name:?} is taken by the field `{other}`; use another `rename`"),
            );
        } else {
            seen.insert(name, field);
        }
    }
}

/// Whether a schema can have this name. A type without parameters may be what a generic one is with some, as the
/// source of a stored schema has it: `Pair<u8,?str>`.
fn is_schema_name(name: &str, is_generic: bool) -> bool {
    let (plain, arguments) = name.split_at(name.find('<').unwrap_or(name.len()));
    let inside = |c: char| c.is_alphanumeric() || "_.<>[];?&(),-".contains(c);
    plain.split('.').all(is_name)
        && name.len() <= NAME_BYTES
        && arguments.chars().all(inside)
        && (arguments.is_empty() || (!is_generic && arguments.ends_with('>')))
        && arguments.matches('<').count() == arguments.matches('>').count()
}

/// Whether a name can be stored: an identifier of at most [`NAME_BYTES`] bytes.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES
        && name.chars().all(|c| c == '_' || c.is_alphanumeric())
        && name.chars().next().is_some_and(|c| !c.is_numeric())
}

/// The handle's methods must not collide: its own, and those made of two fields.
fn methods(model: &Model<'_>, diag: &mut Diag) {
    let numbered = |field: &&Field<'_>| matches!(field.member, Member::Unnamed(_));
    if model.fields.iter().any(|field| numbered(&field)) {
        return;
    }
    let mut taken: HashMap<String, String> = HashMap::new();
    for field in model.stored() {
        for (name, _) in accessors(field).into_iter().skip(1) {
            taken.insert(name, field.plain_name());
        }
    }
    for field in model.stored() {
        let name = field.plain_name();
        if HANDLE_METHODS.contains(&name.as_str()) {
            diag.error_at(
                field.span(),
                format!(
                    "the handle has its own method `{name}`; \
                     use another field name with `#[shared(rename = \"{name}\")]`"
                ),
            );
        }
        if let Some(other) = taken.get(&name) {
            diag.error_at(
                field.span(),
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
    let getter = field.getter().unraw().to_string();
    let mut all = vec![(getter, "get"), (format!("try_{name}"), "try_get")];
    if field.attrs.readonly.is_none() {
        all.push((format!("set_{name}"), "set"));
        if field.is_integer() {
            all.push((format!("fetch_add_{name}"), "fetch_add"));
            all.push((format!("swap_{name}"), "swap"));
            all.push((format!("compare_exchange_{name}"), "compare_exchange"));
        }
        if field.array().is_some() {
            all.push((format!("items_{name}"), "items"));
        }
    }
    all
}
