//! Errors of `ophost test`.

use std::io;
use std::path::PathBuf;

use ophost::{InspectError, OperationName, RunId, os_error};

use super::case::CaseProblem;
use crate::error::{Exit, compile_limit_hint};

/// Error before the first case runs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TestError {
    #[error("no cases in `{}`", directory.display())]
    NoCases { directory: PathBuf },
    #[error("cannot read `{}`", file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("`{}` cannot be tested", file.display())]
    Unusable { file: PathBuf, source: InspectError },
    #[error("cannot write `{}`", file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    #[error("`{}` is not a case file: {problem}", file.display())]
    Malformed { file: PathBuf, problem: String, hint: Option<String> },
    #[error("case `{name}` in `{}` is not valid", file.display())]
    InvalidCase { file: PathBuf, name: String, source: CaseProblem },
    #[error("the plugin has no operation `{name}`, which `{}` names", file.display())]
    NoSuchOperation { name: String, file: PathBuf, similar: Option<String>, known: Vec<String> },
    #[error("no case has `{filter}` in its name")]
    NoMatch { filter: String, similar: Option<String> },
    #[error("`{}` already has a case with the name `{name}`", file.display())]
    NameTaken { file: PathBuf, name: String },
    #[error("run {run_id} cannot become a case: {problem}")]
    UnsuitableRun { run_id: RunId, operation: OperationName, problem: RunProblem },
}

/// The reason why a run cannot become a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RunProblem {
    #[error("it is a built-in operation of the host")]
    BuiltIn,
    #[error("it has not ended")]
    Unfinished,
    #[error("its input and output were erased")]
    Erased,
    #[error("its input contains secrets, which are not stored")]
    MaskedInput,
    #[error("its output contains secrets, which are not stored")]
    MaskedOutput,
    #[error("it was cancelled or its process crashed, which a case cannot repeat")]
    NotRepeatable,
}

impl TestError {
    pub(crate) fn exit(&self) -> Exit {
        let source = match self {
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => source,
            Self::Unusable {
                source: InspectError::Rejected(_) | InspectError::OverBudget { .. },
                ..
            } => return Exit::Failed,
            Self::Unusable { source: InspectError::Shortage { .. }, .. } => return Exit::Host,
            Self::Unusable { source: InspectError::Unreadable(source), .. } => source,
            Self::NoCases { .. }
            | Self::Malformed { .. }
            | Self::InvalidCase { .. }
            | Self::NoSuchOperation { .. }
            | Self::NoMatch { .. }
            | Self::NameTaken { .. }
            | Self::UnsuitableRun { .. } => return Exit::Usage,
        };
        if os_error::hint(source).is_some() { Exit::Host } else { Exit::Usage }
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::UnsuitableRun { .. } => "run_state",
            Self::NoSuchOperation { .. } => "no_such_operation",
            Self::Unusable { .. } => "build",
            Self::NoCases { .. }
            | Self::Unreadable { .. }
            | Self::Unwritable { .. }
            | Self::Malformed { .. }
            | Self::InvalidCase { .. }
            | Self::NoMatch { .. }
            | Self::NameTaken { .. } => "usage",
        }
    }

    /// Returns the hint.
    pub(crate) fn hint(&self) -> Option<String> {
        Some(match self {
            Self::NoCases { .. } => "write `cases/OPERATION.json`, which `ophost test --help` \
                 describes, or use `--from-run ID` to add a recorded run"
                .to_owned(),
            Self::Unreadable { source, .. } | Self::Unwritable { source, .. } => {
                return os_error::hint(source).map(ToOwned::to_owned);
            }
            Self::Unusable { source, .. } => {
                let over_budget =
                    || source.compile_limit().map(|it| compile_limit_hint(it).to_owned());
                return source.shortage().map(|it| it.hint().to_owned()).or_else(over_budget);
            }
            Self::Malformed { hint, .. } => hint
                .clone()
                .unwrap_or_else(|| "run `ophost test --help` to show the format".to_owned()),
            Self::InvalidCase { source, .. } => return source.hint().map(ToOwned::to_owned),
            Self::NoSuchOperation { similar: Some(similar), .. } => {
                format!("did you mean `{similar}`?")
            }
            Self::NoSuchOperation { known, .. } => {
                format!("the operations of the plugin are: {}", known.join(", "))
            }
            Self::NoMatch { similar: Some(similar), .. } => format!("did you mean `{similar}`?"),
            Self::NoMatch { .. } => {
                "run `ophost test` without a filter to list the cases".to_owned()
            }
            Self::NameTaken { .. } => "use `--name` with another name".to_owned(),
            Self::UnsuitableRun { run_id, operation, problem } => match problem {
                RunProblem::MaskedInput | RunProblem::MaskedOutput | RunProblem::Erased => {
                    format!("write the case of `{operation}` by hand, with a test value as secret")
                }
                RunProblem::Unfinished => format!("run `ophost runs wait {run_id}`, then retry"),
                RunProblem::BuiltIn | RunProblem::NotRepeatable => {
                    "run `ophost runs list` to choose another run".to_owned()
                }
            },
        })
    }
}
