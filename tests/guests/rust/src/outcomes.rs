//! Operations that end in every way that a run can end in.

use std::borrow::Cow;

use ophost_sdk::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use ophost_sdk::serde::Serialize;
use ophost_sdk::serde_json::{Value, json};
use ophost_sdk::{Failure, model, operation};

const KIB: usize = 1024;

/// What a panic or a failure says.
#[model]
pub(crate) struct Message {
    /// The message.
    message: String,
}

/// Panics.
#[operation(name = "misbehave.panic", category = "test")]
pub(crate) fn panic(input: Message) -> Message {
    give_up(&input.message)
}

/// Kept as a function of its own, so that a backtrace has it.
#[inline(never)]
fn give_up(message: &str) -> ! {
    panic!("{message}")
}

/// The failure to return.
#[model]
pub(crate) struct Declared {
    /// Whether it helps to try again.
    kind: DeclaredKind,
    /// The message.
    #[serde(default)]
    message: String,
    /// The word for programs.
    #[serde(default)]
    code: Option<String>,
}

/// Whether it helps to try again.
#[model]
#[serde(rename_all = "lowercase")]
pub(crate) enum DeclaredKind {
    /// Not known.
    Error,
    /// No.
    Permanent,
    /// Yes.
    Retryable,
}

/// Fails as it is told to, with its input as details.
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
    Err(failure.details(json!({ "input": input })).caused_by("it was told to"))
}

/// Someone's words.
#[model]
pub(crate) struct Credentials {
    /// Who.
    user: String,
    /// The secret.
    #[schemars(extend("x-secret" = true))]
    word: String,
    /// Whether to return what breaks the schema, with the secret in it.
    #[serde(default)]
    wrong: bool,
}

/// What someone gets for their words.
#[model]
pub(crate) struct Admitted {
    /// Who.
    user: String,
    /// The secret, backwards.
    #[schemars(extend("writeOnly" = true, "maxLength" = 40))]
    token: String,
    /// How long the secret was.
    length: usize,
}

/// Returns a secret for a secret.
#[operation(name = "misbehave.admit", category = "test")]
pub(crate) fn admit(input: Credentials) -> Admitted {
    let backwards: String = input.word.chars().rev().collect();
    let token = if input.wrong { backwards.repeat(10) } else { backwards };
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

/// How much to return.
#[model]
pub(crate) struct Size {
    /// The number of mebibytes.
    #[serde(default = "hundred")]
    mib: usize,
}

fn hundred() -> usize {
    100
}

/// A long output.
#[derive(Serialize, JsonSchema)]
#[serde(crate = "ophost_sdk::serde")]
#[schemars(crate = "ophost_sdk::schemars")]
pub(crate) struct Long {
    /// One line over and over, so that it is long only once it is written.
    lines: Vec<&'static str>,
}

/// Returns a long output.
#[operation(name = "misbehave.huge_output", category = "test")]
pub(crate) fn huge_output(input: Size) -> Long {
    let line: &str = "x".repeat(KIB).leak();
    Long { lines: vec![line; input.mib * KIB] }
}

/// A text that claims to be a number.
#[derive(Serialize)]
#[serde(crate = "ophost_sdk::serde")]
pub(crate) struct Liar {
    number: String,
}

impl JsonSchema for Liar {
    fn schema_name() -> Cow<'static, str> {
        "Liar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "properties": { "number": { "type": "integer" } },
            "required": ["number"],
        })
    }
}

/// Returns what its own schema does not allow.
#[operation(name = "misbehave.wrong_output", category = "test")]
pub(crate) fn wrong_output() -> Liar {
    Liar { number: "seven".to_owned() }
}

#[cfg(test)]
mod tests {
    use ophost_sdk::FailureKind;

    use super::*;

    #[test]
    fn fail_returns_the_failure_that_was_declared() {
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
        let schema = (wrong_output::OPERATION.output_schema)();
        assert_eq!(schema["properties"]["number"]["type"], "integer");
        let output = wrong_output::OPERATION.invoke("{}").unwrap();
        assert_eq!(output, r#"{"number":"seven"}"#);
    }
}
