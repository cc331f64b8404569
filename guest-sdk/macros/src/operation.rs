//! Expands `#[operation(...)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Error, Ident, ItemFn, LitStr, Result};

use crate::arguments::{Annotation, Arguments};
use crate::signature::{Access, OperationSignature, Parameter};
use crate::{description, names};

/// Returns `item` unchanged, followed by a type of the same name with the constant `OPERATION`.
///
/// The type is a struct with braces, because its name is then not in the value namespace, which
/// contains the function.
pub(crate) fn expand(arguments: TokenStream, item: &TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let function: ItemFn = syn::parse2(item.clone())?;
    let (visibility, ident) = (&function.vis, &function.sig.ident);
    let operation = operation(&arguments, &function)?;
    Ok(quote! {
        #[allow(clippy::needless_pass_by_value, reason = "an operation owns its input")]
        #item

        #[doc(hidden)]
        #[allow(dead_code, non_camel_case_types, reason = "the type has the name of the function")]
        #visibility struct #ident {}

        impl #ident {
            #[doc = "Description of the operation for the host."]
            #visibility const OPERATION: ::ophost_sdk::Operation = #operation;
        }
    })
}

/// Returns the expression that describes the operation.
fn operation(arguments: &Arguments, function: &ItemFn) -> Result<TokenStream> {
    let signature = OperationSignature::parse(&function.sig)?;
    let name = name(arguments, &function.sig.ident)?;
    let description = description(arguments, function)?;
    let category = category(arguments)?;
    let stage = option(arguments.stage.as_ref());
    let annotations = annotations(arguments, &signature);
    let handler = handler(&signature, &function.sig.ident);
    let (input, output) = (input(&signature), signature.output);
    let models_in = models(&arguments.models_in, &signature, Access::Read);
    let models_out = models(&arguments.models_out, &signature, Access::Write);
    let Arguments { tags, permissions, async_enabled, create_taskrun, .. } = arguments;
    Ok(quote! {
        ::ophost_sdk::Operation {
            name: #name,
            description: #description,
            category: #category,
            input_schema: ::ophost_sdk::macro_support::input_schema::<#input>,
            output_schema: ::ophost_sdk::macro_support::output_schema::<#output>,
            tags: &[#(#tags),*],
            permissions: &[#(#permissions),*],
            models_in: #models_in,
            models_out: #models_out,
            stage: #stage,
            async_enabled: #async_enabled,
            create_taskrun: #create_taskrun,
            annotations: #annotations,
            handler: #handler,
        }
    })
}

fn name(arguments: &Arguments, function: &Ident) -> Result<LitStr> {
    if let Some(name) = &arguments.name {
        return Ok(name.clone());
    }
    let name = function.unraw().to_string();
    names::check_operation_name(&name).map_err(|message| Error::new(function.span(), message))?;
    Ok(LitStr::new(&name, function.span()))
}

fn description(arguments: &Arguments, function: &ItemFn) -> Result<LitStr> {
    if let Some(description) = &arguments.description {
        return Ok(description.clone());
    }
    let span = function.sig.ident.span();
    let text = description::from_doc_comment(&function.attrs).ok_or_else(|| {
        Error::new(
            span,
            "an operation needs a description: add a doc comment or `description = \"...\"`",
        )
    })?;
    names::check_description(&text).map_err(|message| Error::new(span, message))?;
    Ok(LitStr::new(&text, span))
}

fn category(arguments: &Arguments) -> Result<&LitStr> {
    arguments.category.as_ref().ok_or_else(|| {
        Error::new(
            Span::call_site(),
            "`category` is required, as in `#[operation(category = \"text\")]`",
        )
    })
}

fn option(text: Option<&LitStr>) -> TokenStream {
    match text {
        Some(text) => quote!(::core::option::Option::Some(#text)),
        None => quote!(::core::option::Option::None),
    }
}

/// Returns the models in `named` and the models of the collections with `access`, each once.
fn models(named: &[LitStr], signature: &OperationSignature<'_>, access: Access) -> TokenStream {
    let collections = signature.collections().filter(|collection| collection.access == access);
    let used: Vec<_> = collections.map(|collection| collection.model).collect();
    if used.is_empty() {
        return quote!(&[#(#named),*]);
    }
    let count = named.len() + used.len();
    quote! {{
        const MODELS: ::ophost_sdk::macro_support::Names<#count> =
            ::ophost_sdk::macro_support::Names::distinct([
                #(#named,)*
                #(<#used as ::ophost_sdk::Model>::NAME,)*
            ]);
        MODELS.as_slice()
    }}
}

/// Returns the annotations of the operation.
///
/// These are the annotations of the attribute, and `ophost.collections` if a model of a parameter
/// has an explicit collection name.
fn annotations(arguments: &Arguments, signature: &OperationSignature<'_>) -> TokenStream {
    let named: Vec<_> = arguments.annotations.iter().map(annotation).collect();
    let models: Vec<_> = signature.collections().map(|collection| collection.model).collect();
    if models.is_empty() {
        return quote!(&[#(#named),*]);
    }
    quote! {{
        const COLLECTIONS: ::ophost_sdk::macro_support::ModelCollections =
            ::ophost_sdk::macro_support::ModelCollections::new(&[
                #(::ophost_sdk::macro_support::ModelCollection::of::<#models>()),*
            ]);
        const ANNOTATION: ::ophost_sdk::Annotation = ::ophost_sdk::Annotation {
            key: ::ophost_sdk::macro_support::COLLECTIONS_KEY,
            value: || COLLECTIONS.to_json(),
        };
        if COLLECTIONS.has_overrides() { &[#(#named,)* ANNOTATION] } else { &[#(#named),*] }
    }}
}

fn annotation(annotation: &Annotation) -> TokenStream {
    let Annotation { key, value } = annotation;
    quote! {
        ::ophost_sdk::Annotation { key: #key, value: || ::ophost_sdk::serde_json::json!(#value) }
    }
}

fn input(signature: &OperationSignature<'_>) -> TokenStream {
    match signature.input() {
        Some(input) => quote!(#input),
        None => quote!(::ophost_sdk::macro_support::NoInput),
    }
}

/// Returns the closure that calls `function` with a JSON text.
fn handler(signature: &OperationSignature<'_>, function: &Ident) -> TokenStream {
    // With mixed-site spans, the variables do not shadow a function named `json` or `input`.
    let json = Ident::new("json", Span::mixed_site());
    let value = Ident::new("input", Span::mixed_site());
    let (input, output) = (input(signature), signature.output);
    let parameters = signature.parameters.iter().map(|parameter| match parameter {
        Parameter::Input(_) => quote!(#value),
        Parameter::Collection(collection) => {
            let ty = collection.ty;
            // With this span, a type that is not a model is reported at the parameter.
            quote_spanned!(ty.span()=> <#ty>::new())
        }
    });
    let call = quote!(#function(#(#parameters),*));
    let result = match signature.fallible {
        true => {
            // With this span, an error type that does not convert is reported at the return type.
            let from = quote_spanned!(signature.output.span()=> ::ophost_sdk::Failure::from);
            quote!(#call.map_err(#from))
        }
        false => quote!(::core::result::Result::Ok(#call)),
    };
    quote! {
        |#json| ::ophost_sdk::macro_support::dispatch::<#input, #output>(#json, |#value| #result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the expansion as text without spaces, or the error.
    fn expanded(arguments: &str, item: &str) -> std::result::Result<String, String> {
        match expand(arguments.parse().unwrap(), &item.parse().unwrap()) {
            Ok(tokens) => Ok(tokens.to_string().replace(' ', "")),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_generated_type_has_the_visibility_of_the_function() {
        let text =
            expanded(r#"category = "c", description = "d""#, "pub(crate) fn f() -> O {}").unwrap();
        assert!(text.contains("pub(crate)fnf()->O{}"), "{text}");
        assert!(text.contains("pub(crate)structf{}"), "{text}");
        assert!(text.contains("pub(crate)constOPERATION"), "{text}");
    }

    #[test]
    fn the_operation_name_defaults_to_the_function_name() {
        let text = expanded(r#"category = "c""#, "/** d */ fn r#match() -> O {}").unwrap();
        assert!(text.contains(r#"name:"match""#), "{text}");
    }

    #[test]
    fn missing_settings_are_reported() {
        let cases = [
            (
                "",
                "/** d */ fn f() -> O {}",
                "`category` is required, as in `#[operation(category = \"text\")]`",
            ),
            (
                r#"category = "c""#,
                "fn f() -> O {}",
                "an operation needs a description: add a doc comment or `description = \"...\"`",
            ),
            (
                r#"category = "c""#,
                "/** d */ fn Greet() -> O {}",
                "`Greet` is not a valid operation name: expected parts of `[a-z][a-z0-9_]*` \
                 joined by dots; set one with `name = \"...\"`",
            ),
            (r#"category = "c""#, "struct Person;", "expected `fn`"),
        ];
        for (arguments, item, expected) in cases {
            assert_eq!(expanded(arguments, item).unwrap_err(), expected);
        }
    }
}
