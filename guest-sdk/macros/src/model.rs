//! Expands `#[model]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Ident, Path, Result, Token};

/// Returns `item` with the derives of a model.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let unknown_fields: UnknownFields = syn::parse2(arguments)?;
    let item: DeriveInput = syn::parse2(item)?;
    if let Data::Union(union) = &item.data {
        let message = "a model is a struct or an enum: JSON has no unions";
        return Err(Error::new_spanned(union.union_token, message));
    }
    let derives = missing_derives(&item.attrs);
    let deny_unknown_fields = match unknown_fields {
        UnknownFields::Denied if !mentions_unknown_fields(&item.attrs) => {
            quote!(#[serde(deny_unknown_fields)])
        }
        UnknownFields::Denied | UnknownFields::Allowed => quote!(),
    };
    Ok(quote! {
        #[derive(#(#derives),*)]
        #[serde(crate = "::ophost_sdk::serde")]
        #[schemars(crate = "::ophost_sdk::schemars")]
        #deny_unknown_fields
        #item
    })
}

/// What happens to fields that the model does not have.
enum UnknownFields {
    Denied,
    Allowed,
}

impl Parse for UnknownFields {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            return Ok(Self::Denied);
        }
        let key: Ident = input.parse()?;
        if key != "allow_unknown_fields" {
            let message = format!("unknown key `{key}`, the only key is allow_unknown_fields");
            return Err(Error::new(key.span(), message));
        }
        Ok(Self::Allowed)
    }
}

/// Returns the paths of the derives of a model that no `#[derive]` names already.
fn missing_derives(attributes: &[Attribute]) -> Vec<TokenStream> {
    let present = derived_names(attributes);
    [
        ("Serialize", quote!(::ophost_sdk::serde::Serialize)),
        ("Deserialize", quote!(::ophost_sdk::serde::Deserialize)),
        ("JsonSchema", quote!(::ophost_sdk::schemars::JsonSchema)),
        ("Debug", quote!(::core::fmt::Debug)),
        ("Clone", quote!(::core::clone::Clone)),
    ]
    .into_iter()
    .filter(|(name, _)| !present.iter().any(|present| present == name))
    .map(|(_, path)| path)
    .collect()
}

fn derived_names(attributes: &[Attribute]) -> Vec<Ident> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|derive| {
            derive.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated).ok()
        })
        .flatten()
        .filter_map(|path| Some(path.segments.last()?.ident.clone()))
        .collect()
}

/// Whether the author's own serde attributes deny unknown fields: serde refuses to be
/// told twice.
fn mentions_unknown_fields(attributes: &[Attribute]) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"))
        .any(|attribute| attribute.to_token_stream().to_string().contains("deny_unknown_fields"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, item: &str) -> std::result::Result<String, String> {
        match expand(arguments.parse().unwrap(), item.parse().unwrap()) {
            Ok(tokens) => Ok(tokens.to_string().replace(' ', "")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn unknown_fields_are_denied_unless_allowed() {
        let strict = expanded("", "struct A { b: u8 }").unwrap();
        assert!(strict.contains("#[serde(deny_unknown_fields)]"), "{strict}");
        let loose = expanded("allow_unknown_fields", "struct A { b: u8 }").unwrap();
        assert!(!loose.contains("deny_unknown_fields"), "{loose}");
    }

    #[test]
    fn what_the_author_says_is_not_said_twice() {
        let text = expanded(
            "",
            "#[derive(Debug, std::clone::Clone, PartialEq)] #[serde(deny_unknown_fields)] enum A { B }",
        )
        .unwrap();
        assert!(!text.contains("::core::fmt::Debug"), "{text}");
        assert!(!text.contains("::core::clone::Clone"), "{text}");
        assert!(text.contains("::ophost_sdk::serde::Serialize"), "{text}");
        assert_eq!(text.matches("deny_unknown_fields").count(), 1, "{text}");
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("strict", "struct A;", "unknown key `strict`, the only key is allow_unknown_fields"),
            ("", "union A { b: u8 }", "a model is a struct or an enum: JSON has no unions"),
            ("", "fn a() {}", "expected one of: `struct`, `enum`, `union`"),
        ];
        for (arguments, item, expected) in cases {
            assert_eq!(expanded(arguments, item).unwrap_err(), expected);
        }
    }
}
