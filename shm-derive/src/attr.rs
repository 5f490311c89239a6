//! Reads `#[shared(...)]` of the struct or enum and of its fields.
//!
//! Each entry is checked on its own, so that a mistake in one hides none in the next.

use crate::diag::Diag;
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Lit, LitInt, LitStr, Meta, Path, Token, WherePredicate};

/// What `#[shared(...)]` on the struct says.
#[derive(Default)]
pub(crate) struct ContainerAttrs {
    /// The name that the schema is stored under.
    pub(crate) name: Option<LitStr>,
    /// Where the crate `shm` is.
    pub(crate) krate: Option<Path>,
    /// What type parameters must be, in the place of `Shared`.
    pub(crate) bound: Option<(Path, Bounds)>,
    /// The version of the fields.
    pub(crate) version: Option<LitInt>,
}

/// Predicates of a where clause.
pub(crate) type Bounds = Punctuated<WherePredicate, Token![,]>;

/// What `#[shared(...)]` on a field says.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    /// The stored name.
    pub(crate) rename: Option<LitStr>,
    /// Not stored; `Default` on load.
    pub(crate) skip: Option<Path>,
    /// Written once, by `alloc`.
    pub(crate) readonly: Option<Path>,
    /// `Default` if the struct was stored without it.
    pub(crate) default: Option<Path>,
    /// Stored as its bytes.
    pub(crate) as_bytes: Option<Path>,
}

impl ContainerAttrs {
    /// Reads the struct's attributes.
    pub(crate) fn read(attrs: &[Attribute], diag: &mut Diag) -> Self {
        let mut found = ContainerAttrs::default();
        for entry in entries(attrs, "name = \"...\"", diag) {
            match key(&entry).as_str() {
                "name" => {
                    let value = text(&entry, diag);
                    once(&mut found.name, value, &entry, diag);
                }
                "crate" => {
                    let value = path(&entry, diag);
                    once(&mut found.krate, value, &entry, diag);
                }
                "bound" => {
                    let value = bounds(&entry, diag);
                    once(&mut found.bound, value, &entry, diag);
                }
                "version" => {
                    let value = version(&entry, diag);
                    once(&mut found.version, value, &entry, diag);
                }
                field @ ("rename" | "skip" | "readonly" | "default" | "as_bytes") => diag.error(
                    entry.path(),
                    format!("`{field}` belongs on a field; use `name` to name the struct"),
                ),
                other => diag.error(
                    entry.path(),
                    format!("unknown attribute `{other}`; use `name`, `crate`, `bound` or `version` here"),
                ),
            }
        }
        found
    }
}

impl FieldAttrs {
    /// Reads a field's attributes.
    pub(crate) fn read(attrs: &[Attribute], diag: &mut Diag) -> Self {
        let mut found = FieldAttrs::default();
        for entry in entries(attrs, "skip", diag) {
            match key(&entry).as_str() {
                "rename" => {
                    let value = text(&entry, diag);
                    once(&mut found.rename, value, &entry, diag);
                }
                "skip" => {
                    let value = flag(&entry, diag);
                    once(&mut found.skip, value, &entry, diag);
                }
                "readonly" => {
                    let value = flag(&entry, diag);
                    once(&mut found.readonly, value, &entry, diag);
                }
                "default" => {
                    let value = flag(&entry, diag);
                    once(&mut found.default, value, &entry, diag);
                }
                "as_bytes" => {
                    let value = flag(&entry, diag);
                    once(&mut found.as_bytes, value, &entry, diag);
                }
                container @ ("name" | "crate" | "bound" | "version") => diag.error(
                    entry.path(),
                    format!("`{container}` belongs on the struct; use `rename` to name a field"),
                ),
                other => diag.error(
                    entry.path(),
                    format!(
                        "unknown attribute `{other}`; \
                         use `rename`, `skip`, `default`, `readonly` or `as_bytes` on a field"
                    ),
                ),
            }
        }
        if let Some(skip) = &found.skip {
            for (other, given) in [
                ("rename", found.rename.is_some()),
                ("readonly", found.readonly.is_some()),
                ("default", found.default.is_some()),
                ("as_bytes", found.as_bytes.is_some()),
            ] {
                if given {
                    diag.error(
                        skip,
                        format!("a skipped field is not stored, so `{other}` has no effect; use one of the two"),
                    );
                }
            }
        }
        found
    }
}

/// The entries of all `#[shared(...)]` among these attributes.
fn entries(attrs: &[Attribute], example: &str, diag: &mut Diag) -> Vec<Meta> {
    let mut all = Vec::new();
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("shared")) {
        match &attr.meta {
            Meta::List(list) => {
                match list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
                    Ok(entries) => all.extend(entries),
                    Err(error) => diag.push(error),
                }
            }
            other => diag.error(
                other,
                format!("`shared` takes its options in parentheses; use `#[shared({example})]`"),
            ),
        }
    }
    all
}

fn key(entry: &Meta) -> String {
    let path = entry.path();
    path.get_ident().map_or_else(|| path.to_token_stream().to_string(), ToString::to_string)
}

/// Keeps the first value; a second one is a mistake.
fn once<T>(slot: &mut Option<T>, value: Option<T>, entry: &Meta, diag: &mut Diag) {
    if slot.is_some() {
        diag.error(entry.path(), format!("duplicate attribute `{}`; use it once", key(entry)));
    } else {
        *slot = value;
    }
}

fn text(entry: &Meta, diag: &mut Diag) -> Option<LitStr> {
    if let Meta::NameValue(pair) = entry
        && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value
    {
        return Some(text.clone());
    }
    let key = key(entry);
    diag.error(entry, format!("`{key}` needs a string; use `{key} = \"...\"`"));
    None
}

fn path(entry: &Meta, diag: &mut Diag) -> Option<Path> {
    if let Meta::NameValue(pair) = entry {
        match &pair.value {
            Expr::Path(path) if path.qself.is_none() => return Some(path.path.clone()),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
                diag.error(
                    text,
                    format!("`crate` needs a path, not a string; use `crate = {}`", text.value()),
                );
                return None;
            }
            _ => {}
        }
    }
    diag.error(entry, "`crate` needs a path; use `crate = ::path::to::shm`");
    None
}

fn bounds(entry: &Meta, diag: &mut Diag) -> Option<(Path, Bounds)> {
    if let Meta::List(list) = entry {
        return match list.parse_args_with(Bounds::parse_terminated) {
            Ok(bounds) => Some((list.path.clone(), bounds)),
            Err(error) => {
                let found = "`bound` takes what a where clause has";
                diag.error_at(error.span(), format!("{found}; use `bound(T: Shared + Clone)`"));
                None
            }
        };
    }
    diag.error(entry, "`bound` takes its conditions in parentheses; use `bound(T: Shared)`");
    None
}

fn version(entry: &Meta, diag: &mut Diag) -> Option<LitInt> {
    if let Meta::NameValue(pair) = entry
        && let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &pair.value
    {
        if number.base10_parse::<u32>().is_ok_and(|version| version > 0) {
            return Some(number.clone());
        }
        diag.error(number, format!("{number} is no version; use a number from 1 to {}", u32::MAX));
        return None;
    }
    diag.error(entry, "`version` needs a number; use `version = 1`");
    None
}

fn flag(entry: &Meta, diag: &mut Diag) -> Option<Path> {
    if let Meta::Path(path) = entry {
        return Some(path.clone());
    }
    let key = key(entry);
    diag.error(entry, format!("`{key}` takes no value; use `{key}` alone"));
    None
}
