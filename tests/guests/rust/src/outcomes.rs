//! One operation for each outcome of a run.

use std::borrow::Cow;

use ophost_sdk::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use ophost_sdk::serde::Serialize;
use ophost_sdk::serde_json::{Value, json};
use ophost_sdk::{Failure, model, operation};

const KIB: usize = 1024;

/// The message of a panic or a failure.
#[model]
pub(crate) struct Message {
    /// The message.
    message: String,
}

/// Panics.
#[operation(name = "misbehave.panic", category = "test")]
pub(crate) fn panic(input: Message) -> Message {
    panic_with(&input.message)
}

/// A separate function, so that the backtrace contains its name.
#[inline(never)]
fn panic_with(message: &str) -> ! {
    panic!("{message}")
}

/// The failure to return.
#[model]
pub(crate) struct Declared {
    /// Whether a retry can succeed.
    kind: DeclaredKind,
    /// The message.
    #[serde(default)]
    message: String,
    /// The code for programs.
    #[serde(default)]
    code: Option<String>,
}

/// Whether a retry can succeed.
#[model]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeclaredKind {
    /// Unknown.
    Error,
    /// A retry fails again.
    Permanent,
    /// A retry may succeed.
    Retryable,
}

/// Returns the failure of the input. The details of the failure are the input.
#[operation(name = "misbehave.fail", category = "test")]
pub(crate) fn fail(input: Declared) -> ophost_sdk::Result<Message> {
    let message = input.message.clone();
    let failure = match input.kind {
        DeclaredKind::Error => Failure::error(message),
        DeclaredKind::Permanent => Failure::permanent(message),
        DeclaredKind::Retryable => Failure::retryable(message),
    };
    let failure = match &input.code {
        Some(code) => failure.code(code),
        None => failure,
    };
    Err(failure.details(json!({ "input": input })).caused_by("the input requests a failure"))
}

/// The credentials of a user.
#[model]
pub(crate) struct Credentials {
    /// The user.
    user: String,
    /// The secret.
    #[schemars(extend("x-secret" = true))]
    word: String,
    /// Whether to return an output that breaks the schema and contains the secret.
    #[serde(default)]
    wrong: bool,
}

/// The token of a user.
#[model]
pub(crate) struct Admitted {
    /// The user.
    user: String,
    /// The reversed secret.
    #[schemars(extend("writeOnly" = true, "maxLength" = 40))]
    token: String,
    /// The length of the secret, in bytes.
    length: usize,
}

/// Returns a secret token for secret credentials.
#[operation(name = "misbehave.admit", category = "test")]
pub(crate) fn admit(input: Credentials) -> Admitted {
    let reversed: String = input.word.chars().rev().collect();
    let token = if input.wrong { reversed.repeat(10) } else { reversed };
    Admitted { user: input.user, token, length: input.word.len() }
}

/// Any JSON.
#[model]
pub(crate) struct Anything {
    /// Any JSON value.
    value: Value,
}

/// Returns its input.
#[operation(name = "misbehave.echo", category = "test")]
pub(crate) fn echo(input: Anything) -> Anything {
    input
}

/// The size of an output.
#[model]
pub(crate) struct Size {
    /// The size in MiB.
    #[serde(default = "default_mib")]
    mib: usize,
}

fn default_mib() -> usize {
    100
}

/// A long output.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "ophost_sdk::serde")]
#[schemars(crate = "ophost_sdk::schemars")]
pub(crate) struct Long {
    /// References to one line, so that only the serialised output is large.
    lines: Vec<&'static str>,
}

/// Returns a long output.
#[operation(name = "misbehave.huge_output", category = "test")]
pub(crate) fn huge_output(input: Size) -> Long {
    let line: &str = "x".repeat(KIB).leak();
    Long { lines: vec![line; input.mib * KIB] }
}

/// A text whose schema is that of a number.
#[derive(Serialize)]
#[serde(crate = "ophost_sdk::serde")]
pub(crate) struct MistypedNumber {
    number: String,
}

impl JsonSchema for MistypedNumber {
    fn schema_name() -> Cow<'static, str> {
        "MistypedNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "number": { "type": "integer" } },
            "required": ["number"],
        })
    }
}

/// Returns an output that breaks the output schema.
#[operation(name = "misbehave.wrong_output", category = "test")]
pub(crate) fn wrong_output() -> MistypedNumber {
    MistypedNumber { number: "seven".to_owned() }
}

#[cfg(test)]
mod tests {
    use ophost_sdk::FailureKind;

    use super::*;

    #[test]
    fn fail_returns_the_failure_of_the_input() {
        let failure = fail(Declared {
            kind: DeclaredKind::Retryable,
            message: "busy".to_owned(),
            code: Some("queue-full".to_owned()),
        })
        .unwrap_err();
        assert_eq!(failure.kind, FailureKind::Retryable);
        assert_eq!(failure.message, "busy");
        assert_eq!(failure.code.as_deref(), Some("queue-full"));
        assert_eq!(
            *failure.details.unwrap(),
            json!({"input": {"kind": "retryable", "message": "busy", "code": "queue-full"}})
        );
    }

    #[test]
    fn echo_returns_any_json() {
        let json = r#"{"value":[1,null,{"a":"b"}]}"#;
        assert_eq!(echo::OPERATION.invoke(json).unwrap(), json);
    }

    #[test]
    fn wrong_output_breaks_its_schema() {
        let failure = wrong_output::OPERATION.invoke("{}").unwrap_err();
        assert_eq!(failure.message, "the output breaks its schema in 1 place");
        assert_eq!(failure.details.unwrap()[0]["problem"], "expected integer, got \"seven\"");
    }
}
