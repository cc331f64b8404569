//! Expands `#[model]`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Error, Ident, LitStr, Path, Result, Token};

use crate::names;

/// Returns `item` with the derives of a model, and the trait `Model` unless `item` is generic.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let item: DeriveInput = syn::parse2(item)?;
    if let Data::Union(union) = &item.data {
        let message = "a model must be a struct or an enum, because JSON has no unions";
        return Err(Error::new_spanned(union.union_token, message));
    }
    let derives = missing_derives(&item.attrs);
    let deny_unknown_fields = deny_unknown_fields(&arguments, &item.attrs);
    let model = model(&arguments, &item)?;
    Ok(quote! {
        #[derive(#(#derives),*)]
        #[serde(crate = "::ophost_sdk::serde")]
        #[schemars(crate = "::ophost_sdk::schemars")]
        #deny_unknown_fields
        #item

        #model
    })
}

/// Returns the attributes that reject unknown fields: in the schema, and in a strict model also when
/// a value is deserialised.
///
/// The host checks each input against the schema. A stored document is only deserialised, so a
/// model that is not strict reads documents with fields that it does not have.
fn deny_unknown_fields(arguments: &Arguments, attributes: &[Attribute]) -> TokenStream {
    let missing = |of: &str| !has_deny_unknown_fields(attributes, of);
    let in_schema = !arguments.allow_unknown_fields && missing("schemars");
    let in_documents = arguments.strict && missing("serde");
    let in_schema = in_schema.then(|| quote!(#[schemars(deny_unknown_fields)]));
    let in_documents = in_documents.then(|| quote!(#[serde(deny_unknown_fields)]));
    quote!(#in_schema #in_documents)
}

/// Returns the implementation of `Model`, or nothing for a generic type.
///
/// All instances of a generic type would have the same model name.
fn model(arguments: &Arguments, item: &DeriveInput) -> Result<TokenStream> {
    let Arguments { collection, .. } = arguments;
    if !item.generics.params.is_empty() {
        return match collection {
            Some(name) => Err(Error::new(name.span(), "a generic type cannot have a collection")),
            None => Ok(quote!()),
        };
    }
    let ident = &item.ident;
    let name = ident.unraw().to_string();
    let collection = collection.iter();
    Ok(quote! {
        #[automatically_derived]
        impl ::ophost_sdk::Model for #ident {
            const NAME: &'static str = #name;
            #(
                const COLLECTION: ::core::option::Option<&'static str> =
                    ::core::option::Option::Some(#collection);
            )*
        }
    })
}

/// The arguments of `#[model(...)]`.
#[derive(Default)]
struct Arguments {
    allow_unknown_fields: bool,
    strict: bool,
    collection: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            match key.to_string().as_str() {
                "allow_unknown_fields" => arguments.allow_unknown_fields = true,
                "strict" => arguments.strict = true,
                "collection" => arguments.collection = Some(collection(input)?),
                _ => {
                    let message = format!(
                        "unknown key `{key}`; valid keys are allow_unknown_fields, collection, \
                         strict"
                    );
                    return Err(Error::new(key.span(), message));
                }
            }
            if arguments.strict && arguments.allow_unknown_fields {
                let message = "a strict model cannot allow unknown fields";
                return Err(Error::new(key.span(), message));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(arguments)
    }
}

fn collection(input: ParseStream<'_>) -> Result<LitStr> {
    input.parse::<Token![=]>()?;
    let name: LitStr = input.parse()?;
    names::check_collection(&name.value()).map_err(|message| Error::new(name.span(), message))?;
    Ok(name)
}

/// Returns the paths of a model's derives that are not in `attributes`.
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

/// Returns whether an attribute `#[serde(..)]` or `#[schemars(..)]` has `deny_unknown_fields`, which
/// both accept only once.
fn has_deny_unknown_fields(attributes: &[Attribute], of: &str) -> bool {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident(of))
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
    fn unknown_fields_are_denied_in_the_schema_and_in_strict_documents() {
        let denied = |arguments| {
            let text = expanded(arguments, "struct A { b: u8 }").unwrap();
            let denied = |of: &str| text.contains(&format!("#[{of}(deny_unknown_fields)]"));
            (denied("schemars"), denied("serde"))
        };
        assert_eq!(denied(""), (true, false));
        assert_eq!(denied("strict"), (true, true));
        assert_eq!(denied("allow_unknown_fields"), (false, false));
    }

    #[test]
    fn existing_derives_and_serde_attributes_are_not_repeated() {
        let text = expanded(
            "strict",
            "#[derive(Debug, std::clone::Clone, PartialEq)]
             #[serde(deny_unknown_fields)]
             #[schemars(deny_unknown_fields)]
             enum A { B }",
        )
        .unwrap();
        assert!(!text.contains("::core::fmt::Debug"), "{text}");
        assert!(!text.contains("::core::clone::Clone"), "{text}");
        assert!(text.contains("::ophost_sdk::serde::Serialize"), "{text}");
        assert_eq!(text.matches("deny_unknown_fields").count(), 2, "{text}");
    }

    #[test]
    fn the_model_name_is_the_type_name() {
        let text = expanded("", "struct r#Job { b: u8 }").unwrap();
        assert!(text.contains(r#"constNAME:&'staticstr="Job";"#), "{text}");
        assert!(!text.contains("COLLECTION"), "{text}");
    }

    #[test]
    fn the_collection_argument_sets_the_collection() {
        let arguments = r#"collection = "people", strict,"#;
        let text = expanded(arguments, "struct Person { b: u8 }").unwrap();
        assert!(text.contains(r#"::core::option::Option::Some("people");"#), "{text}");
        assert!(text.contains("#[serde(deny_unknown_fields)]"), "{text}");
    }

    #[test]
    fn a_generic_type_does_not_implement_model() {
        let text = expanded("", "struct Page<T> { items: Vec<T> }").unwrap();
        assert!(!text.contains("Model"), "{text}");
    }

    #[test]
    fn invalid_models_are_reported() {
        let cases = [
            (
                "loose",
                "struct A;",
                "unknown key `loose`; valid keys are allow_unknown_fields, collection, strict",
            ),
            (
                "strict, allow_unknown_fields",
                "struct A;",
                "a strict model cannot allow unknown fields",
            ),
            (
                r#"collection = "all people""#,
                "struct A;",
                "`all people` is not a valid collection name: expected lower case letters, digits \
                 and `_`, a letter first, in parts joined by dots or dashes, at most 64 bytes",
            ),
            (
                r#"collection = "pages""#,
                "struct A<T>(T);",
                "a generic type cannot have a collection",
            ),
            (
                "",
                "union A { b: u8 }",
                "a model must be a struct or an enum, because JSON has no unions",
            ),
            ("", "fn a() {}", "expected one of: `struct`, `enum`, `union`"),
        ];
        for (arguments, item, expected) in cases {
            assert_eq!(expanded(arguments, item).unwrap_err(), expected);
        }
    }
}
