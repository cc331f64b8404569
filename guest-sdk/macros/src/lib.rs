//! The attributes of `ophost-sdk`: [`macro@model`] and [`macro@operation`].
//!
//! Authors use the attributes through `ophost-sdk`, which also has the examples. The expansions
//! refer to items of `ophost-sdk`.
//!
//! - `model`: expands `#[model]`.
//! - `operation`: expands `#[operation]`, with the modules below.
//! - `arguments`: parses the arguments of `#[operation]`.
//! - `signature`: parses the signature of the function.
//! - `description`: extracts the doc comment.
//! - `names`: checks names and texts.

mod arguments;
mod description;
mod model;
mod names;
mod operation;
mod signature;

use proc_macro::TokenStream;

/// Makes a struct or enum a model: the type of an input, of an output or of documents.
///
/// Derives `Serialize`, `Deserialize`, `JsonSchema`, `Debug` and `Clone`. Traits that a `#[derive]`
/// below the attribute derives are left out. Doc comments become the descriptions in the schema.
/// Attributes of serde and schemars keep their meaning.
///
/// The schema of the model has no unknown fields: the host rejects an input that has one. Reading a
/// document ignores unknown fields, and `Collection::save` keeps them.
///
/// | argument | effect |
/// |---|---|
/// | `strict` | reading a document with an unknown field is an error too |
/// | `allow_unknown_fields` | the schema accepts unknown fields, and they are ignored |
/// | `collection = "people"` | the collection of the documents; the default is documented at [`Model`](../ophost_sdk/trait.Model.html) |
#[proc_macro_attribute]
pub fn model(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(model::expand(arguments.into(), item.clone().into()), item)
}

/// Makes a function an operation that `plugin!` can list.
///
/// The function takes at most one model as input, and returns a model or a `Result` of a model. A
/// function can also take any number of collections: `Collection<Model>` or
/// `ReadCollection<Model>`. The host provides the collections.
///
/// The function is not changed, so tests can call it. The attribute adds a type with the name of
/// the function. Its constant `OPERATION` describes the operation.
///
/// | key | value | default |
/// |---|---|---|
/// | `category` | group in lists of operations | required |
/// | `name` | parts of `[a-z][a-z0-9_]*`, joined by dots | name of the function |
/// | `description` | description for users | doc comment |
/// | `tags` | tags to filter by, `["a", "b"]` | none |
/// | `permissions` | permissions that a caller must have | none |
/// | `models_in` | models that are read | model of each `ReadCollection` |
/// | `models_out` | models that are created, changed or deleted | model of each `Collection` |
/// | `stage` | stage of a pipeline | none |
/// | `async_enabled` | whether direct calls are recorded | `false` |
/// | `create_taskrun` | whether runs may be recorded at all | `true` |
/// | `annotations(...)` | pairs `"key" = value` of literals and arrays of literals | none |
#[proc_macro_attribute]
pub fn operation(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(operation::expand(arguments.into(), &item.clone().into()), item)
}

/// Returns the expansion, or the error together with `item`.
///
/// Without `item`, the compiler would also report every use of its name.
fn or_error(expansion: syn::Result<proc_macro2::TokenStream>, item: TokenStream) -> TokenStream {
    match expansion {
        Ok(expansion) => expansion.into(),
        Err(error) => [TokenStream::from(error.into_compile_error()), item].into_iter().collect(),
    }
}
