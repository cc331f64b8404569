//! A compiled schema.

use std::sync::{Arc, OnceLock};
use std::thread;

use jsonschema::{
    Draft, PatternOptions, Registry, Retrieve, ValidationError, ValidationOptions, Validator,
};
use ophost_document::{Budget, Interruption, text};
use referencing::Error as ReferenceError;
use serde_json::{Value, json};

use super::bounds;
use super::cost::Cost;
use super::defaults::{self, FillError};
use super::graph::{self, Graph};
use super::instance::{self, Bounds, Ended, Instance, Instances};
use super::pattern::{self, Pattern};
use super::secrets::{self, Secrets};
use super::simple::{self, Verdict};
use super::size::Size;
use super::violation::Violations;

/// Maximum stack of a check on the calling thread, in bytes. A larger check gets a thread.
const OWN_STACK: usize = 256 << 10;
/// Maximum memory of the errors of one check, in bytes.
const MAX_ERRORS: usize = 64 << 20;
/// Budget of collecting violations, in steps: about 100 ms. The validator uses no caches while it
/// collects errors, so this takes longer than a check.
const MAX_COLLECT: u64 = 4 << 20;
/// Budget of checking a default of a schema, in steps.
const MAX_DEFAULT: u64 = 1 << 20;

/// Version of the rules of [`Schema::compile`]. It contains the version of the validator library.
/// It must change when a schema that was accepted is rejected, or gets another meaning.
pub const RULES: &str = "1, jsonschema 0.60.2";

/// A compiled schema. It checks any number of values.
#[derive(Debug)]
pub struct Schema {
    document: Value,
    /// Built on first use, if the schema was checked before.
    validator: OnceLock<Validator<Instances>>,
    graph: Graph,
    cost: Cost,
    secrets: Secrets,
}

/// The error of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// The value violates the schema, or cannot be checked.
    Violations(Violations),
    /// The budget is used up.
    Interrupted(Interruption),
    /// The thread of the check could not be started.
    Thread(ThreadError),
}

impl From<Violations> for CheckError {
    fn from(violations: Violations) -> Self {
        Self::Violations(violations)
    }
}

impl From<Interruption> for CheckError {
    fn from(why: Interruption) -> Self {
        Self::Interrupted(why)
    }
}

impl From<ThreadError> for CheckError {
    fn from(error: ThreadError) -> Self {
        Self::Thread(error)
    }
}

/// The operating system did not start a thread with a large stack for the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot start a thread")]
pub struct ThreadError {
    /// Error number of the operating system.
    pub errno: Option<i32>,
}

impl Schema {
    /// Compiles a schema. The draft is that of `$schema`, else 2020-12.
    ///
    /// Nothing is fetched: a reference must point into the schema itself. Patterns run in linear
    /// time, so they have no look-around and no back references.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the value is not a schema, exceeds a limit of size or cost, has an
    /// external reference, or has a default that violates its own schema or contains itself.
    pub fn compile(document: Value) -> Result<Self, SchemaError> {
        let schema = Self::compile_checked(document)?;
        let validator = options(&schema.graph).build(&schema.document)?;
        check_defaults(&schema.graph, &schema.cost, &graph::index(&schema.document)?)?;
        Ok(Self { validator: validator.into(), ..schema })
    }

    /// Compiles a schema that [`Self::compile`] has accepted, in this process or in another one with
    /// the same [`RULES`].
    ///
    /// The limits of size and cost are checked again, because the time and memory of a check depend
    /// on them. The check against the meta-schema and the check of the defaults are omitted. The
    /// validator is built by the first check that needs it, because building takes more than ten times
    /// as long as the other steps.
    ///
    /// # Errors
    ///
    /// Like [`Self::compile`], except for the omitted checks.
    pub fn compile_checked(document: Value) -> Result<Self, SchemaError> {
        bounds::check(&document)?;
        check_dialect(&document)?;
        let index = graph::index(&document)?;
        let graph = Graph::read(&document, &index)?;
        bounds::check_graph(&graph)?;
        let cost = Cost::of(&graph)?;
        drop(index);
        let secrets = Secrets::of(&graph);
        Ok(Self { document, validator: OnceLock::new(), graph, cost, secrets })
    }

    /// Returns the validator.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the schema was not checked before and is invalid.
    fn validator(&self) -> Result<&Validator<Instances>, SchemaError> {
        match self.validator.get() {
            Some(validator) => Ok(validator),
            None => {
                let validator = build_checked(&self.document, &self.graph)?;
                Ok(self.validator.get_or_init(|| validator))
            }
        }
    }

