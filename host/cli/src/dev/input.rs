//! The input of the runs of `ophost dev`.

use ophost::config::Config;
use ophost::{Masked, OperationName, RunFilter, RunId};
use serde_json::{Map, Value};

use crate::error::CliError;
use crate::{input, settings};

/// Number of runs that are searched for an input.
const SEARCHED: usize = 20;

/// Where the input comes from.
pub(super) enum InputSource {
    /// Fields of the command line, which are read again for each run.
    Arguments { whole: Option<String>, fields: Vec<String> },
    /// The input of a recorded run.
    Recorded { run_id: RunId, input: Value },
    /// There is no recorded run.
    Empty,
}

impl InputSource {
    /// Returns the source of the input: the arguments, or else the latest recorded run of the
    /// operation that has a complete input.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] if an argument reads stdin, or if the store cannot be read.
    pub(super) async fn choose(
        config: &Config,
        operation: &str,
        (whole, fields): (Option<String>, Vec<String>),
    ) -> Result<Self, CliError> {
        if whole.as_deref() == Some("-") || fields.iter().any(|field| field.ends_with("=@-")) {
            let message = "stdin can be read only once, but each run reads the input".to_owned();
            let hint = "write stdin to a file, and use the file".to_owned();
            return Err(CliError::Usage { message, hint });
        }
        if whole.is_some() || !fields.is_empty() {
            return Ok(Self::Arguments { whole, fields });
        }
        let recorded = Self::recorded(config, operation).await?;
        Ok(recorded.unwrap_or(Self::Empty))
    }

    async fn recorded(config: &Config, operation: &str) -> Result<Option<Self>, CliError> {
        let Ok(name) = OperationName::new(operation) else { return Ok(None) };
        let host = settings::store_builder(config)?.build_without_plugins()?;
        let Some(runs) = host.runs() else { return Ok(None) };
        let filter = RunFilter { operation: Some(name), ..RunFilter::default() };
        for summary in runs.list(&filter, None, SEARCHED).await?.runs {
            let Some(run) = runs.get(summary.id).await? else { continue };
            if run.erased_at.is_none() && !run.is_masked(Masked::Input) {
                return Ok(Some(Self::Recorded { run_id: run.id, input: run.input_dump }));
            }
        }
        Ok(None)
    }

    /// Returns the input for an operation with this schema.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] for an invalid argument or an unreadable file.
    pub(super) fn input(&self, schema: &Value) -> Result<Value, CliError> {
        match self {
            Self::Arguments { whole, fields } => {
                Ok(input::assemble(whole.as_deref(), fields, schema)?)
            }
            Self::Recorded { input, .. } => Ok(input.clone()),
            Self::Empty => Ok(Value::Object(Map::new())),
        }
    }
}
