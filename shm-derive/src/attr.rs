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

/// What there is on a type.
const CONTAINER: [&str; 4] = ["name", "crate", "bound", "version"];
/// What there is on a field.
const FIELD: [&str; 5] = ["rename", "skip", "default", "readonly", "as_bytes"];

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
                other => unknown(
                    other,
                    &entry,
                    &CONTAINER,
                    "`name`, `crate`, `bound` or `version` here",
                    diag,
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
                other => {
                    let all = "`rename`, `skip`, `default`, `readonly` or `as_bytes` on a field";
                    unknown(other, &entry, &FIELD, all, diag);
                }
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
                    // The parser's words say what it wanted to see, not what to write.
                    Err(error) => diag.error_at(
                        error.span(),
                        format!(
                            "{error}; use options as in `#[shared({example})]`, with `,` between"
                        ),
                    ),
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

/// An option that there is not: what was meant, if that can be told, else what there is.
fn unknown(name: &str, entry: &Meta, known: &[&str], all: &str, diag: &mut Diag) {
    let meant = known.iter().find(|known| is_slip(name, known));
    let all = meant.map_or_else(|| all.to_owned(), |meant| format!("`{meant}`"));
    diag.error(entry.path(), format!("unknown attribute `{name}`; use {all}"));
}

/// Whether a name is another one misspelt: a letter too many, too few, another one, or two exchanged; a
/// beginning, an ending, or an underline that is not there.
fn is_slip(written: &str, meant: &str) -> bool {
    let plain = |name: &str| -> Vec<char> { name.chars().filter(|c| *c != '_').collect() };
    let (written, meant) = (plain(&written.to_lowercase()), plain(meant));
    let (short, long) =
        if written.len() < meant.len() { (&written, &meant) } else { (&meant, &written) };
    if short.len() >= 3 && long.len() - short.len() <= 2 && long.starts_with(short) {
        return true;
    }
    let same = short.iter().zip(long.iter()).take_while(|(a, b)| a == b).count();
    let (short, long) = (&short[same..], &long[same..]);
    match long.len() - short.len() {
        0 => {
            short.get(1..) == long.get(1..)
                || (short.len() >= 2
                    && short[0] == long[1]
                    && short[1] == long[0]
                    && short[2..] == long[2..])
        }
        1 => *short == long[1..],
        _ => false,
    }
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