    /// Returns the schema that accepts every value.
    pub fn permissive() -> Self {
        Self::compile(Value::Object(serde_json::Map::new())).expect("an empty object is a schema")
    }

    /// Returns the schema document.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Applies the defaults of the schema, checks the input, and returns it with the proof.
    ///
    /// # Errors
    ///
    /// Like [`Self::check`].
    pub fn check_input(
        &self,
        mut input: Value,
        budget: &Budget,
    ) -> Result<(Value, ValidInput), CheckError> {
        defaults::fill(&self.graph, 0, &mut input, budget).map_err(|error| match error {
            FillError::Interrupted(why) => CheckError::Interrupted(why),
            FillError::Defaults(error) => {
                Violations::unchecked(format!("defaults cannot be applied: {error}")).into()
            }
        })?;
        self.check(&input, budget)?;
        let text = input.to_string();
        budget.check()?;
        Ok((input, ValidInput { text }))
    }

    /// Checks a value.
    ///
    /// # Errors
    ///
    /// - Returns [`CheckError::Violations`] with all violations, with one of them if collecting all
    ///   would take too long, or with the reason why the value cannot be checked.
    /// - Returns [`CheckError::Interrupted`] if the budget is used up.
    /// - Returns [`CheckError::Thread`] if a thread with a large stack cannot be started.
    pub fn check(&self, value: &Value, budget: &Budget) -> Result<(), CheckError> {
        if simple::check(&self.document, value) == Verdict::Valid {
            budget.check()?;
            return Ok(());
        }
        let size = Size::of(value, budget)?;
        let validator =
            self.validator().map_err(|error| Violations::unchecked(error.to_string()))?;
        let on_thread = budget.clone();
        with_stack(self.cost.stack(size.levels), move || {
            let is_valid = || validator.is_valid(Instance(value));
            match self.within(&on_thread, size, is_valid) {
                Ok(true) => Ok(()),
                Ok(false) => {
                    Err(self.redacted_violations(validator, (value, size), &on_thread)?.into())
                }
                Err(Ended::Interrupted(why)) => Err(why.into()),
                Err(Ended::Errors) => Err(Violations::somewhere().into()),
                Err(Ended::Name) => Err(Violations::unchecked(TOO_LONG_NAME.to_owned()).into()),
                Err(Ended::Pattern) => Err(Violations::unchecked(TOO_LONG_TEXT.to_owned()).into()),
            }
        })?
    }

    fn within<T>(
        &self,
        budget: &Budget,
        size: Size,
        validate: impl FnOnce() -> T,
    ) -> Result<T, Ended> {
        let errors = MAX_ERRORS / (instance::BYTES_PER_ERROR + size.longest_path);
        let errors = u32::try_from(errors).unwrap_or(u32::MAX);
        let bounds = Bounds { errors, name: self.cost.longest_name };
        instance::within(budget, bounds, validate)
    }

    /// Returns whether the schema declares secrets.
    pub fn has_secrets(&self) -> bool {
        self.secrets.exist()
    }

    /// Returns a value with each secret replaced by the result of `mask`; `None` if there is none.
    /// The whole value is masked if it has more than 1,000 secrets, or if the search would take too
    /// long.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub fn masked(
        &self,
        value: &Value,
        mask: &secrets::MakeMask<'_>,
        budget: &Budget,
    ) -> Result<Option<Value>, Interruption> {
        self.secrets.masked(&self.graph, value, mask, budget)
    }

    /// Returns the violations of a value without its secrets.
    fn redacted_violations(
        &self,
        validator: &Validator<Instances>,
        (value, size): (&Value, Size),
        budget: &Budget,
    ) -> Result<Violations, Interruption> {
        let violations = self.violations(validator, (value, size), budget)?;
        match self.masked(value, &|_| Ok(Value::Null), budget)? {
            Some(masked) => violations.without_secrets(value, &masked, budget),
            None => Ok(violations),
        }
    }

    /// Returns the violations of a value.
    fn violations(
        &self,
        validator: &Validator<Instances>,
        (value, size): (&Value, Size),
        budget: &Budget,
    ) -> Result<Violations, Interruption> {
        let few = || budget.with_steps(MAX_COLLECT);
        let all = || {
            let errors = validator.iter_errors(Instance(value));
            Violations::read(&self.document, errors)
        };
        if let Some(all) = or_too_long(self.within(&few(), size, all))? {
            return Ok(all);
        }
        let first = || {
            let first = validator.validate(Instance(value)).err();
            first.map(|first| Violations::read(&self.document, std::iter::once(first)))
        };
        let first = or_too_long(self.within(&few(), size, first))?.flatten();
        Ok(first.map_or_else(Violations::somewhere, Violations::at_least))
    }
}

