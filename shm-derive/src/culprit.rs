//! Where an error about a field's type is underlined: at the part that can be at fault.
//!
//! `Option<Cell<u8>>` is no field because of what is in the `Option`. The compiler is told of the whole type, and
//! underlines what it is told of, so the tokens of generated code have the places of that part. Parts are judged by their
//! spelling; where more than one could be meant it is the whole type.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type};

/// The type with its tokens at the place of what is underlined, and the first and the last such place.
pub(crate) fn underlined(ty: &Type) -> (TokenStream, Span, Span) {
    let part = culprit(ty);
    let mut tokens = part.to_token_stream().into_iter();
    let first = tokens.next().map_or_else(Span::mixed_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    let whole = ty.to_token_stream();
    // Else they stay where they are, so that what else is wrong with them is told there.
    let whole = if std::ptr::eq(part, ty) { whole } else { moved(whole, first, last) };
    (whole, first, last)
}

/// The first token at one place and all others at another, which together is from the one to the other.
fn moved(tokens: TokenStream, first: Span, others: Span) -> TokenStream {
    let mut to = first;
    let token = |token: TokenTree| {
        let place = token.span().located_at(to);
        let mut token = match token {
            TokenTree::Group(group) => {
                let content = moved(group.stream(), to, others);
                Group::new(group.delimiter(), content).into()
            }
            other => other,
        };
        token.set_span(place);
        to = others;
        token
    };
    tokens.into_iter().map(token).collect()
}

/// The only part of the type that could be no field, or the type.
fn culprit(ty: &Type) -> &Type {
    let doubtful: Vec<&Type> = parts(ty).into_iter().filter(|part| !is_sure(part)).collect();
    match doubtful[..] {
        [only] => culprit(only),
        _ => ty,
    }
}

/// The types that a type is put together of, if it is one that we know.
fn parts(ty: &Type) -> Vec<&Type> {
    match ty {
        Type::Array(array) => vec![&array.elem],
        Type::Group(group) => parts(&group.elem),
        Type::Paren(paren) => parts(&paren.elem),
        Type::Tuple(tuple) => tuple.elems.iter().collect(),
        Type::Path(path) if path.qself.is_none() => {
            let Some(last) = path.path.segments.last() else { return Vec::new() };
            let known = ["Option", "Vec", "Link", "BTreeMap", "HashMap"];
            match &last.arguments {
                PathArguments::AngleBracketed(list)
                    if known.iter().any(|name| last.ident == name) =>
                {
                    let types = list.args.iter().filter_map(|argument| match argument {
                        GenericArgument::Type(ty) => Some(ty),
                        _ => None,
                    });
                    types.collect()
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// Whether a type can be a part of any of these.
fn is_sure(ty: &Type) -> bool {
    let scalar = |name: String| {
        let others = ["bool", "char", "f32", "f64", "String"];
        crate::model::is_integer(&name) || others.contains(&name.as_str())
    };
    crate::model::primitive(ty).is_some_and(scalar)
        || (!parts(ty).is_empty() && parts(ty).into_iter().all(is_sure))
}
