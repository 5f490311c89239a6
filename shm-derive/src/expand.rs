//! Writes the code of a struct without mistakes.
//!
//! What it gives: the handle `…Ref`, the impls of `Shared` and `Struct`, the conversions into
//! `Record` and `Value`. Field types occur only as `<Type as Shared>`, spanned at the type, and
//! never in a where clause; offsets are constants that the compiler computes from the types.

use crate::model::{Field, Model};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

/// The whole output.
pub(crate) fn expand(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let declaration = declaration(model);
    let plan = plan(model);
    let shared = shared(model);
    let described = described(model);
    let accessors = model.stored().enumerate().map(|(i, field)| accessors(model, field, i));
    let whole = whole(model);
    let conversions = conversions(model);
    quote! {
        #declaration

        #[doc(hidden)]
        const _: () = {
            #plan
            #shared
            #described

            #[allow(dead_code, clippy::all, clippy::pedantic, reason = "generated for every field")]
            impl #handle {
                #whole
                #(#accessors)*
            }

            #[automatically_derived]
            impl ::core::clone::Clone for #handle {
                fn clone(&self) -> Self {
                    Self { slot: ::core::clone::Clone::clone(&self.slot) }
                }
            }

            #[automatically_derived]
            impl ::core::fmt::Debug for #handle {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    #p::debug::<#name>(&self.slot, ::core::stringify!(#handle), f)
                }
            }

            #conversions
        };
    }
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
    quote! {
        #[doc = #doc]
        #vis struct #handle {
            slot: #p::Slot,
        }
    }
}

/// The constant layout, and the assertion that every field can be shared.
fn plan(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let count = model.stored().count();
    let layouts: Vec<_> = model.stored().map(|field| shared_item(model, field, "LAYOUT")).collect();
    quote! {
        const __SHM_PLAN: #p::Plan<#count> = #p::Plan::new([#(#layouts),*]);
        #[allow(dead_code, reason = "it is there to be compiled")]
        const fn __shm_fields_are_shared() {
            #(let _: #p::Layout = #layouts;)*
        }
    }
}