const TOO_LONG_NAME: &str = "has a field name that is too long for the patterns of its schema";
const TOO_LONG_TEXT: &str = "contains a text that is too long for a pattern of its schema";

/// Returns the result; `None` if the search took too long.
fn or_too_long<T>(found: Result<T, Ended>) -> Result<Option<T>, Interruption> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Ended::Interrupted(why @ (Interruption::Deadline | Interruption::Cancelled))) => {
            Err(why)
        }
        Err(
            Ended::Interrupted(Interruption::Steps) | Ended::Errors | Ended::Name | Ended::Pattern,
        ) => Ok(None),
    }
}

/// Calls `run` with at least this stack.
///
/// # Errors
///
/// Returns [`ThreadError`] if the operating system does not start the thread.
fn with_stack<T: Send>(bytes: usize, run: impl FnOnce() -> T + Send) -> Result<T, ThreadError> {
    if bytes <= OWN_STACK {
        return Ok(run());
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(OWN_STACK + bytes).spawn_scoped(scope, run);
        let thread = thread.map_err(|error| ThreadError { errno: error.raw_os_error() })?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Builds the validator of a schema that was checked before.
///
/// The library checks each document that it builds against the meta-schema of its draft, and builds
/// the validator of the meta-schema for that. The document is therefore a reference to the schema,
/// in the draft with the smallest meta-schema. A schema with an id is built as it is, because the
/// id and the base URI of the document decide what its references mean.
fn build_checked(document: &Value, graph: &Graph) -> Result<Validator<Instances>, SchemaError> {
    if has_id(document) {
        return Ok(options(graph).build(document)?);
    }
    let index = graph::index(document)?;
    let reference = json!({
        "$schema": "http://json-schema.org/draft-04/schema#",
        "$ref": graph::address(""),
    });
    Ok(options(graph).with_registry(&index).build(&reference)?)
}

/// Returns whether a schema, or any other object in it, has an id.
fn has_id(schema: &Value) -> bool {
    match schema {
        Value::Object(members) => members.iter().any(|(name, inner)| {
            inner.is_string() && ["$id", "id"].contains(&name.as_str()) || has_id(inner)
        }),
        Value::Array(items) => items.iter().any(has_id),
        _ => false,
    }
}

/// Returns the options of the validator.
fn options<'a>(graph: &Graph) -> ValidationOptions<'a, Arc<dyn Retrieve>, Instances> {
    let patterns = graph.patterns.clone();
    jsonschema::options_for()
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(pattern::MAX_SIZE))
        .with_keyword("pattern", move |_, text, _| {
            let text = text.as_str().unwrap_or_default();
            let pattern = patterns.get(text).cloned().map_or_else(|| Pattern::compile(text), Ok);
            let pattern = pattern.map_err(|error| ValidationError::custom(error.problem))?;
            Ok(Box::new(pattern))
        })
}

/// Checks that `$schema` names a supported draft.
fn check_dialect(document: &Value) -> Result<(), SchemaError> {
    match document.get("$schema") {
        Some(Value::String(dialect)) if Draft::from_schema_uri(dialect) == Draft::Unknown => {
            let shown = text::quote(dialect);
            let problem = format!(
                "`{shown}` is not a supported draft; supported are 2020-12, 2019-09, 7, 6 and 4"
            );
            Err(SchemaError::at("/$schema".to_owned(), problem))
        }
        _ => Ok(()),
    }
}

/// Checks each default against the schema that declares it.
fn check_defaults(graph: &Graph, cost: &Cost, index: &Registry<'_>) -> Result<(), SchemaError> {
    let all: Vec<_> = defaults::each(graph).collect();
    if all.is_empty() {
        return Ok(());
    }
    let pointers: Vec<_> = all.iter().map(|(node, _)| graph.pointer(*node)).collect();
    let rejection =
        |node: usize, problem: String| Err(SchemaError::at(pointers[node].clone(), problem));
    // A list of all defaults with a schema for each item, so that shared subschemas are compiled
    // once.
    let each: Vec<_> =
        pointers.iter().map(|pointer| json!({"$ref": graph::address(pointer)})).collect();
    let options = options(graph).with_registry(index);
    let validator = options.build(&json!({"prefixItems": each}))?;
    let list: Vec<_> = all.iter().map(|(_, default)| (*default).clone()).collect();
    let list = Value::Array(list);
    let budget = Budget::unlimited().with_steps(MAX_DEFAULT);
    let bounds = Bounds { errors: 1_000, name: cost.longest_name };
    let levels = bounds::MAX_DEPTH;
    let on_thread = budget.clone();
    let checked = with_stack(cost.stack(levels), move || {
        let check = || {
            validator
                .validate(Instance(&list))
                .map_err(|error| (error.instance_path().to_string(), error.to_string()))
        };
        instance::within(&on_thread, bounds, check)
    });
    match checked {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err((path, error)))) => {
            let place = path.split('/').nth(1).and_then(|place| place.parse().ok()).unwrap_or(0);
            return rejection(place, format!("the default violates its own schema: {error}"));
        }
        Ok(Err(_)) => {
            return Err(SchemaError::here("checking the defaults takes too long".to_owned()));
        }
        Err(error) => return Err(error.into()),
    }
    defaults::fill(graph, 0, &mut json!({}), &budget)?;
    Ok(())
}

