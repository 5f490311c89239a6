//! Writes the code of a type without mistakes.
//!
//! For a struct: the handle `…Ref` with its methods (`accessors`), the impls of `Shared` and `Struct`,
//! the conversions into `Record` and `Value` (`impls`). Enums are in `variants`. Field types occur only as `<Type as Shared>`,
//! spanned at the type, and never in a where clause but for type parameters; offsets are constants
//! that the compiler computes from the types.

use crate::model::{Field, Model};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::GenericParam;
use syn::spanned::Spanned;

mod accessors;
mod impls;

use accessors::{accessors, whole};
use impls::{conversions, described, shared};

/// The whole output.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    if model.is_enum() {
        return crate::variants::expand(model);
    }
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, ty, bounds) = model.generics.split_for_impl();
    let new = construct(model, &quote!(::core::clone::Clone::clone(&self.slot)));
    let declaration = declaration(model);
    let constants = constants(model);
    let shared = shared(model);
    let described = described(model);
    let accessors = model.stored().enumerate().map(|(i, field)| accessors(model, field, i));
    let whole = whole(model);
    let conversions = conversions(model);
    let asserted = asserted(model, &model.stored().collect::<Vec<_>>());
    quote! {
        #declaration

        #[doc(hidden)]
        const _: () = {
            #asserted
            #shared
            #described

            #[allow(dead_code, clippy::all, clippy::pedantic, reason = "generated for every field")]
            impl #impl_generics #handle #ty #bounds {
                #constants
                #whole
                #(#accessors)*
            }

            #[automatically_derived]
            impl #impl_generics ::core::clone::Clone for #handle #ty #bounds {
                fn clone(&self) -> Self {
                    #new
                }
            }

            #[automatically_derived]
            impl #impl_generics ::core::fmt::Debug for #handle #ty #bounds {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #p::debug::<#name #ty>(&self.slot, ::core::stringify!(#handle), f)
                }
            }

            #conversions
        };
    }
}

/// The handle for a slot.
fn construct(model: &Model<'_>, slot: &TokenStream) -> TokenStream {
    let handle = &model.handle;
    if model.is_generic() {
        quote!(#handle { slot: #slot, of: ::core::marker::PhantomData })
    } else {
        quote!(#handle { slot: #slot })
    }
}

/// The type parameters.
fn types<'m>(model: &'m Model<'_>) -> impl Iterator<Item = &'m Ident> {
    model.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        _ => None,
    })
}

/// The handle's type.
fn declaration(model: &Model<'_>) -> TokenStream {
    let p = model.private();
    let vis = &model.input.vis;
    let handle = &model.handle;
    let doc = format!(
        " Handle. A [`{}`] in a shared segment: typed accessors for each field.",
        model.input.ident
    );
    if !model.is_generic() {
        return quote! {
            #[doc = #doc]
            #vis struct #handle {
                slot: #p::Slot,
            }
        };
    }
    let (impl_generics, _, bounds) = model.generics.split_for_impl();
    let types = types(model);
    quote! {
        #[doc = #doc]
        #vis struct #handle #impl_generics #bounds {
            slot: #p::Slot,
            of: ::core::marker::PhantomData<fn() -> (#(#types,)*)>,
        }
    }
}

/// The assertion that every field can be shared, where its type is written.
pub(crate) fn asserted(model: &Model<'_>, fields: &[&Field<'_>]) -> TokenStream {
    let p = &model.private();
    let (impl_generics, _, bounds) = model.generics.split_for_impl();
    let layouts = fields.iter().map(|field| shared_item(model, field, "LAYOUT"));
    let name = &model.input.ident;
    // What the compiler finds out about sizes it says here, not where the struct is used.
    let whole = if model.is_generic() {
        TokenStream::new()
    } else {
        quote!(const _: #p::Layout = <#name as #p::Shared>::LAYOUT;)
    };
    quote! {
        #whole
        #[allow(dead_code, reason = "it is there to be compiled")]
        const fn __shm_fields_are_shared #impl_generics () #bounds {
            #(let _: #p::Layout = #layouts;)*
        }
    }
}

/// What the schema is stored under.
pub(crate) fn name_constants(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let stored = model.stored_name();
    let version = model.attrs.version.as_ref().map_or(quote!(0), ToTokens::to_token_stream);
    let args = model.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => {
            let ident = &param.ident;
            Some(quote!(#p::ArgInfo::Type(<#ident as #p::Shared>::TYPE)))
        }
        GenericParam::Const(param) => {
            let ident = &param.ident;
            Some(quote!(#p::ArgInfo::Number(#ident as i128)))
        }
        GenericParam::Lifetime(_) => None,
    });
    quote! {
        const __SHM_ARGS: &'static [#p::ArgInfo] = &[#(#args),*];
        const __SHM_NAME: &'static #p::NameInfo =
            &#p::NameInfo::new(#stored, Self::__SHM_ARGS, #version);
    }
}

/// The layout and the description, on the handle.
fn constants(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let count = model.stored().count();
    let layouts = model.stored().map(|field| shared_item(model, field, "LAYOUT"));
    let infos = model.stored().map(|field| field_info(model, field));
    let name = name_constants(model);
    quote! {
        const __SHM_PLAN: #p::Plan<#count> = #p::Plan::new([#(#layouts),*]);
        #name
        const __SHM_FIELDS: &'static [#p::FieldInfo] = &[#(#infos),*];
    }
}

/// The description of a field.
pub(crate) fn field_info(model: &Model<'_>, field: &Field<'_>) -> TokenStream {
    let p = &model.private();
    let (stored, _) = field.stored_name();
    let (readonly, default) = (field.attrs.readonly.is_some(), field.attrs.default.is_some());
    let doc = field.doc();
    let info = shared_item(model, field, "TYPE");
    quote_spanned! {field.ty.span()=>
        #p::FieldInfo::new(#stored, #info, #readonly, #doc, #default)
    }
}

/// `<Type as Shared>::item`, spanned so that an error about it underlines the whole type: from the
/// first token, which `<` has the place of, to the last one, which the item has the place of.
pub(crate) fn shared_item(model: &Model<'_>, field: &Field<'_>, item: &str) -> TokenStream {
    let p = model.private();
    let ty = field.ty;
    let mut tokens = ty.to_token_stream().into_iter();
    let first = tokens.next().map_or_else(Span::mixed_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    let item = Ident::new(item, last);
    if field.attrs.as_bytes.is_some() {
        return quote_spanned!(first=> #p::AsBytes::<#ty>::#item);
    }
    let path = quote_spanned!(first=> <#ty as #p::Shared>::);
    quote!(#path #item)
}

/// Variables of generated functions, for code that is spanned at a field's type: where a `macro_rules` was
/// given the type, variables spanned there would be others.
pub(crate) struct Locals {
    pub(crate) this: TokenStream,
    pub(crate) image: TokenStream,
    pub(crate) reader: TokenStream,
    pub(crate) at: TokenStream,
    pub(crate) plan: TokenStream,
}

impl Locals {
    pub(crate) fn new() -> Self {
        Locals {
            this: quote!(self),
            image: quote!(image),
            reader: quote!(reader),
            at: quote!(at),
            plan: quote!(plan),
        }
    }
}
