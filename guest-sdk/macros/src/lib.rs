//! The attributes of `ophost-sdk`: [`macro@model`] and [`macro@operation`].
//!
//! Authors use them through `ophost-sdk`, to whose items the expansions refer and where the
//! examples are.
//!
//! - `model`: what `#[model]` adds to a type.
//! - `operation`: what `#[operation]` adds to a function, from its `arguments`, its
//!   `signature`, its doc comment (`description`) and the rules for `names`.

mod arguments;
mod description;
mod model;
mod names;
mod operation;
mod signature;

use proc_macro::TokenStream;

/// Makes a struct or enum a model: something that an operation takes or returns, and that
/// documents are of.
///
/// Derives `Serialize`, `Deserialize`, `JsonSchema`, `Debug` and `Clone`, except what a
/// `#[derive]` below it derives already. Doc comments become the descriptions in the
/// schema. Attributes of serde and schemars keep working.
///
/// Unknown fields are refused; `#[model(allow_unknown_fields)]` ignores them instead,
/// which `#[serde(flatten)]` needs. `#[model(collection = "people")]` says where the documents
/// are, if not in the collection that [`Model`](../ophost_sdk/trait.Model.html) says.
#[proc_macro_attribute]
pub fn model(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(model::expand(arguments.into(), item.clone().into()), item)
}

/// Makes a function an operation, to be listed in `plugin!`.
///
/// The function takes one model, or nothing, and returns a model, or a `Result` of one.
/// Besides it takes any number of collections, which the host gives: `Collection<Model>`,
/// `ReadCollection<Model>`. It stays as it is, so that tests call it like any other. The
/// operation is described by `OPERATION`, a constant of a type of the function's name.
///
/// | key | value | without it |
/// |---|---|---|
/// | `category` | the group it is listed under | required |
/// | `name` | parts of `[a-z][a-z0-9_]*`, joined by dots | the function's name |
/// | `description` | what it does, for people | the doc comment |
/// | `tags` | words to filter by, `["a", "b"]` | none |
/// | `permissions` | what a caller must be allowed to do | none |
/// | `models_in` | the models that are read | those of each `ReadCollection` |
/// | `models_out` | the models that are created, changed or deleted | those of each `Collection` |
/// | `stage` | the step of a pipeline | none |
/// | `async_enabled` | whether a direct call keeps a record | `false` |
/// | `create_taskrun` | whether a record may be kept at all | `true` |
/// | `annotations(...)` | `"key" = value` pairs of literals and arrays of them | none |
#[proc_macro_attribute]
pub fn operation(arguments: TokenStream, item: TokenStream) -> TokenStream {
    or_error(operation::expand(arguments.into(), &item.clone().into()), item)
}

/// Keeps `item` beside an error, so that the error is not followed by a dozen others
/// about a name that is missing.
fn or_error(expansion: syn::Result<proc_macro2::TokenStream>, item: TokenStream) -> TokenStream {
    match expansion {
        Ok(expansion) => expansion.into(),
        Err(error) => [TokenStream::from(error.into_compile_error()), item].into_iter().collect(),
    }
}