/// The text of an input that conforms to the input schema of its operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidInput {
    text: String,
}

impl ValidInput {
    /// Returns the input as JSON text, in the type that the generated bindings require.
    pub fn text(&self) -> &String {
        &self.text
    }
}

/// The reason why a value is not a usable schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid schema at `{}`: {}", location(pointer), text::single_line(problem))]
pub struct SchemaError {
    /// JSON pointer into the schema; empty for the whole schema.
    pub pointer: String,
    /// The problem.
    pub problem: String,
    /// The thread that could not be started, if the schema itself may be valid.
    pub thread: Option<ThreadError>,
}

fn location(pointer: &str) -> String {
    if pointer.is_empty() { "/".to_owned() } else { text::quote(pointer) }
}

impl SchemaError {
    /// Returns a problem without a location, which the caller adds.
    pub(super) fn here(problem: String) -> Self {
        Self::at(String::new(), problem)
    }

    /// Returns a problem at a location.
    pub(super) fn at(pointer: String, problem: String) -> Self {
        Self { pointer, problem, thread: None }
    }

    /// Adds the location, if it is missing.
    pub(super) fn or_at(self, pointer: impl FnOnce() -> String) -> Self {
        if self.pointer.is_empty() { Self { pointer: pointer(), ..self } } else { self }
    }
}

impl From<ThreadError> for SchemaError {
    fn from(error: ThreadError) -> Self {
        Self { thread: Some(error), ..Self::here(error.to_string()) }
    }
}

impl From<jsonschema::ValidationError<'_>> for SchemaError {
    fn from(error: jsonschema::ValidationError<'_>) -> Self {
        Self::at(error.instance_path().to_string(), error.to_string())
    }
}

impl From<ReferenceError> for SchemaError {
    fn from(error: ReferenceError) -> Self {
        Self::here(match error {
            ReferenceError::Unretrievable { uri, .. } => format!(
                "refers to `{}`, which is outside the schema; nothing is fetched",
                text::quote(&uri)
            ),
            other => other.to_string(),
        })
    }
}

