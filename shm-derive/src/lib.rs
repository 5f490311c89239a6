//! `#[derive(Shared)]`: from an annotated struct to its layout, its typed handle and its schema.
//!
//! The pipeline is the list of files: `attr` reads `#[shared(...)]`, `model` is the type as
//! the later steps see it, `check` and `types` find what cannot be shared, `expand` with `accessors`, and
//! `variants`, write the code, at places that `culprit` tells. All
//! mistakes are collected in `diag` and reported at once, each at its token; then `fallback`
//! stands in for the code, so that one mistake gives one error.
//!
//! Generated code names everything by absolute paths below `::shm::__private` (or the path given
//! by `#[shared(crate = path)]`), so that it needs nothing in scope.

use proc_macro2::TokenStream;
use syn::DeriveInput;

mod accessors;
mod attr;
mod check;
mod culprit;
mod diag;
mod expand;
mod fallback;
mod itself;
mod model;
#[cfg(test)]
mod tests;
mod types;
mod variants;

/// Makes a struct shareable: its layout, a handle `…Ref` with typed accessors, its schema.
///
/// See the trait `Shared` of the crate `shm` for what it gives and which types fields may have.
///
/// Structs with named fields, with numbered ones (accessors `get_0`, `set_0`, ..) and without any;
/// enums, whose variants may have fields: they are fields of structs; both may have type parameters
/// and const parameters. A field may refer to its own kind: `Option<Link<Self>>`, made of a handle by `into()`.
///
/// On the type: `#[shared(name = "plant.Sensor")]` is the name that its schema is stored under
/// (else the type's own name), `version = 2` the version of its fields, `bound(T: Shared + Copy)`
/// what its type parameters must be, `crate = path` where the crate `shm` is found.
///
/// On a field: `#[shared(rename = "...")]` is its stored name, `skip` keeps it out of the segment
/// (`Default` on load), `default` reads structs of programs that did not know the field yet,
/// `readonly` gives it no setter, and `store` and `update` refuse to change it (of a struct that
/// is a field of another, the outer one's setter, `store` and `update` replace all), `as_bytes` stores a
/// type of your own as its bytes (it needs zerocopy's `FromBytes`, `IntoBytes` and `Immutable`).
#[proc_macro_derive(Shared, attributes(shared))]
pub fn derive_shared(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as DeriveInput);
    derive(&input).into()
}

/// The derive without the compiler around it.
fn derive(input: &DeriveInput) -> TokenStream {
    let mut diag = diag::Diag::default();
    let mut model = model::Model::new(input, &mut diag);
    check::check(&mut model, &mut diag);
    match diag.into_compile_errors() {
        None => expand::expand(&model),
        Some(mut errors) => {
            errors.extend(fallback::fallback(&model));
            errors
        }
    }
}
