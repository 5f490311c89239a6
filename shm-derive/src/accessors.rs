//! Writes the methods of a handle for one field: getter, setter, and what integers and arrays have besides.

use crate::expand::shared_item;
use crate::model::{Field, Model};
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

/// The methods of one field.
pub(crate) fn accessors(model: &Model<'_>, field: &Field<'_>, index: usize) -> TokenStream {
    let p = &model.private();
    let (vis, ty, docs) = (field.vis, &field.ty, &field.docs);
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
        let default = quote_spanned!(field.ty.span()=> ::core::default::Default::default());
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
    let (vis, ty) = (field.vis, &field.ty);
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
