//! Collects every mistake of one derive, so that all are reported at once.
//!
//! A message states the fact first, then what to use: `usize differs between platforms; use u64`.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use std::fmt::Display;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Diag {
    errors: Option<syn::Error>,
}

impl Diag {
    /// Records a mistake under these tokens.
    pub(crate) fn error(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Records a mistake at a span.
    pub(crate) fn error_at(&mut self, span: Span, message: impl Display) {
        self.push(syn::Error::new(span, message));
    }

    /// Records what the parser found.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.errors {
            Some(errors) => errors.combine(error),
            None => self.errors = Some(error),
        }
    }

    /// `compile_error!` for each mistake, or `None` if there is none.
    pub(crate) fn into_compile_errors(self) -> Option<TokenStream> {
        self.errors.map(|errors| errors.to_compile_error())
    }
}
