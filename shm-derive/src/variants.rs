//! Writes the code of an enum: how it is a field of a struct.
//!
//! The number of the variant comes first, behind it lie the variant's fields. An enum has no handle:
//! it is read and set as a whole, in one operation, so that number and fields always match.

use crate::expand::{Locals, asserted, field_info, name_constants, shared_item};
use crate::model::{Model, VariantModel, stored};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;

/// The whole output.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let all: Vec<_> = model.variants.iter().flat_map(|variant| stored(&variant.fields)).collect();
    let asserted = asserted(model, &all);
    let constants = constants(model);
    let plans = (0..model.variants.len()).map(plan_of);
    let encodes = model.variants.iter().enumerate().map(|(i, v)| encode(model, i, v));
    let decodes = model.variants.iter().enumerate().map(|(i, v)| decode(model, i, v));
    let stored_name = model.stored_name();
    quote! {
        #[doc(hidden)]
        #[allow(
            deprecated, private_bounds, clippy::all, clippy::pedantic, clippy::nursery,
            reason = "generated for every variant; the enum itself is warned of"
        )]
        const _: () = {
            #asserted

            #[allow(dead_code, reason = "generated")]
            impl #impl_generics #name #generics #bounds {
                #constants
            }

            #[automatically_derived]
            impl #impl_generics #p::Shared for #name #generics #bounds {
                type Get = #p::Result<Self>;
                type Mode = #p::Checked;
                const LAYOUT: #p::Layout = {
                    let layout = Self::__SHM_HEAD;
                    #(let layout = layout.either(Self::#plans.layout);)*
                    layout.padded()
                };
                const TYPE: &'static #p::TypeInfo = &#p::TypeInfo::Enum(Self::__SHM_INFO);

                fn get(slot: &#p::Slot, place: #p::Place) -> #p::Result<Self> {
                    slot.read(place)
                }

                fn encode(&self, image: &mut impl #p::Sink, at: #p::Place) {
                    match self {
                        #(#encodes)*
                    }
                }

                fn decode(reader: &impl #p::Source, at: #p::Place) -> #p::Result<Self> {
                    let number = reader.tag(at, Self::__SHM_TAG);
                    #(#decodes)*
                    ::core::result::Result::Err(reader.unknown_variant(#stored_name, number))
                }
            }
        };
    }
}

fn plan_of(index: usize) -> Ident {
    format_ident!("__SHM_PLAN_{index}")
}

fn value_of(index: usize) -> Ident {
    format_ident!("__SHM_VALUE_{index}")
}

/// Numbers, places and descriptions.
fn constants(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let tag = &model.tag;
    let mut all = name_constants(model);
    all.extend(quote! {
        const __SHM_TAG: #p::Scalar = <#tag as #p::Bits>::SCALAR;
        const __SHM_HEAD: #p::Layout = <#tag as #p::Shared>::LAYOUT;
    });
    let mut infos = Vec::new();
    for (i, model_of) in model.variants.iter().enumerate() {
        let (plan, value, fields) = (plan_of(i), value_of(i), format_ident!("__SHM_FIELDS_{i}"));
        let number = match (&model_of.variant.discriminant, i.checked_sub(1)) {
            (Some((_, number)), _) => {
                quote_spanned!(number.span()=> { let number: #tag = #number; number as i128 })
            }
            (None, Some(previous)) => {
                let previous = value_of(previous);
                quote!(Self::#previous + 1)
            }
            (None, None) => quote!(0),
        };
        let count = stored(&model_of.fields).count();
        let layouts = stored(&model_of.fields).map(|field| shared_item(model, field, "LAYOUT"));
        let described = stored(&model_of.fields).map(|field| field_info(model, field));
        let name = model_of.variant.ident.unraw().to_string();
        all.extend(quote! {
            const #value: i128 = #number;
            const #plan: #p::Plan<#count> = #p::Plan::after(Self::__SHM_HEAD, [#(#layouts),*]);
            const #fields: &'static [#p::FieldInfo] = &[#(#described),*];
        });
        infos.push(quote!(#p::VariantInfo::new(#name, Self::#value, Self::#fields)));
    }
    all.extend(quote! {
        const __SHM_VARIANTS: &'static [#p::VariantInfo] = &[#(#infos),*];
        const __SHM_INFO: &'static #p::EnumInfo =
            &#p::EnumInfo::new(Self::__SHM_NAME, Self::__SHM_TAG, Self::__SHM_VARIANTS);
    });
    all
}

fn encode(model: &Model<'_>, index: usize, of: &VariantModel<'_>) -> TokenStream {
    let (plan, value) = (plan_of(index), value_of(index));
    let ident = &of.variant.ident;
    let binds = of.fields.iter().map(|field| {
        let (member, variable) = (&field.member, field.variable());
        if field.attrs.skip.is_some() { quote!(#member: _) } else { quote!(#member: #variable) }
    });
    let Locals { image, at, .. } = Locals::new();
    let puts = stored(&of.fields).enumerate().map(|(i, field)| {
        let (encode, variable) = (shared_item(model, field, "encode"), field.variable());
        quote_spanned! {field.ty.span()=>
            #encode(#variable, #image, #at.part(Self::#plan.places[#i]));
        }
    });
    quote! {
        Self::#ident { #(#binds),* } => {
            image.tag(at, Self::__SHM_TAG, Self::#value);
            #(#puts)*
        }
    }
}

fn decode(model: &Model<'_>, index: usize, of: &VariantModel<'_>) -> TokenStream {
    let (plan, value) = (plan_of(index), value_of(index));
    let ident = &of.variant.ident;
    let mut stored = 0_usize;
    let Locals { reader, at, .. } = Locals::new();
    let fields = of.fields.iter().map(|field| {
        let member = field.member.to_token_stream();
        if field.attrs.skip.is_some() {
            return quote!(#member: ::core::default::Default::default());
        }
        let i = stored;
        stored += 1;
        let take = shared_item(model, field, "take");
        quote_spanned!(field.ty.span()=> #member: #take(#reader, #at.part(Self::#plan.places[#i]))?)
    });
    let fields: Vec<_> = fields.collect();
    quote! {
        if number == Self::#value {
            return ::core::result::Result::Ok(Self::#ident { #(#fields),* });
        }
    }
}
