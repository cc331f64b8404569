//! The format of a case file.

use std::collections::BTreeMap;
use std::time::Duration;

use bytesize::ByteSize;
use ophost::LimitRequest;
use ophost::document::{Body, CollectionName, DocumentId};
use ophost_document::json;
use ophost_document::suggest::closest_match;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::limits;

/// Documents by collection, as a case file writes them.
pub(crate) type Documents = BTreeMap<String, Vec<Value>>;

/// A case file: the metadata and the cases of one operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `operation` and `cases`")]
pub(super) struct CaseFile {
    pub(super) operation: String,
    /// A part of the JSON of `ophost describe`.
    pub(super) metadata: Option<Value>,
    pub(super) cases: Vec<Case>,
}

/// One run and its expected result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `name` and `input`")]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    pub(super) flags: CaseFlags,
    /// The documents before the run.
    #[serde(default)]
    pub(super) documents: Documents,
    pub(super) input: Value,
    /// The complete output of a successful run.
    #[serde(default, deserialize_with = "present")]
    pub(super) output: Option<Value>,
    /// A part of the error of a run that fails or does not start.
    pub(super) failure: Option<Value>,
    pub(super) item_errors: Option<Vec<Value>>,
    pub(super) documents_after: Option<Documents>,
    pub(super) changes: Option<Value>,
    pub(super) result_refs: Option<Vec<Value>>,
}

/// Flags of `ophost run`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFlags {
    pub(super) user: Option<String>,
    pub(super) channel: Option<String>,
    #[serde(default)]
    pub(super) dry_run: bool,
    #[serde(default)]
    pub(super) test_mode: bool,
    #[serde(default)]
    pub(super) verbose: bool,
    pub(super) record: Option<bool>,
    timeout: Option<String>,
    memory: Option<String>,
    max_effects: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

/// Reads a value that can be `null`. Without this function, `null` would be `None`.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

/// The reason why the text of a case file is not valid.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

impl CaseFile {
    /// Parses the text of a case file.
    ///
    /// # Errors
    ///
    /// Returns [`Malformed`] with the position of the first problem.
    pub(super) fn parse(text: &str) -> Result<Self, Malformed> {
        let not_json = |error: serde_json::Error| Malformed {
            problem: format!("not JSON: {error}"),
            hint: None,
        };
        json::parse(text).map_err(not_json)?;
        let mut text = serde_json::Deserializer::from_str(text);
        serde_path_to_error::deserialize(&mut text).map_err(|error| {
            let problem = error.inner().to_string();
            let place = match error.path().to_string().as_str() {
                "." => String::new(),
                // The message of an unknown field names the field.
                _ if problem.starts_with("unknown field") => String::new(),
                path => format!("`{path}`: "),
            };
            let problem_in_place = format!("{place}{}", short(&problem));
            Malformed { hint: field_hint(&problem), problem: problem_in_place }
        })
    }

    /// Returns the first problem of the cases that the format itself does not exclude.
    ///
    /// # Errors
    ///
    /// Returns the name of the case and its problem.
    pub(super) fn check(&self) -> Result<(), (String, CaseProblem)> {
        let mut names = Vec::new();
        for case in &self.cases {
            let problem = match names.contains(&&case.name) {
                true => Err(CaseProblem::DuplicateName),
                false => case.check(),
            };
            problem.map_err(|problem| (case.name.clone(), problem))?;
            names.push(&case.name);
        }
        Ok(())
    }
}

/// Removes the list of expected fields from a message of `serde_json`.
fn short(problem: &str) -> String {
    match (problem.split_once(", expected"), problem.rfind(" at line ")) {
        (Some((first, _)), Some(position)) if first.starts_with("unknown field") => {
            format!("{first}{}", &problem[position..])
        }
        _ => problem.to_owned(),
    }
}

/// Returns the hint for an unknown field, from the expected fields that the message lists.
fn field_hint(problem: &str) -> Option<String> {
    let rest = problem.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    let known: Vec<_> = rest.split('`').skip(1).step_by(2).collect();
    Some(match closest_match(unknown, known.iter().copied()) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => format!("the fields are: {}", known.join(", ")),
    })
}

