//! Makes cases of recorded runs.

use std::path::{Path, PathBuf};

use ophost::config::Config;
use ophost::document::{Address, Body, ChangeSet};
use ophost::{FailureKind, Host, Masked, RunRecord, RunState, Status};
use serde_json::{Map, Value, json};

use super::case::Documents;
use super::error::{RunProblem, TestError};
use super::pattern::Pattern;
use super::{suite, update};
use crate::error::CliError;
use crate::settings;

/// A recorded run with its document changes.
pub(super) struct RecordedRun {
    record: RunRecord,
    changes: ChangeSet,
}

/// A case that was added to a file.
pub(super) struct AddedCase {
    pub(super) file: PathBuf,
    pub(super) name: String,
}

impl RecordedRun {
    /// Reads a run from the store of the settings.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] if the run does not exist or cannot become a case.
    pub(super) async fn read(config: &Config, id: &str) -> Result<Self, CliError> {
        let host = settings::store_builder(config)?.build_without_plugins()?;
        let runs = host.runs().ok_or_else(|| CliError::usage("no data directory is set"))?;
        let record = runs.find(id).await?;
        if let Some(problem) = problem(&record) {
            let (run_id, operation) = (record.id, record.operation_name);
            return Err(TestError::UnsuitableRun { run_id, operation, problem }.into());
        }
        let changes = runs.changes(record.id).await?;
        Ok(Self { record, changes })
    }

    /// Adds the run as a case to the file of its operation in a directory.
    ///
    /// # Errors
    ///
    /// Returns [`TestError`] if the plugin does not have the operation, if the name is taken, or if
    /// the file is not valid or cannot be written.
    pub(super) fn add_to(
        &self,
        directory: &Path,
        host: &Host,
        name: Option<&str>,
    ) -> Result<AddedCase, TestError> {
        let operation = &self.record.operation_name;
        let file = directory.join(format!("{operation}.json"));
        suite::check_operation(host, operation.as_str(), &file)?;
        let catalog = host.catalog();
        let known = catalog.get(operation.as_str());
        let is_recorded = known.is_some_and(|known| known.operation.is_recorded());
        if !file.exists() {
            let name = name.map_or_else(|| self.default_name(), ToOwned::to_owned);
            let make = std::fs::create_dir_all(directory);
            make.map_err(|source| TestError::Unwritable { file: file.clone(), source })?;
            let case = self.case(&name, is_recorded);
            update::write(&file, &update::new_file(operation.as_str(), &case))?;
            return Ok(AddedCase { file, name });
        }
        let loaded = suite::load_file(file)?;
        let is_taken = |name: &str| loaded.content.cases.iter().any(|case| case.name == name);
        let name = match name {
            Some(name) if is_taken(name) => {
                return Err(TestError::NameTaken { file: loaded.path, name: name.to_owned() });
            }
            Some(name) => name.to_owned(),
            None => self.free_name(is_taken),
        };
        // A valid case file has a list of cases.
        let case = self.case(&name, is_recorded);
        let text = update::with_case(&loaded.text, &case).unwrap_or(loaded.text);
        update::write(&loaded.path, &text)?;
        Ok(AddedCase { file: loaded.path, name })
    }

    fn default_name(&self) -> String {
        let ended = match self.record.state.status() {
            Status::Success => "succeeds",
            _ => "fails",
        };
        format!("run {} {ended}", self.record.id)
    }

