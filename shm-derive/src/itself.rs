//! `Self` in the types of fields, as code outside of the struct may write it.
//!
//! Generated code names field types in impls of the handle and in free functions, where `Self` is another type
//! or none. So it is replaced by the type's own name with its parameters, before anything else is made of
//! a field. Everything but that keeps its tokens and their places.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{DeriveInput, Type};

/// The type with `Self` spelled out.
pub(crate) fn spelled_out(ty: &Type, input: &DeriveInput) -> Type {
    let tokens = ty.to_token_stream();
    if !mentions(&tokens) {
        return ty.clone();
    }
    let (_, parameters, _) = input.generics.split_for_impl();
    let parameters = quote!(#parameters);
    // What cannot be parsed any more was no type before either: the compiler says so of the struct itself.
    syn::parse2(replaced(tokens, &input.ident, &parameters)).unwrap_or_else(|_| ty.clone())
}

fn mentions(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => mentions(&group.stream()),
        _ => false,
    })
}

fn replaced(tokens: TokenStream, name: &Ident, parameters: &TokenStream) -> TokenStream {
    let token = |token| match token {
        TokenTree::Ident(ident) if ident == "Self" => {
            let spelling = name.unraw().to_string();
            let name = if *name == spelling {
                Ident::new(&spelling, ident.span())
            } else {
                Ident::new_raw(&spelling, ident.span())
            };
            quote!(#name #parameters)
        }
        TokenTree::Group(group) => {
            let content = replaced(group.stream(), name, parameters);
            let mut same = Group::new(group.delimiter(), content);
            same.set_span(group.span());
            TokenTree::Group(same).into()
        }
        other => other.into(),
    };
    tokens.into_iter().flat_map(|found| -> TokenStream { token(found) }).collect()
}