/// A problem of a case.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaseProblem {
    #[error("another case of the file has the same name")]
    DuplicateName,
    #[error("`output` and `failure` exclude each other")]
    TwoOutcomes,
    #[error("`{field}`: {problem}")]
    Collection { field: &'static str, problem: String },
    #[error("document {number} of `{collection}` in `{field}`: {problem}")]
    Document { field: &'static str, collection: String, number: usize, problem: String },
    #[error("flag `{flag}`: {problem}")]
    Flag { flag: &'static str, problem: String },
}

impl CaseProblem {
    /// Returns the hint.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::DuplicateName => Some("give each case a name of its own"),
            Self::TwoOutcomes => Some("use `output` if the run succeeds, or else `failure`"),
            Self::Document { .. } => Some("each document is an object with its `_id`, a text"),
            Self::Collection { .. } => {
                Some("the documents are an object of lists: {\"COLLECTION\": [DOCUMENT, ...]}")
            }
            Self::Flag { .. } => None,
        }
    }
}

impl Case {
    fn check(&self) -> Result<(), CaseProblem> {
        if self.output.is_some() && self.failure.is_some() {
            return Err(CaseProblem::TwoOutcomes);
        }
        self.flags.limits()?;
        parsed("documents", &self.documents)?;
        let after = self.documents_after.iter();
        after.into_iter().try_for_each(|after| parsed("documents_after", after).map(drop))
    }

    /// Returns the documents before the run, ready for an import.
    ///
    /// # Errors
    ///
    /// Returns the first invalid document.
    pub(super) fn parsed_documents(&self) -> Result<Vec<ParsedCollection>, CaseProblem> {
        parsed("documents", &self.documents)
    }

    /// Returns the expected documents: those before the run, and the collections that
    /// `documents_after` replaces.
    pub(super) fn expected_documents(&self) -> Documents {
        let mut expected = self.documents.clone();
        expected.extend(self.documents_after.clone().unwrap_or_default());
        expected
    }

    /// Returns the expected item errors.
    pub(super) fn expected_item_errors(&self) -> Value {
        json!(self.item_errors.as_deref().unwrap_or_default())
    }
}

/// The documents of one collection.
pub(super) type ParsedCollection = (CollectionName, Vec<(Option<DocumentId>, Body)>);

fn parsed(
    field: &'static str,
    documents: &Documents,
) -> Result<Vec<ParsedCollection>, CaseProblem> {
    let collection = |(name, documents): (&String, &Vec<Value>)| {
        let collection = CollectionName::new(name.as_str())
            .map_err(|error| CaseProblem::Collection { field, problem: error.to_string() })?;
        let bodies = documents.iter().enumerate().map(|(index, document)| {
            parsed_document(document).map_err(|problem| CaseProblem::Document {
                field,
                collection: name.clone(),
                number: index + 1,
                problem,
            })
        });
        Ok((collection, bodies.collect::<Result<_, _>>()?))
    };
    documents.iter().map(collection).collect()
}

fn parsed_document(document: &Value) -> Result<(Option<DocumentId>, Body), String> {
    let mut fields = document.as_object().ok_or("expected an object")?.clone();
    // `remove` would move the last field to this place.
    let id = fields.shift_remove("_id").ok_or("the field `_id` is missing")?;
    let id = id.as_str().ok_or_else(|| format!("`_id` must be a text, not {id}"))?;
    let id = DocumentId::new(id).map_err(|error| error.to_string())?;
    let body = Body::try_from(fields).map_err(|error| error.to_string())?;
    Ok((Some(id), body))
}

