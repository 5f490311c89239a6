//! The struct or enum as the later steps see it: what was written, plus what the attributes say.
//!
//! It is made of any input, right or wrong, so that the checks can go on after a mistake and the
//! fallback has something to stand in for.

use crate::attr::{ContainerAttrs, FieldAttrs};
use crate::diag::Diag;
use crate::itself::spelled_out;
use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Data, DeriveInput, Expr, ExprLit, Fields, GenericParam, Generics, Ident, Lit,
    Member, Meta, Token, Type, TypeArray, TypeParamBound, Variant, Visibility, WherePredicate,
    parse_quote,
};

/// One derive's input.
pub(crate) struct Model<'a> {
    /// The struct or enum as written.
    pub(crate) input: &'a DeriveInput,
    /// What `#[shared(...)]` on it says.
    pub(crate) attrs: ContainerAttrs,
    /// The fields of a struct.
    pub(crate) fields: Vec<Field<'a>>,
    /// The variants of an enum.
    pub(crate) variants: Vec<VariantModel<'a>>,
    /// The type of the numbers of an enum's variants.
    pub(crate) tag: Ident,
    /// The handle's name: the struct's, with `Ref` at its end.
    pub(crate) handle: Ident,
    /// The generics of the impls: type parameters are `Shared`, or what `bound` says.
    pub(crate) generics: Generics,
}

/// One variant of an enum.
pub(crate) struct VariantModel<'a> {
    /// As written.
    pub(crate) variant: &'a Variant,
    /// Its fields.
    pub(crate) fields: Vec<Field<'a>>,
}

/// One field.
pub(crate) struct Field<'a> {
    /// Its name or number in the source.
    pub(crate) member: Member,
    /// Its visibility, which its accessors take over.
    pub(crate) vis: &'a Visibility,
    /// Its type, as generated code may name it anywhere: without `Self`.
    pub(crate) ty: Type,
    /// Its type as written.
    pub(crate) written: &'a Type,
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
        let (mut fields, mut variants) = (Vec::new(), Vec::new());
        match &input.data {
            Data::Struct(data) => fields = read_fields(&data.fields, input, diag),
            Data::Enum(data) => {
                variants.extend(data.variants.iter().map(|variant| VariantModel {
                    variant,
                    fields: read_fields(&variant.fields, input, diag),
                }));
            }
            Data::Union(_) => {}
        }
        let handle = format_ident!("{}Ref", input.ident.unraw(), span = input.ident.span());
        let tag = representation(input).unwrap_or_else(|| format_ident!("u8"));
        let mut model =
            Model { input, attrs, fields, variants, tag, handle, generics: input.generics.clone() };
        model.generics = model.bounded();
        model
    }

    /// The generics with what type parameters must be.
    fn bounded(&self) -> Generics {
        let mut generics = self.input.generics.clone();
        let p = self.private();
        // All bounds of a parameter go to one place, the where clause.
        let mut types: Vec<(Ident, Punctuated<TypeParamBound, Token![+]>)> = Vec::new();
        for param in &mut generics.params {
            match param {
                GenericParam::Type(param) => {
                    param.default = None;
                    let mut bounds = std::mem::take(&mut param.bounds);
                    if self.attrs.bound.is_none() {
                        bounds.push(parse_quote!(#p::Shared));
                    }
                    types.push((param.ident.clone(), bounds));
                }
                GenericParam::Const(param) => param.default = None,
                GenericParam::Lifetime(_) => {}
            }
        }
        let whole = generics.make_where_clause();
        if let Some((_, bounds)) = &self.attrs.bound {
            whole.predicates.extend(bounds.iter().cloned());
        }
        for (name, bounds) in types {
            let same = whole.predicates.iter_mut().find_map(|predicate| match predicate {
                WherePredicate::Type(of) if of.bounded_ty == parse_quote!(#name) => Some(of),
                _ => None,
            });
            match same {
                Some(predicate) => predicate.bounds.extend(bounds),
                None if bounds.is_empty() => {}
                None => whole.predicates.push(parse_quote!(#name: #bounds)),
            }
        }
        if whole.predicates.is_empty() {
            generics.where_clause = None;
        }
        generics
    }

    /// The parameters as a declaration has them, with their defaults; the bounds are in the where clause.
    pub(crate) fn declared_parameters(&self) -> Generics {
        let mut declared = self.generics.clone();
        for (param, written) in declared.params.iter_mut().zip(&self.input.generics.params) {
            match (param, written) {
                (GenericParam::Type(param), GenericParam::Type(written)) => {
                    param.default.clone_from(&written.default);
                }
                (GenericParam::Const(param), GenericParam::Const(written)) => {
                    param.default.clone_from(&written.default);
                }
                _ => {}
            }
        }
        declared
    }

    /// Whether it has type or const parameters.
    pub(crate) fn is_generic(&self) -> bool {
        !self.input.generics.params.is_empty()
    }

    /// Whether it is an enum.
    pub(crate) fn is_enum(&self) -> bool {
        matches!(self.input.data, Data::Enum(_))
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

    /// Its documentation as text.
    pub(crate) fn doc(&self) -> String {
        doc_text(&doc_attributes(&self.input.attrs))
    }

    /// The fields that are stored, in order.
    pub(crate) fn stored(&self) -> impl Iterator<Item = &Field<'a>> {
        stored(&self.fields)
    }

    /// All fields, those of variants included.
    pub(crate) fn all_fields(&mut self) -> impl Iterator<Item = &mut Field<'a>> {
        self.fields.iter_mut().chain(self.variants.iter_mut().flat_map(|v| v.fields.iter_mut()))
    }
}

/// The fields that are stored, in order.
pub(crate) fn stored<'m, 'a>(fields: &'m [Field<'a>]) -> impl Iterator<Item = &'m Field<'a>> {
    fields.iter().filter(|field| field.attrs.skip.is_none())
}

fn read_fields<'a>(fields: &'a Fields, input: &DeriveInput, diag: &mut Diag) -> Vec<Field<'a>> {
    let members = fields.members();
    let read = |(field, member): (&'a syn::Field, Member)| Field {
        member,
        vis: &field.vis,
        ty: spelled_out(&field.ty, input),
        written: &field.ty,
        docs: doc_attributes(&field.attrs),
        attrs: FieldAttrs::read(&field.attrs, diag),
        sound: true,
    };
    fields.iter().zip(members).map(read).collect()
}

