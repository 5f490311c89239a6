//! The impls for a struct: `Shared`, as a field of another one; `Struct`, its schema; conversions of its handle.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Locals, construct, shared_item};
use crate::model::Model;

/// The impl of `Shared`: how the struct is a field of another one.
pub(super) fn shared(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let new = construct(model, &quote!(slot.part(place)));
    let Locals { this, image, reader, at, plan } = Locals::new();
    let encodes = model.stored().enumerate().map(|(i, field)| {
        let member = &field.member;
        let encode = shared_item(model, field, "encode");
        quote_spanned! {field.ty.span()=>
            #encode(&#this.#member, #image, #at.part(#plan.places[#i]));
        }
    });
    let mut index = 0_usize;
    let decodes: Vec<_> = model
        .fields
        .iter()
        .map(|field| {
            let member = &field.member;
            if field.attrs.skip.is_some() {
                return quote_spanned!(field.ty.span()=> #member: ::core::default::Default::default(),);
            }
            let i = index;
            index += 1;
            let take = shared_item(model, field, "take");
            let take = quote_spanned!(field.ty.span()=> #take(#reader, #at.part(#plan.places[#i]))?);
            if field.attrs.default.is_some() {
                return quote_spanned! {field.ty.span()=>
                    #member: if #reader.lacks(#at.part(#plan.places[#i])) {
                        ::core::default::Default::default()
                    } else {
                        #take
                    },
                };
            }
            quote_spanned!(field.ty.span()=> #member: #take,)
        })
        .collect();
    let find_plan = quote!(let #plan = &<#handle #generics>::__SHM_PLAN;);
    quote! {
        #[automatically_derived]
        impl #impl_generics #p::Shared for #name #generics #bounds {
            type Get = #handle #generics;
            type Mode = #p::Checked;
            const LAYOUT: #p::Layout = <#handle #generics>::__SHM_PLAN.layout;
            const TYPE: &'static #p::TypeInfo =
                &#p::TypeInfo::Struct(<Self as #p::Struct>::INFO);

            fn get(slot: &#p::Slot, place: #p::Place) -> #handle #generics {
                #new
            }

            #[inline]
            fn encode(&self, image: &mut impl #p::Sink, at: #p::Place) {
                #find_plan
                let _ = (&image, at, plan);
                #(#encodes)*
            }

            #[inline]
            fn decode(reader: &impl #p::Source, at: #p::Place) -> #p::Result<Self> {
                #find_plan
                let _ = (reader, at, plan);
                ::core::result::Result::Ok(Self { #(#decodes)* })
            }
        }
    }
}

/// The impl of `Struct`: the schema, and the handle for a place in the segment.
pub(super) fn described(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let doc = model.doc();
    let new = construct(model, &quote!(place));
    let readonly = model.stored().enumerate().filter(|(_, field)| field.attrs.readonly.is_some());
    let fixed = readonly.map(|(i, field)| {
        let (stored, _) = field.stored_name();
        let layout = shared_item(model, field, "LAYOUT");
        quote_spanned! {field.ty.span()=>
            #p::Fixed::new(#stored, <#handle #generics>::__SHM_PLAN.places[#i], #layout)
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #p::Struct for #name #generics #bounds {
            type Ref = #handle #generics;
            const NAME: &'static #p::NameInfo = <#handle #generics>::__SHM_NAME;
            const INFO: &'static #p::StructInfo = &#p::StructInfo::new(
                <#handle #generics>::__SHM_NAME,
                <#handle #generics>::__SHM_FIELDS,
                #doc,
            );
            const FIXED: &'static [#p::Fixed<'static>] = &[#(#fixed),*];

            fn attach(place: #p::Slot) -> #handle #generics {
                #new
            }
        }
    }
}

/// `From` the handle, owned and borrowed, for `Record` and `Value`.
pub(super) fn conversions(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let targets = ["Record", "Value"].map(|target| format_ident!("{target}"));
    quote! {
        #(
            #[automatically_derived]
            impl #impl_generics ::core::convert::From<&#handle #generics> for #p::#targets #bounds {
                fn from(handle: &#handle #generics) -> Self {
                    ::core::convert::From::from(handle.slot.record::<#name #generics>())
                }
            }

            #[automatically_derived]
            impl #impl_generics ::core::convert::From<#handle #generics> for #p::#targets #bounds {
                fn from(handle: #handle #generics) -> Self {
                    ::core::convert::From::from(&handle)
                }
            }
        )*
    }
}