impl CaseFlags {
    /// Returns the requested limits.
    ///
    /// # Errors
    ///
    /// Returns the first flag that is not valid.
    pub(super) fn limits(&self) -> Result<LimitRequest, CaseProblem> {
        let size = |flag, text: &Option<String>| {
            let size = text.as_deref().map(limits::size).transpose();
            let size = size.map_err(|problem| CaseProblem::Flag { flag, problem })?;
            Ok(size.as_ref().map(ByteSize::as_u64))
        };
        Ok(LimitRequest {
            timeout: self.timeout()?,
            memory: size("memory", &self.memory)?,
            output: None,
            effects: size("max_effects", &self.max_effects)?,
            log: None,
        })
    }

    fn timeout(&self) -> Result<Option<Duration>, CaseProblem> {
        let timeout = self.timeout.as_deref().map(humantime::parse_duration).transpose();
        let problem = "invalid duration; expected a value such as 500ms or 30s";
        timeout.map_err(|_| CaseProblem::Flag { flag: "timeout", problem: problem.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(text: &str) -> (String, Option<String>) {
        let Malformed { problem, hint } = CaseFile::parse(text).unwrap_err();
        (problem, hint)
    }

    fn problem(case: &str) -> String {
        let file = format!(r#"{{"operation": "a", "cases": [{case}]}}"#);
        CaseFile::parse(&file).unwrap().check().unwrap_err().1.to_string()
    }

    #[test]
    fn malformed_file_is_reported_with_its_position() {
        assert_eq!(
            malformed("{\n \"operation\": \"a\",\n}"),
            ("not JSON: trailing comma at line 3 column 1".to_owned(), None)
        );
        let text = "{\"operation\": \"a\",\n \"cases\": [{\"name\": \"b\", \"outptu\": 1}]}";
        let hint = Some("did you mean `output`?".to_owned());
        assert_eq!(
            malformed(text),
            ("unknown field `outptu` at line 2 column 33".to_owned(), hint)
        );
        let text = r#"{"operation": "a", "cases": [{"name": "b"}]}"#;
        assert_eq!(malformed(text).0, "`cases[0]`: missing field `input` at line 1 column 42");
        let whole = "expected an object with `operation` and `cases`";
        assert!(malformed("[]").0.contains(whole), "{:?}", malformed("[]"));
        let documents = r#"{"jobs": {"_id": "1"}}"#;
        let case = format!(r#"{{"name": "b", "input": {{}}, "documents": {documents}}}"#);
        let (problem, _) = malformed(&format!(r#"{{"operation": "a", "cases": [{case}]}}"#));
        assert!(problem.starts_with("`cases[0].documents.jobs`: invalid type: map"), "{problem}");
    }

    #[test]
    fn null_is_an_output() {
        let text = r#"{"operation": "a", "cases": [{"name": "b", "input": {}, "output": null}]}"#;
        assert_eq!(CaseFile::parse(text).unwrap().cases[0].output, Some(Value::Null));
    }

    #[test]
    fn invalid_cases_are_described() {
        let both = r#"{"name": "b", "input": {}, "output": 1, "failure": {}}"#;
        assert_eq!(problem(both), "`output` and `failure` exclude each other");
        let document = |document: &str| {
            format!(r#"{{"name": "b", "input": {{}}, "documents": {{"jobs": [{document}]}}}}"#)
        };
        assert_eq!(
            problem(&document("{}")),
            "document 1 of `jobs` in `documents`: the field `_id` is missing"
        );
        assert_eq!(
            problem(&document(r#"{"_id": 1}"#)),
            "document 1 of `jobs` in `documents`: `_id` must be a text, not 1"
        );
        let memory = r#"{"name": "b", "input": {}, "flags": {"memory": "64"}}"#;
        assert!(problem(memory).starts_with("flag `memory`: missing unit"));
        let timeout = r#"{"name": "b", "input": {}, "flags": {"timeout": "abc"}}"#;
        let expected = "flag `timeout`: invalid duration; expected a value such as 500ms or 30s";
        assert_eq!(problem(timeout), expected);
        let same = r#"{"name": "b", "input": 1}, {"name": "b", "input": 2}"#;
        assert_eq!(problem(same), "another case of the file has the same name");
    }
}
