//! The format of a case file.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A case file: the metadata and the cases of one operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    pub(super) operation: String,
    /// A part of the JSON of `ophost describe`.
    pub(super) metadata: Value,
    pub(super) cases: Vec<Case>,
}

/// One run and its expected result.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    pub(super) flags: Flags,
    /// The documents of the collection `jobs` before the run.
    #[serde(default)]
    pub(super) documents: Vec<Value>,
    pub(super) input: Value,
    /// The complete output of a successful run.
    pub(super) output: Option<Value>,
    /// A part of the error of a run that fails or does not start.
    pub(super) failure: Option<Value>,
    #[serde(default)]
    pub(super) item_errors: Vec<Value>,
    documents_after: Option<Vec<Value>>,
    pub(super) changes: Option<Value>,
    pub(super) result_refs: Option<Vec<Value>>,
}

/// The flags of `ophost run`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flags {
    user: Option<String>,
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    pub(super) record: bool,
    max_effects: Option<String>,
}

impl CaseFile {
    /// Reads and parses a file.
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// Returns whether a run has a record without `--record`.
    pub(super) fn is_recorded(&self) -> bool {
        self.metadata["async_enabled"] == true && self.metadata["create_taskrun"] == true
    }
}

impl Case {
    /// Returns the expected documents: by default those before the run.
    pub(super) fn documents_after(&self) -> &[Value] {
        self.documents_after.as_ref().unwrap_or(&self.documents)
    }
}

impl Flags {
    /// Returns the arguments of the command.
    pub(super) fn arguments(&self) -> Vec<String> {
        let user = self.user.iter().map(|user| format!("--user={user}"));
        let effects = self.max_effects.iter().map(|size| format!("--max-effects={size}"));
        let dry_run = self.dry_run.then(|| "--dry-run".to_owned());
        let record = self.record.then(|| "--record".to_owned());
        user.chain(effects).chain(dry_run).chain(record).collect()
    }
}
