//! Stands in for the code when there are mistakes, so that uses of the struct and of its handle
//! give no second error.
//!
//! It has the names and signatures of the real code; the bodies never run, because what the
//! mistakes are reported with is `compile_error!`. Only a struct that can have no size has no impls: the compiler would
//! tell of its size at each of them.

use crate::check::accessors;
use crate::expand::free_name;
use crate::model::{Field, Model, primitive};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};
use std::collections::HashSet;
use syn::{GenericArgument, PathArguments, Type};

/// The stand-in.
pub(crate) fn fallback(model: &Model<'_>) -> TokenStream {
    let vis = &model.input.vis;
    let (name, handle) = (&model.input.ident, &model.handle);
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let parameters = model.declared_parameters();
    let fields = model.variants.iter().flat_map(|variant| &variant.fields).chain(&model.fields);
    let has_size = !fields.into_iter().any(|field| no_size(&field.ty, &model.input.ident));
    let impls = if has_size { impls(model) } else { TokenStream::new() };
    let (whole, methods) = (whole(model, has_size), methods(model));
    quote! {
        #[doc(hidden)]
        #[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
        #vis struct #handle #parameters #bounds {
            of: ::core::marker::PhantomData<fn(*const #name #generics)>,
        }

        #[doc(hidden)]
        #[allow(
            deprecated, non_snake_case, private_bounds, private_interfaces,
            reason = "stands in for a struct with mistakes"
        )]
        const _: () = {
            #impls
            impl #impl_generics ::core::clone::Clone for #handle #generics #bounds {
                fn clone(&self) -> Self { loop {} }
            }
            impl #impl_generics ::core::fmt::Debug for #handle #generics #bounds {
                fn fmt(&self, _: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result { loop {} }
            }
            #[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
            impl #impl_generics #handle #generics #bounds {
                #whole
                #methods
            }
        };
    }
}

/// The traits, and what a handle becomes.
fn impls(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let targets = [quote!(#p::Record), quote!(#p::Value), quote!(#p::Link<#name #generics>)];
    quote! {
        impl #impl_generics #p::Shared for #name #generics #bounds {
            type Get = #handle #generics;
            type Mode = #p::Checked;
            const LAYOUT: #p::Layout = #p::Layout::EMPTY;
            const TYPE: &'static #p::TypeInfo = &#p::TypeInfo::Value;
            fn get(_: &#p::Slot, _: #p::Place) -> Self::Get { loop {} }
            fn encode(&self, _: &mut impl #p::Sink, _: #p::Place) {}
            fn decode(_: &impl #p::Source, _: #p::Place) -> #p::Result<Self> { loop {} }
        }
        impl #impl_generics #p::Struct for #name #generics #bounds {
            type Ref = #handle #generics;
            const INFO: &'static #p::StructInfo = &#p::StructInfo::new(Self::NAME, &[], "");
            const FIXED: &'static [#p::Fixed<'static>] = &[];
            const NAME: &'static #p::NameInfo = &#p::NameInfo::new("", &[], 0);
            fn attach(_: #p::Slot) -> Self::Ref { loop {} }
        }
        #(
            impl #impl_generics ::core::convert::From<&#handle #generics> for #targets #bounds {
                fn from(_: &#handle #generics) -> Self { loop {} }
            }
            impl #impl_generics ::core::convert::From<#handle #generics> for #targets #bounds {
                fn from(_: #handle #generics) -> Self { loop {} }
            }
        )*
    }
}

/// `load`, `store` and `update`.
fn whole(model: &Model<'_>, has_size: bool) -> TokenStream {
    let p = &model.private();
    let vis = &model.input.vis;
    let name = &model.input.ident;
    let (_, generics, _) = model.generics.split_for_impl();
    let name = quote!(#name #generics);
    // What has no size can be looked at through a reference.
    let loaded = if has_size { name.clone() } else { quote!(&'static mut #name) };
    let returned = free_name(model, "R");
    quote! {
        #vis fn load(&self) -> #p::Result<#loaded> { loop {} }
        #vis fn store(&self, _: impl ::core::borrow::Borrow<#name>) -> #p::Result<()> { loop {} }
        #vis fn update<#returned>(
            &self,
            _: impl ::core::ops::FnMut(&mut #name) -> #returned,
        ) -> #p::Result<#returned> {
            loop {}
        }
    }
}

/// The accessors of fields whose types can be named. Of those that collide the first one has the name.
fn methods(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let mut seen = HashSet::from(["load", "store", "update"].map(str::to_owned));
    let sound = |field: &&Field<'_>| field.sound && field.attrs.as_bytes.is_none();
    let mut all = TokenStream::new();
    for field in model.stored().filter(sound) {
        let (vis, ty) = (field.vis, &field.ty);
        for (method, what) in accessors(field) {
            if !seen.insert(method.clone()) {
                continue;
            }
            let method = if what == "get" {
                field.getter()
            } else {
                format_ident!("{method}", span = field.span())
            };
            let signature = match what {
                "get" if field.attrs.default.is_some() && !field.is_scalar() => {
                    quote!((&self) -> #p::Result<#ty>)
                }
                "get" => quote!((&self) -> <#ty as #p::Shared>::Get),
                "try_get" => quote!((&self) -> #p::Result<#ty>),
                "set" if field.is_converted() => {
                    quote!((&self, _: impl ::core::convert::Into<#ty>) -> #p::Result<()>)
                }
                "set" => quote!((&self, _: #ty) -> #p::Result<()>),
                "items" => {
                    let (elem, len) = field.array().unzip();
                    quote!((&self) -> #p::ArrayRef<#elem, #len>)
                }
                "compare_exchange" => quote!((&self, _: #ty, _: #ty) -> #p::Result<bool>),
                _ => quote!((&self, _: #ty) -> #p::Result<#ty>),
            };
            all.extend(quote!(#vis fn #method #signature { loop {} }));
        }
    }
    all
}

/// Whether a struct with such a field has no size: the field has none, or it contains the struct.
fn no_size(ty: &Type, own: &Ident) -> bool {
    match ty {
        Type::Slice(_) | Type::TraitObject(_) | Type::ImplTrait(_) | Type::Infer(_) => true,
        Type::Array(array) => no_size(&array.elem, own),
        Type::Group(group) => no_size(&group.elem, own),
        Type::Paren(paren) => no_size(&paren.elem, own),
        Type::Tuple(tuple) => tuple.elems.iter().any(|part| no_size(part, own)),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| match &last.arguments {
            PathArguments::AngleBracketed(list) if last.ident == "Option" => {
                list.args.iter().any(|argument| match argument {
                    GenericArgument::Type(inner) => no_size(inner, own),
                    _ => false,
                })
            }
            _ => last.ident == *own || primitive(ty).is_some_and(|name| name == "str"),
        }),
        _ => false,
    }
}
