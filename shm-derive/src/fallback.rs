//! Stands in for the code when there are mistakes, so that uses of the struct and of its handle
//! give no second error.
//!
//! It has the names and signatures of the real code; the bodies never run, because what the
//! mistakes are reported with is `compile_error!`.

use crate::check::accessors;
use crate::model::{Field, Model};
use proc_macro2::TokenStream;
use quote::{format_ident, quote};

/// The stand-in.
pub(crate) fn fallback(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let vis = &model.input.vis;
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
    let generic = model.is_generic();
    let sound = |field: &&Field<'_>| field.sound && !generic && field.attrs.as_bytes.is_none();
    let methods = model.stored().filter(sound).map(|field| {
        let (vis, ty) = (field.vis, field.ty);
        let methods = accessors(field).into_iter().map(|(method, what)| {
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
            quote!(#vis fn #method #signature { loop {} })
        });
        quote!(#(#methods)*)
    });
    // Fields that collide by name would give the stand-in two methods of one name.
    let methods: Vec<_> = if unique(model) { methods.collect() } else { Vec::new() };
    let whole = if generic {
        TokenStream::new()
    } else {
        quote! {
            #vis fn load(&self) -> #p::Result<#name> { loop {} }
            #vis fn store(&self, _: impl ::core::borrow::Borrow<#name>) -> #p::Result<()> {
                loop {}
            }
            #vis fn update<R>(
                &self,
                _: impl ::core::ops::FnMut(&mut #name) -> R,
            ) -> #p::Result<R> {
                loop {}
            }
        }
    };
    quote! {
        #[doc(hidden)]
        #[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
        #[derive(::core::clone::Clone, ::core::fmt::Debug)]
        #vis struct #handle {}

        #[doc(hidden)]
        const _: () = {
            impl #impl_generics #p::Shared for #name #ty_generics #where_clause {
                type Get = #handle;
                type Mode = #p::Checked;
                const LAYOUT: #p::Layout = #p::Layout::EMPTY;
                const TYPE: &'static #p::TypeInfo = &#p::TypeInfo::Value;
                fn get(_: &#p::Slot, _: #p::Place) -> #handle { loop {} }
                fn encode(&self, _: &mut impl #p::Sink, _: #p::Place) {}
                fn decode(_: &impl #p::Source, _: #p::Place) -> #p::Result<Self> { loop {} }
            }
            impl #impl_generics #p::Struct for #name #ty_generics #where_clause {
                type Ref = #handle;
                const INFO: &'static #p::StructInfo = &#p::StructInfo::new(Self::NAME, &[], "");
                const FIXED: &'static [#p::Fixed<'static>] = &[];
                const NAME: &'static #p::NameInfo = &#p::NameInfo::new("", &[], 0);
                fn attach(_: #p::Slot) -> #handle { loop {} }
            }
            #[allow(missing_docs, dead_code, reason = "stands in for a struct with mistakes")]
            impl #handle {
                #whole
                #(#methods)*
            }
            impl ::core::convert::From<&#handle> for #p::Record {
                fn from(_: &#handle) -> Self { loop {} }
            }
            impl ::core::convert::From<#handle> for #p::Record {
                fn from(_: #handle) -> Self { loop {} }
            }
            impl ::core::convert::From<&#handle> for #p::Value {
                fn from(_: &#handle) -> Self { loop {} }
            }
            impl ::core::convert::From<#handle> for #p::Value {
                fn from(_: #handle) -> Self { loop {} }
            }
        };
    }
}

/// Whether all of the stand-in's methods have names of their own.
fn unique(model: &Model<'_>) -> bool {
    let mut seen = std::collections::HashSet::from(["load", "store", "update"].map(str::to_owned));
    model.stored().flat_map(accessors).all(|(name, _)| seen.insert(name))
}
