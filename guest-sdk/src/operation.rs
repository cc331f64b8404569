//! What one function declares.

use std::fmt;

use serde_json::Value;

use crate::Result;

/// What `#[operation]` makes of a function; `plugin!` lists these.
///
/// # Example
///
/// ```
/// use ophost_sdk::{model, operation};
///
/// #[model]
/// struct Text {
///     text: String,
/// }
///
/// /// Turns a text to capitals.
/// #[operation(category = "demo", tags = ["text"])]
/// fn shout(input: Text) -> Text {
///     Text { text: input.text.to_uppercase() }
/// }
///
/// assert_eq!(shout::OPERATION.description, "Turns a text to capitals.");
/// assert_eq!(shout::OPERATION.tags, ["text"]);
/// assert_eq!(shout::OPERATION.invoke(r#"{"text": "hi"}"#).unwrap(), r#"{"text":"HI"}"#);
/// ```
#[derive(Clone, Copy)]
pub struct Operation {
    /// Unique in a host.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// The group it is listed under.
    pub category: &'static str,
    /// Makes the JSON Schema of the input.
    pub input_schema: fn() -> Value,
    /// Makes the JSON Schema of the output.
    pub output_schema: fn() -> Value,
    /// Words to filter by.
    pub tags: &'static [&'static str],
    /// What a caller must be allowed to do.
    pub permissions: &'static [&'static str],
    /// The models that are read.
    pub models_in: &'static [&'static str],
    /// The models that are created, changed or deleted.
    pub models_out: &'static [&'static str],
    /// The step of a pipeline.
    pub stage: Option<&'static str>,
    /// Whether a direct call keeps a record.
    pub async_enabled: bool,
    /// Whether a record may be kept at all.
    pub create_taskrun: bool,
    /// Everything else.
    pub annotations: &'static [Annotation],
    /// Calls the function on a JSON text.
    pub handler: fn(&str) -> Result<String>,
}

impl Operation {
    /// Calls the function as the host does: from a JSON text to a JSON text.
    ///
    /// # Errors
    ///
    /// Returns the function's own failure; one with the code `invalid-input` when the
    /// input does not fit its type, and `invalid-output` when the output is not JSON.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::operation;
    ///
    /// /// Always the same.
    /// #[operation(category = "demo")]
    /// fn answer() -> u32 {
    ///     42
    /// }
    ///
    /// assert_eq!(answer::OPERATION.invoke("{}").unwrap(), "42");
    /// ```
    pub fn invoke(&self, input: &str) -> Result<String> {
        #[cfg(target_family = "wasm")]
        return (self.handler)(input);
        #[cfg(not(target_family = "wasm"))]
        crate::testing::execute_run(self, || (self.handler)(input))
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.name).finish()
    }
}

/// A setting outside the fields of [`Operation`] or [`Plugin`](crate::Plugin), by name.
///
/// Keys under `ophost.` are the host's, which refuses those that it does not know.
///
/// # Example
///
/// ```
/// use ophost_sdk::operation;
///
/// /// Always the same.
/// #[operation(category = "demo", annotations("ophost.idempotent" = true))]
/// fn answer() -> u32 {
///     42
/// }
///
/// let annotation = answer::OPERATION.annotations[0];
/// assert_eq!(annotation.key, "ophost.idempotent");
/// assert_eq!((annotation.value)(), true);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Annotation {
    /// Unique in its list.
    pub key: &'static str,
    /// Makes the value, any JSON.
    pub value: fn() -> Value,
}
