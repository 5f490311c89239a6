//! Writes the code of a type without mistakes.
//!
//! For a struct: the handle `…Ref`, the impls of `Shared` and `Struct`, the conversions into
//! `Record` and `Value`. Enums are in `variants`. Field types occur only as `<Type as Shared>`,
//! spanned at the type, and never in a where clause but for type parameters; offsets are constants
//! that the compiler computes from the types.

use crate::model::{Field, Model};
use proc_macro2::{Ident, Span, TokenStream};
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
        /// first, so no update is lost. It may use the segment freely.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, or a read-only field was changed;
        /// then nothing has changed.
        #[inline]
        #vis fn update<R>(
            &self,
            change: impl ::core::ops::FnMut(&mut #name) -> R,
        ) -> #p::Result<R> {
            self.slot.update::<#name, R>(change)
        }
    }
}

/// The methods of one field.
fn accessors(model: &Model<'_>, field: &Field<'_>, index: usize) -> TokenStream {
    let p = &model.private();
    let (vis, ty, docs) = (field.vis, field.ty, &field.docs);
    let getter = field.getter();
    let name = field.plain_name();
    let place = quote!(Self::__SHM_PLAN.places[#index]);
    let get_doc = if docs.is_empty() {
        let doc = format!(" The field `{name}`, read at one moment.");
        quote!(#[doc = #doc])
    } else {
        quote!(#(#docs)*)
    };
    let try_get = field.method("try_");
    let try_doc = format!(" A copy of the field `{name}`, or why it cannot be read.");
    let (get, read) = (shared_item(model, field, "get"), shared_item(model, field, "read"));
    let mut returned = if field.is_scalar() {
        quote!(#ty)
    } else if field.attrs.as_bytes.is_some() {
        quote_spanned!(field.ty.span()=> #p::Result<#ty>)
    } else {
        shared_item(model, field, "Get")
    };
    let mut got = quote_spanned!(field.ty.span()=> #get(&self.slot, #place));
    let mut copied = quote_spanned!(field.ty.span()=> #read(&self.slot, #place));
    if field.attrs.default.is_some() {
        // A struct of an older writer has no such field to lend a handle of.
        let default = quote!(::core::default::Default::default());
        copied = quote_spanned! {field.ty.span()=>
            if self.slot.lacks(#place) { ::core::result::Result::Ok(#default) } else { #copied }
        };
        if field.is_scalar() {
            got = quote_spanned! {field.ty.span()=>
                if self.slot.lacks(#place) { #default } else { #got }
            };
        } else {
            returned = quote_spanned!(field.ty.span()=> #p::Result<#ty>);
            got = copied.clone();
        }
    }
    let mut all = quote_spanned! {field.ty.span()=>
        #get_doc
        #[inline]
        #vis fn #getter(&self) -> #returned {
            #got
        }

        #[doc = #try_doc]
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        #vis fn #try_get(&self) -> #p::Result<#ty> {
            #copied
        }
    };
    if field.attrs.readonly.is_some() {
        return all;
    }
    let set = field.method("set_");
    let set_doc = format!(" Sets the field `{name}`.");
    let given = quote!(value);
    let (parameter, value) = if field.is_converted() {
        (quote!(impl ::core::convert::Into<#ty>), quote!(::core::convert::Into::into(#given)))
    } else {
        (quote!(#ty), given.clone())
    };
    let set_field = shared_item(model, field, "set");
    all.extend(quote_spanned! {field.ty.span()=>
        #[doc = #set_doc]
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        #vis fn #set(&self, #given: #parameter) -> #p::Result<()> {
            #set_field(&self.slot, #place, &#value)
        }
    });
    if field.is_integer() {
        all.extend(integer(model, field, &place));
    }
    if let Some((elem, len)) = field.array() {
        let items = field.method("items_");
        let items_doc = format!(" The elements of the field `{name}`, each by itself.");
        all.extend(quote_spanned! {field.ty.span()=>
            #[doc = #items_doc]
            #[inline]
            #[must_use]
            #vis fn #items(&self) -> #p::ArrayRef<#elem, #len> {
                #p::ArrayRef::new(&self.slot, #place)
            }
        });
    }
    all
}

/// The methods of an integer field.
fn integer(model: &Model<'_>, field: &Field<'_>, place: &TokenStream) -> TokenStream {
    let p = &model.private();
    let (vis, ty) = (field.vis, field.ty);
    let name = field.plain_name();
    let add = field.method("fetch_add_");
    let add_doc = format!(" Adds to the field `{name}`, wrapping around, and returns what it was.");
    let swap = field.method("swap_");
    let swap_doc = format!(" Sets the field `{name}` and returns what it was.");
    let exchange = field.method("compare_exchange_");
    let exchange_doc = format!(" Sets the field `{name}` if it is `old`; whether it was.");
    let errors = quote! {
        ///
        /// # Errors
        /// If the segment is closed, corrupt or read-only; then nothing has changed.
        #[inline]
    };
    quote_spanned! {field.ty.span()=>
        #[doc = #add_doc]
        #errors
        #vis fn #add(&self, delta: #ty) -> #p::Result<#ty> {
            self.slot.fetch_add::<#ty>(#place, delta)
        }

        #[doc = #swap_doc]
        #errors
        #vis fn #swap(&self, value: #ty) -> #p::Result<#ty> {
            self.slot.swap::<#ty>(#place, value)
        }

        #[doc = #exchange_doc]
        #errors
        #vis fn #exchange(&self, old: #ty, new: #ty) -> #p::Result<bool> {
            self.slot.compare_exchange::<#ty>(#place, old, new)
        }
    }
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

/// `From` the handle, owned and borrowed, for `Record` and `Value`.
fn conversions(model: &Model<'_>) -> TokenStream {
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