/// The integer type of `#[repr(...)]`.
pub(crate) fn representation(input: &DeriveInput) -> Option<Ident> {
    let mut found = None;
    for attr in input.attrs.iter().filter(|attr| attr.path().is_ident("repr")) {
        // What `repr` itself makes of its arguments is the compiler's business.
        let _ = attr.parse_nested_meta(|meta| {
            if let Some(name) = meta.path.get_ident()
                && (is_integer(&name.to_string()) || name == "usize" || name == "isize")
            {
                found = Some(name.clone());
            }
            Ok(())
        });
    }
    found
}

fn doc_attributes(attrs: &[Attribute]) -> Vec<&Attribute> {
    attrs.iter().filter(|attr| attr.path().is_ident("doc")).collect()
}

fn doc_text(attrs: &[&Attribute]) -> String {
    let lines = attrs.iter().filter_map(|attr| match &attr.meta {
        Meta::NameValue(pair) => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

impl Field<'_> {
    /// Its name without `r#`, or its number.
    pub(crate) fn plain_name(&self) -> String {
        match &self.member {
            Member::Named(ident) => ident.unraw().to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        }
    }

    /// Where it is named, or else its type.
    pub(crate) fn span(&self) -> Span {
        match &self.member {
            Member::Named(ident) => ident.span(),
            Member::Unnamed(_) => self.ty.span(),
        }
    }

    /// Its name in the schema, and where that was written.
    pub(crate) fn stored_name(&self) -> (String, Span) {
        match (&self.attrs.rename, &self.member) {
            (Some(name), _) => (name.value(), name.span()),
            (None, Member::Named(_)) => (self.plain_name(), self.span()),
            (None, Member::Unnamed(index)) => (format!("_{}", index.index), self.span()),
        }
    }

    /// Its documentation as text.
    pub(crate) fn doc(&self) -> String {
        doc_text(&self.docs)
    }

    /// A variable for it.
    pub(crate) fn variable(&self) -> Ident {
        format_ident!("__shm_{}", self.plain_name(), span = Span::mixed_site())
    }

    /// The getter's name.
    pub(crate) fn getter(&self) -> Ident {
        match &self.member {
            Member::Named(ident) => ident.clone(),
            Member::Unnamed(_) => self.method("get_"),
        }
    }

    /// An accessor's name.
    pub(crate) fn method(&self, prefix: &str) -> Ident {
        format_ident!("{prefix}{}", self.plain_name(), span = self.span())
    }

    /// Whether its type is written as one of the built-in integers.
    pub(crate) fn is_integer(&self) -> bool {
        self.attrs.as_bytes.is_none() && primitive(&self.ty).is_some_and(|name| is_integer(&name))
    }

    /// Whether its type is written as one of the built-in scalars.
    pub(crate) fn is_scalar(&self) -> bool {
        let others = ["bool", "char", "f32", "f64"];
        self.is_integer()
            || (self.attrs.as_bytes.is_none()
                && primitive(&self.ty).is_some_and(|name| others.contains(&name.as_str())))
    }

    /// The generic arguments element and length of an array whose elements can be changed one by one.
    pub(crate) fn array(&self) -> Option<(&Type, TokenStream)> {
        let whole = self.attrs.as_bytes.is_some()
            || self.attrs.readonly.is_some()
            || self.attrs.default.is_some();
        if whole { None } else { array(&self.ty) }
    }

    /// Whether its setter takes whatever converts into it.
    pub(crate) fn is_converted(&self) -> bool {
        primitive(&self.ty).is_some_and(|name| matches!(name.as_str(), "String" | "Value"))
    }
}

pub(crate) fn is_integer(name: &str) -> bool {
    matches!(name, "i8" | "i16" | "i32" | "i64" | "i128" | "u8" | "u16" | "u32" | "u64" | "u128")
}

fn array(ty: &Type) -> Option<(&Type, TokenStream)> {
    match ty {
        Type::Array(TypeArray { elem, len, .. }) => {
            let alone = match len {
                Expr::Lit(_) | Expr::Block(_) => true,
                Expr::Path(path) => path.path.get_ident().is_some(),
                _ => false,
            };
            Some((elem, if alone { quote!(#len) } else { quote!({ #len }) }))
        }
        Type::Group(group) => array(&group.elem),
        Type::Paren(paren) => array(&paren.elem),
        _ => None,
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
