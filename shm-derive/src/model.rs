//! The struct as the later steps see it: what was written, plus what the attributes say.
//!
//! It is made of any input, right or wrong, so that the checks can go on after a mistake and the
//! fallback has something to stand in for.

use crate::attr::{ContainerAttrs, FieldAttrs};
use crate::diag::Diag;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, Type, Visibility};

/// One derive's input.
pub(crate) struct Model<'a> {
    /// The struct as written.
    pub(crate) input: &'a DeriveInput,
    /// What `#[shared(...)]` on it says.
    pub(crate) attrs: ContainerAttrs,
    /// The named fields, if it has such.
    pub(crate) fields: Vec<Field<'a>>,
    /// The handle's name: the struct's, with `Ref` at its end.
    pub(crate) handle: Ident,
}

/// One named field.
pub(crate) struct Field<'a> {
    /// Its name in the source.
    pub(crate) ident: &'a Ident,
    /// Its visibility, which its accessors take over.
    pub(crate) vis: &'a Visibility,
    /// Its type.
    pub(crate) ty: &'a Type,
    /// Its documentation, which its getter takes over.
    pub(crate) docs: Vec<&'a Attribute>,
    /// What `#[shared(...)]` on it says.
    pub(crate) attrs: FieldAttrs,
    /// Whether its type passed the checks, so that the fallback may name it.
    pub(crate) sound: bool,
}

impl<'a> Model<'a> {
    /// Reads attributes and fields.
    pub(crate) fn new(input: &'a DeriveInput, diag: &mut Diag) -> Self {
        let attrs = ContainerAttrs::read(&input.attrs, diag);
        let named = match &input.data {
            Data::Struct(data) => match &data.fields {
                Fields::Named(named) => Some(&named.named),
                Fields::Unnamed(_) | Fields::Unit => None,
            },
            Data::Enum(_) | Data::Union(_) => None,
        };
        let mut fields = Vec::new();
        for field in named.into_iter().flatten() {
            let Some(ident) = &field.ident else { continue };
            fields.push(Field {
                ident,
                vis: &field.vis,
                ty: &field.ty,
                docs: field.attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect(),
                attrs: FieldAttrs::read(&field.attrs, diag),
                sound: true,
            });
        }
        let handle = format_ident!("{}Ref", input.ident.unraw(), span = input.ident.span());
        Model { input, attrs, fields, handle }
    }

    /// The path of what generated code may name.
    pub(crate) fn private(&self) -> TokenStream {
        if let Some(path) = &self.attrs.krate {
            quote!(#path::__private)
        } else {
            quote!(::shm::__private)
        }
    }

    /// The name that the schema is stored under.
    pub(crate) fn stored_name(&self) -> String {
        self.attrs
            .name
            .as_ref()
            .map_or_else(|| self.input.ident.unraw().to_string(), syn::LitStr::value)
    }

    /// The fields that are stored, in order.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| field.attrs.skip.is_none())
    }
}

impl Field<'_> {
    /// Its name without `r#`.
    pub(crate) fn plain_name(&self) -> String {
        self.ident.unraw().to_string()
    }

    /// Its name in the schema, and where that was written.
    pub(crate) fn stored_name(&self) -> (String, Span) {
        match &self.attrs.rename {
            Some(name) => (name.value(), name.span()),
            None => (self.plain_name(), self.ident.span()),
        }
    }

    /// An accessor's name.
    pub(crate) fn method(&self, prefix: &str) -> Ident {
        format_ident!("{prefix}{}", self.plain_name(), span = self.ident.span())
    }

    /// Whether its type is written as one of the built-in integers.
    pub(crate) fn is_integer(&self) -> bool {
        primitive(self.ty).is_some_and(|name| {
            matches!(
                name.as_str(),
                "i8" | "i16" | "i32" | "i64" | "i128" | "u8" | "u16" | "u32" | "u64" | "u128"
            )
        })
    }

    /// Whether its type is written as one of the built-in scalars.
    pub(crate) fn is_scalar(&self) -> bool {
        let others = ["bool", "char", "f32", "f64"];
        self.is_integer() || primitive(self.ty).is_some_and(|name| others.contains(&name.as_str()))
    }

    /// Whether its setter takes whatever converts into it.
    pub(crate) fn is_converted(&self) -> bool {
        primitive(self.ty).is_some_and(|name| matches!(name.as_str(), "String" | "Value"))
    }
}

/// The name of a type that is written as one identifier.
pub(crate) fn primitive(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().map(ToString::to_string),
        Type::Group(group) => primitive(&group.elem),
        Type::Paren(paren) => primitive(&paren.elem),
        _ => None,
    }
}
