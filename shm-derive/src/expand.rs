//! Writes the code of a type without mistakes.
//!
//! For a struct: the handle `…Ref`, the impls of `Shared` and `Struct`, the conversions into
//! `Record`, `Value` and `Link`. Enums are in `variants`. Field types occur only as `<Type as Shared>`,
//! spanned at the type, and never in a where clause but for type parameters; offsets are constants
//! that the compiler computes from the types.

use crate::accessors::accessors;
use crate::culprit::underlined;
use crate::model::{Field, Model};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::GenericParam;
use syn::spanned::Spanned;

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
        #[allow(
            deprecated, non_snake_case, private_bounds, private_interfaces,
            clippy::all, clippy::pedantic, clippy::nursery,
            reason = "generated for every field; the struct itself is warned of"
        )]
        const _: () = {
            #asserted
            #shared
            #described

            #[allow(dead_code, reason = "generated for every field")]
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
    let allowed = allowed(model);
    if !model.is_generic() {
        return quote! {
            #[doc = #doc]
            #allowed
            #vis struct #handle {
                slot: #p::Slot,
            }
        };
    }
    let (_, _, bounds) = model.generics.split_for_impl();
    let parameters = model.declared_parameters();
    let types = types(model);
    quote! {
        #[doc = #doc]
        #allowed
        #vis struct #handle #parameters #bounds {
            slot: #p::Slot,
            of: ::core::marker::PhantomData<fn() -> (#(#types,)*)>,
        }
    }
}

/// What the struct is allowed, its handle is allowed too.
fn allowed(model: &Model<'_>) -> TokenStream {
    let mut all = quote! {
        #[allow(non_camel_case_types, clippy::nursery, reason = "the struct itself is warned of")]
    };
    for attr in &model.input.attrs {
        if attr.path().is_ident("allow") {
            attr.to_tokens(&mut all);
        } else if attr.path().is_ident("expect")
            && let syn::Meta::List(list) = &attr.meta
        {
            let lints = &list.tokens;
            all.extend(quote!(#[allow(#lints)]));
        }
    }
    all
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
    // What only sizes tell is told where the field's type is written.
    let faults = fields.iter().filter(|field| !model.is_generic() && !field.is_scalar());
    let faults = faults.filter(|field| field.attrs.as_bytes.is_none()).map(|field| {
        let fault = shared_item(model, field, "FAULT");
        let (_, first, last) = underlined(&field.ty);
        let assert = quote_spanned!(first=> (#p::assert_no_fault));
        let arguments = quote_spanned!(last=> (#fault));
        quote!(const _: () = #assert #arguments;)
    });
    quote! {
        #whole
        #(#faults)*
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

/// The impl of `Shared`: how the struct is a field of another one.
fn shared(model: &Model<'_>) -> TokenStream {
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
fn described(model: &Model<'_>) -> TokenStream {
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

/// `load`, `store` and `update`.
fn whole(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let vis = &model.input.vis;
    let name = &model.input.ident;
    let (_, generics, _) = model.generics.split_for_impl();
    let name = quote!(#name #generics);
    let returned = free_name(model, "R");
    quote! {
        /// A copy of all fields, as they were at one moment.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        #vis fn load(&self) -> #p::Result<#name> {
            self.slot.load::<#name>()
        }

        /// Replaces all fields at once.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, or a read-only field differs;
        /// then nothing has changed.
        #[inline]
        #vis fn store(&self, value: impl ::core::borrow::Borrow<#name>) -> #p::Result<()> {
            self.slot.store::<#name>(::core::borrow::Borrow::borrow(&value))
        }

        /// Changes any fields at once: all of it happens, or none of it.
        ///
        /// `change` works on a private copy, and again on a fresh one if another writer came
        /// first, so no update is lost; if others come first too often, while they wait. It may use
        /// the segment freely, but for this struct: its copy is to be changed.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, a read-only field was changed, or
        /// `change` changes the struct through a handle; then the struct is not updated.
        #[inline]
        #vis fn update<#returned>(
            &self,
            change: impl ::core::ops::FnMut(&mut #name) -> #returned,
        ) -> #p::Result<#returned> {
            self.slot.update::<#name, #returned>(change)
        }
    }
}

/// A name for a parameter of a method, which no parameter of the type has.
pub(crate) fn free_name(model: &Model<'_>, wanted: &str) -> Ident {
    let mut name = format_ident!("{wanted}");
    let taken = |name: &Ident| {
        model.generics.params.iter().any(|param| match param {
            GenericParam::Type(param) => param.ident == *name,
            GenericParam::Const(param) => param.ident == *name,
            GenericParam::Lifetime(_) => false,
        })
    };
    while taken(&name) {
        name = format_ident!("{name}eturned");
    }
    name
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

/// `<Type as Shared>::item`, spanned so that an error about it underlines what is at [fault](underlined): from the
/// first token, which `<` has the place of, to the last one, which the item has the place of.
pub(crate) fn shared_item(model: &Model<'_>, field: &Field<'_>, item: &str) -> TokenStream {
    let p = model.private();
    let (ty, first, last) = underlined(&field.ty);
    let item = Ident::new(item, last);
    if field.attrs.as_bytes.is_some() {
        let path = quote_spanned!(first=> <#ty as #p::AsBytes>::);
        return quote!(#path #item);
    }
    let path = quote_spanned!(first=> <#ty as #p::Shared>::);
    quote!(#path #item)
}

/// `From` the handle, owned and borrowed, for `Record` and `Value`.
fn conversions(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let (impl_generics, generics, bounds) = model.generics.split_for_impl();
    let targets = ["Record", "Value"].map(|target| format_ident!("{target}"));
    let link = quote!(#p::Link<#name #generics>);
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

        #[automatically_derived]
        impl #impl_generics ::core::convert::From<&#handle #generics> for #link #bounds {
            fn from(handle: &#handle #generics) -> Self {
                #p::Link::new(handle)
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#handle #generics> for #link #bounds {
            fn from(handle: #handle #generics) -> Self {
                #p::Link::new(&handle)
            }
        }
    }
}