/// The impl of `Shared`: how the struct is a field of another one.
fn shared(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let encodes = model.stored().enumerate().map(|(i, field)| {
        let (ident, ty) = (field.ident, field.ty);
        let encode = shared_item(model, field, "encode");
        quote_spanned! {ty.span()=>
            #encode(&self.#ident, image, at.part(__SHM_PLAN.places[#i]));
        }
    });
    let mut index = 0_usize;
    let decodes = model.fields.iter().map(|field| {
        let (ident, ty) = (field.ident, field.ty);
        if field.attrs.skip.is_some() {
            return quote_spanned!(ty.span()=> #ident: ::core::default::Default::default(),);
        }
        let i = index;
        index += 1;
        let take = shared_item(model, field, "take");
        quote_spanned! {ty.span()=>
            #ident: #take(reader, at.part(__SHM_PLAN.places[#i]))?,
        }
    });
    quote! {
        #[automatically_derived]
        impl #p::Shared for #name {
            type Get = #handle;
            type Mode = #p::Checked;
            const LAYOUT: #p::Layout = __SHM_PLAN.layout;
            const TYPE: &'static #p::TypeInfo =
                &#p::TypeInfo::Struct(<#name as #p::Struct>::INFO);

            fn get(slot: &#p::Slot, place: #p::Place) -> #handle {
                #handle { slot: slot.part(place) }
            }

            fn encode(&self, image: &mut #p::Image, at: #p::Place) {
                let _ = (&image, at);
                #(#encodes)*
            }

            fn decode(reader: &#p::Reader<'_>, at: #p::Place) -> #p::Result<Self> {
                let _ = (reader, at);
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
    let stored_name = model.stored_name();
    let count = model.stored().count();
    let infos = model.stored().map(|field| {
        let ty = field.ty;
        let (stored, _) = field.stored_name();
        let readonly = field.attrs.readonly.is_some();
        let info = shared_item(model, field, "TYPE");
        quote_spanned! {ty.span()=>
            #p::FieldInfo::new(#stored, #info, #readonly)
        }
    });
    quote! {
        const __SHM_FIELDS: [#p::FieldInfo; #count] = [#(#infos),*];

        #[automatically_derived]
        impl #p::Struct for #name {
            type Ref = #handle;
            const INFO: &'static #p::StructInfo =
                &#p::StructInfo::new(#stored_name, &__SHM_FIELDS);

            fn attach(slot: #p::Slot) -> #handle {
                #handle { slot }
            }
        }
    }
}

/// `load`, `store` and `update`.
fn whole(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let vis = &model.input.vis;
    let name = &model.input.ident;
    quote! {
        /// A copy of all fields, as they were at one moment.
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #vis fn load(&self) -> #p::Result<#name> {
            self.slot.load::<#name>()
        }

        /// Replaces all fields at once.
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only, or a read-only field differs;
        /// then nothing has changed.
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
    let ident = field.ident;
    let name = field.plain_name();
    let place = quote!(__SHM_PLAN.places[#index]);
    let get_doc = if docs.is_empty() {
        let doc = format!(" The field `{name}`, read at one moment.");
        quote!(#[doc = #doc])
    } else {
        quote!(#(#docs)*)
    };
    let try_get = field.method("try_");
    let try_doc = format!(" A copy of the field `{name}`, or why it cannot be read.");
    let returned = if field.is_scalar() { quote!(#ty) } else { shared_item(model, field, "Get") };
    let (get, read) = (shared_item(model, field, "get"), shared_item(model, field, "read"));
    let mut all = quote_spanned! {ty.span()=>
        #get_doc
        #[inline]
        #vis fn #ident(&self) -> #returned {
            #get(&self.slot, #place)
        }

        #[doc = #try_doc]
        ///
        /// # Errors
        /// If the segment is closed or corrupt, or a stopped writer holds the struct.
        #[inline]
        #vis fn #try_get(&self) -> #p::Result<#ty> {
            #read(&self.slot, #place)
        }
    };
    if field.attrs.readonly.is_some() {
        return all;
    }
    let set = field.method("set_");
    let set_doc = format!(" Sets the field `{name}`.");
    let (parameter, value) = if field.is_converted() {
        (quote!(impl ::core::convert::Into<#ty>), quote!(::core::convert::Into::into(value)))
    } else {
        (quote!(#ty), quote!(value))
    };
    let set_field = shared_item(model, field, "set");
    all.extend(quote_spanned! {ty.span()=>
        #[doc = #set_doc]
        ///
        /// # Errors
        /// If the segment is closed, full, corrupt or read-only; then nothing has changed.
        #[inline]
        #vis fn #set(&self, value: #parameter) -> #p::Result<()> {
            #set_field(&self.slot, #place, &#value)
        }
    });
    if field.is_integer() {
        let add = field.method("fetch_add_");
        let add_doc =
            format!(" Adds to the field `{name}`, wrapping around, and returns what it was.");
        all.extend(quote_spanned! {ty.span()=>
            #[doc = #add_doc]
            ///
            /// # Errors
            /// If the segment is closed, corrupt or read-only; then nothing has changed.
            #[inline]
        #vis fn #add(&self, delta: #ty) -> #p::Result<#ty> {
                self.slot.fetch_add::<#ty>(#place, delta)
            }
        });
    }
    all
}

/// `<Type as Shared>::item`, spanned so that an error about it underlines the whole type: from the
/// first token, which `<` has the place of, to the last one, which the item has the place of.
fn shared_item(model: &Model<'_>, field: &Field<'_>, item: &str) -> TokenStream {
    let p = model.private();
    let ty = field.ty;
    let mut tokens = ty.to_token_stream().into_iter();
    let first = tokens.next().map_or_else(Span::mixed_site, |token| token.span());
    let last = tokens.last().map_or(first, |token| token.span());
    let item = Ident::new(item, last);
    let path = quote_spanned!(first=> <#ty as #p::Shared>::);
    quote!(#path #item)
}

/// `From` the handle, owned and borrowed, for `Record` and `Value`.
fn conversions(model: &Model<'_>) -> TokenStream {
    let p = &model.private();
    let name = &model.input.ident;
    let handle = &model.handle;
    let targets = ["Record", "Value"].map(|target| format_ident!("{target}"));
    quote! {
        #(
            #[automatically_derived]
            impl ::core::convert::From<&#handle> for #p::#targets {
                fn from(handle: &#handle) -> Self {
                    ::core::convert::From::from(handle.slot.record::<#name>())
                }
            }

            #[automatically_derived]
            impl ::core::convert::From<#handle> for #p::#targets {
                fn from(handle: #handle) -> Self {
                    ::core::convert::From::from(&handle)
                }
            }
        )*
    }
}