    fn free_name(&self, is_taken: impl Fn(&str) -> bool) -> String {
        let name = self.default_name();
        let numbered = (2..).map(|number| format!("{name} ({number})"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        names.find(|name| !is_taken(name)).unwrap_or(name)
    }

    /// Returns the case. Ids that the host created become placeholders.
    fn case(&self, name: &str, is_recorded: bool) -> Map<String, Value> {
        let Self { record, changes } = self;
        let before = documents(changes, |change| change.before.as_ref());
        let after = documents(changes, |change| change.after.as_ref());
        let mut pattern = Pattern::with_run(json!(record.id));
        update::name_created_ids(&mut pattern, &before, &after, &record.input_dump.to_string());
        let mut case = Map::from_iter([("name".to_owned(), json!(name))]);
        let mut add = |name: &str, value: Value| {
            let is_empty = match &value {
                Value::Object(fields) => fields.is_empty(),
                Value::Array(items) => items.is_empty(),
                _ => false,
            };
            if !is_empty || matches!(name, "input" | "output") {
                case.insert(name.to_owned(), value);
            }
        };
        add("flags", self.flags(is_recorded));
        add("documents", json!(before));
        add("input", record.input_dump.clone());
        match &record.state {
            RunState::Failed { failure, .. } => {
                let failure = update::failure_part(&json!(failure));
                add("failure", pattern.with_placeholders(&failure));
            }
            RunState::Success { output, .. } => add("output", pattern.with_placeholders(output)),
            RunState::Pending | RunState::Running { .. } | RunState::Cancelled { .. } => {}
        }
        add("item_errors", update::without_tracebacks(&json!(record.error_list)));
        if before != after {
            add("documents_after", pattern.with_placeholders(&json!(after)));
        }
        case
    }

    /// Returns the flags of the run. `is_recorded` tells whether the operation declares a record.
    fn flags(&self, is_recorded: bool) -> Value {
        let (flags, actor) = (self.record.flags(), &self.record.actor);
        let user = actor.user_id.as_ref().map(|user| ("user", json!(user)));
        let channel = (actor.channel != "cli").then(|| ("channel", json!(actor.channel)));
        let set = [
            ("dry_run", flags.dry_run),
            ("test_mode", flags.test_mode),
            ("verbose", flags.verbose),
            ("record", !is_recorded),
        ];
        let set = set.into_iter().filter(|(_, is_set)| *is_set);
        let set = set.map(|(name, is_set)| (name, json!(is_set)));
        let all = user.into_iter().chain(channel).chain(set).chain(self.exceeded_limit());
        Value::Object(all.map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// Returns the limit that the run exceeded. Other limits are left out, because the case should
    /// not depend on the speed of a machine.
    fn exceeded_limit(&self) -> Option<(&'static str, Value)> {
        let RunState::Failed { failure, .. } = &self.record.state else { return None };
        let limits = &self.record.limits;
        let bytes = |size: u64| json!(format!("{size}B"));
        match failure.kind {
            FailureKind::Timeout => {
                Some(("timeout", json!(humantime::format_duration(limits.timeout).to_string())))
            }
            FailureKind::Memory => Some(("memory", bytes(limits.memory))),
            FailureKind::Effects => Some(("max_effects", bytes(limits.effects))),
            _ => None,
        }
    }
}

/// Returns why a run cannot become a case.
fn problem(record: &RunRecord) -> Option<RunProblem> {
    use FailureKind::{Crashed, Host, Unknown};
    let is_not_repeatable = match &record.state {
        RunState::Failed { failure, .. } => matches!(failure.kind, Crashed | Host | Unknown),
        RunState::Cancelled { .. } => true,
        RunState::Pending | RunState::Running { .. } | RunState::Success { .. } => false,
    };
    let problems = [
        (record.operation_name.is_builtin(), RunProblem::BuiltIn),
        (!record.state.status().is_final(), RunProblem::Unfinished),
        (record.erased_at.is_some(), RunProblem::Erased),
        (record.is_masked(Masked::Input), RunProblem::MaskedInput),
        (record.is_masked(Masked::Output), RunProblem::MaskedOutput),
        (is_not_repeatable, RunProblem::NotRepeatable),
    ];
    problems.into_iter().find(|(is_problem, _)| *is_problem).map(|(_, problem)| problem)
}

/// Returns one side of document changes. A collection that is empty on this side has an empty list.
fn documents(
    changes: &ChangeSet,
    side: impl Fn(&ophost::document::DocumentChange) -> Option<&Body>,
) -> Documents {
    let mut documents = Documents::new();
    for (Address { collection, id }, change) in changes {
        let list = documents.entry(collection.to_string()).or_default();
        if let Some(body) = side(change) {
            let mut document = Map::from_iter([("_id".to_owned(), json!(id))]);
            document.extend((**body).clone());
            list.push(Value::Object(document));
        }
    }
    documents
}