impl From<FillError> for SchemaError {
    fn from(filling: FillError) -> Self {
        Self::here(match filling {
            FillError::Defaults(error) => error.to_string(),
            FillError::Interrupted(_) => "applying the defaults takes too long".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::adversarial::check;

    #[test]
    fn a_conforming_input_becomes_a_valid_input_with_its_defaults() {
        let document = json!({"properties": {"n": {"type": "integer", "default": 3}, "s": {}}});
        let input = Schema::compile(document)
            .unwrap()
            .check_input(json!({"s": "x"}), &Budget::unlimited())
            .unwrap();
        let (_, input) = input;
        assert_eq!(input.text(), r#"{"s":"x","n":3}"#);
    }

    #[test]
    fn a_schema_with_an_external_reference_is_rejected() {
        for reference in ["https://example.com/x.json", "file:///etc/hostname", "other.json"] {
            for keyword in ["$ref", "$dynamicRef"] {
                let inner = json!({"properties": {"a": {keyword: reference}}});
                let problem = Schema::compile(inner).unwrap_err().problem;
                let clear = problem.starts_with("refers to `") && problem.contains("is fetched");
                assert!(clear, "{reference}: {problem}");
            }
        }
    }

    #[test]
    fn a_dangling_reference_is_rejected_with_its_location() {
        for reference in ["#/$defs/b", "#anchor", "#/%FF", "#/$defs/a/x"] {
            let document = json!({"properties": {"p": {"$ref": reference}}, "$defs": {"a": {}}});
            assert_eq!(Schema::compile(document).unwrap_err().pointer, "/properties/p");
        }
    }

    #[test]
    fn the_dialect_is_respected_and_an_unknown_one_is_rejected() {
        // `items` can be a list only up to draft 2019-09.
        let items = |dialect: &str| json!({"$schema": dialect, "items": [{"type": "null"}]});
        let old = Schema::compile(items("http://json-schema.org/draft-07/schema#")).unwrap();
        assert!(check(&old, &json!([1])).is_err());
        let new = Schema::compile(items("https://json-schema.org/draft/2020-12/schema"));
        assert_eq!(new.unwrap_err().pointer, "/items");
        assert_eq!(Schema::compile(json!({"items": [{}]})).unwrap_err().pointer, "/items");
        assert_eq!(
            Schema::compile(items("https://example.com/mine")).unwrap_err().to_string(),
            "not a valid schema at `/$schema`: `https://example.com/mine` is not a supported draft; \
             supported are 2020-12, 2019-09, 7, 6 and 4"
        );
    }

    #[test]
    fn an_unusual_schema_id_does_not_panic() {
        let odd = [
            "",
            "#",
            "#a",
            "x",
            "../x",
            "urn:x",
            "http://a/#",
            "http://[",
            "schema:///",
            "json-schema:///",
        ];
        for own in odd {
            for key in ["$id", "id"] {
                let document = json!({
                    key: own,
                    "properties": {"p": {"$ref": "#/$defs/a", "default": 1}},
                    "$defs": {"a": {key: own, "type": "integer"}},
                });
                // The validator decides whether the id is valid.
                if let Ok(schema) = Schema::compile(document) {
                    assert!(check(&schema, &json!({"p": 1})).is_ok(), "{own}");
                }
            }
        }
    }

    #[test]
    fn an_unsupported_pattern_is_rejected_with_its_location() {
        let places = [
            ("/properties/a", json!({"properties": {"a": {"pattern": "(?=a)"}}})),
            ("/items", json!({"items": {"patternProperties": {"(?=a)": {}}}})),
        ];
        for (place, document) in places {
            let error = Schema::compile(document).unwrap_err();
            assert_eq!(error.pointer, place);
            assert!(error.problem.starts_with("the pattern `(?=a)` has look-around"));
        }
    }

    #[test]
    fn a_deep_check_gets_a_large_stack() {
        let mut all = serde_json::Map::new();
        for place in 0..20 {
            let next = json!({"$ref": format!("#/$defs/{}", place + 1)});
            all.insert(place.to_string(), json!({"allOf": [next]}));
        }
        let last = json!({"type": "object", "properties": {"x": {"$ref": "#/$defs/0"}}});
        all.insert("20".to_owned(), last);
        let schema = Schema::compile(json!({"$ref": "#/$defs/0", "$defs": all})).unwrap();
        let deep = |end: Value| (0..126).fold(end, |inner, _| json!({"x": inner}));
        let check = || {
            assert_eq!(check(&schema, &deep(json!({}))), Ok(()));
            assert!(check(&schema, &deep(json!(1))).is_err());
        };
        thread::scope(|scope| {
            let small = thread::Builder::new().stack_size(512 << 10);
            small.spawn_scoped(scope, check).unwrap().join().unwrap();
        });
    }

    #[test]
    fn an_invalid_schema_is_rejected_with_its_location() {
        let error = Schema::compile(json!({"properties": {"a": {"type": "strnig"}}})).unwrap_err();
        assert_eq!(error.pointer, "/properties/a/type");
    }

    #[test]
    fn a_default_that_violates_its_own_schema_is_rejected_with_its_location() {
        let document = json!({
            "properties": {"a": {"$ref": "#/$defs/small", "default": 12}},
            "$defs": {"small": {"maximum": 9}},
        });
        let error = Schema::compile(document).unwrap_err();
        assert_eq!(
            error.to_string(),
            "not a valid schema at `/properties/a`: the default violates its own schema: \
             12 is greater than the maximum of 9"
        );
        let hidden = json!({"$ref": "#/x%20y", "x y": {"maximum": 9, "default": 12}});
        assert_eq!(Schema::compile(hidden).unwrap_err().pointer, "/x y");
        let endless = json!({"properties": {"a": {"$ref": "#", "default": {}}}});
        let error = Schema::compile(endless).unwrap_err();
        assert_eq!(error.problem, "the defaults are nested more than 128 levels deep");
    }
}
