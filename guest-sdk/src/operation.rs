//! The description of an operation.

use std::fmt;

use serde_json::Value;

use crate::Result;

/// Description of an operation. `#[operation]` creates it, and `plugin!` lists it.
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
/// /// Converts a text to upper case.
/// #[operation(category = "demo", tags = ["text"])]
/// fn shout(input: Text) -> Text {
///     Text { text: input.text.to_uppercase() }
/// }
///
/// assert_eq!(shout::OPERATION.description, "Converts a text to upper case.");
/// assert_eq!(shout::OPERATION.tags, ["text"]);
/// assert_eq!(shout::OPERATION.invoke(r#"{"text": "hi"}"#).unwrap(), r#"{"text":"HI"}"#);
/// ```
#[derive(Clone, Copy)]
pub struct Operation {
    /// Name of the operation, unique in a host.
    pub name: &'static str,
    /// Description for users.
    pub description: &'static str,
    /// Group in lists of operations.
    pub category: &'static str,
    /// Returns the JSON Schema of the input.
    pub input_schema: fn() -> Value,
    /// Returns the JSON Schema of the output.
    pub output_schema: fn() -> Value,
    /// Tags to filter by.
    pub tags: &'static [&'static str],
    /// Permissions that a caller must have.
    pub permissions: &'static [&'static str],
    /// Models that the operation reads.
    pub models_in: &'static [&'static str],
    /// Models that the operation creates, changes or deletes.
    pub models_out: &'static [&'static str],
    /// Stage of a pipeline.
    pub stage: Option<&'static str>,
    /// Whether direct calls are recorded.
    pub async_enabled: bool,
    /// Whether runs may be recorded at all.
    pub create_taskrun: bool,
    /// Further settings.
    pub annotations: &'static [Annotation],
    /// Calls the function with a JSON text.
    pub handler: fn(&str) -> Result<String>,
}

impl Operation {
    /// Calls the function with a JSON text, as the host does, and returns its output as JSON.
    ///
    /// A native build fills in the defaults of the input schema, and checks the input and the output
    /// against their schemas. The messages are those of the host, and the details of the failure
    /// list the violations. In a WebAssembly build, the host checks both. A test that calls the
    /// function itself checks neither.
    ///
    /// # Errors
    ///
    /// - Returns the failure of the function.
    /// - Returns a permanent failure with the code `invalid-input` if the input violates its schema
    ///   or does not match the type of the parameter.
    /// - Returns a permanent failure with the code `invalid-output` if the output violates its
    ///   schema or cannot be serialised as JSON.
    /// - Returns a permanent failure with the code `invalid-schema` if the host would reject the
    ///   plugin because of a schema.
    ///
    /// # Example
    ///
    /// ```
    /// use ophost_sdk::operation;
    ///
    /// /// Returns the answer.
    /// #[operation(category = "demo")]
    /// fn answer() -> u32 {
    ///     42
    /// }
    ///
    /// assert_eq!(answer::OPERATION.invoke("{}").unwrap(), "42");
    ///
    /// let failure = answer::OPERATION.invoke(r#"{"question": 6}"#).unwrap_err();
    /// assert_eq!(failure.code.as_deref(), Some("invalid-input"));
    /// ```
    pub fn invoke(&self, input: &str) -> Result<String> {
        #[cfg(target_family = "wasm")]
        return (self.handler)(input);
        #[cfg(not(target_family = "wasm"))]
        crate::testing::invoke(self, input)
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Operation").field(&self.name).finish()
    }
}

/// A further setting of an [`Operation`] or a [`Plugin`](crate::Plugin).
///
/// Keys under `ophost.` are reserved for the host. The host rejects unknown keys under `ophost.`.
///
/// # Example
///
/// ```
/// use ophost_sdk::operation;
///
/// /// Returns the answer.
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
    /// Key, unique in its list.
    pub key: &'static str,
    /// Returns the value, any JSON.
    pub value: fn() -> Value,
}
