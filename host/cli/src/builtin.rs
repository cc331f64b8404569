//! Arguments and execution that the commands for built-in operations share.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use ophost::{CallSettings, Caller, CancellationToken, Event, Flags, RunReport};

use super::error::CliError;
use super::orchestration::OrchestrationArgs;
use super::progress::Bar;
use super::{interrupt, run};

/// Arguments of a command that runs a built-in operation.
#[derive(Debug, Args)]
pub(super) struct BuiltInArgs {
    /// Report the changes without committing them.
    #[arg(long)]
    dry_run: bool,
    /// User on whose behalf the command runs.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    #[command(flatten)]
    orchestration: OrchestrationArgs,
}

impl BuiltInArgs {
    /// Returns whether nothing is committed.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_run
    }

    /// Returns the settings of the run.
    pub(super) fn settings(self, cancel: CancellationToken) -> CallSettings {
        let flags = Flags { dry_run: self.dry_run, ..Flags::default() };
        CallSettings::default()
            .caller(Caller { user_id: self.user, flags, ..Caller::at("cli") })
            .context(self.orchestration.context())
            .cancellation_token(cancel)
    }

    /// Runs an operation, with its progress on a terminal, and prints its report.
    pub(super) async fn run<E: Into<CliError>>(
        self,
        json: bool,
        call: impl AsyncFnOnce(CallSettings) -> Result<RunReport, E>,
    ) -> Result<ExitCode, CliError> {
        let (cancel, bar) = (CancellationToken::new(), Bar::for_terminal().map(Arc::new));
        interrupt::cancel_on_signal(cancel.clone())?;
        let mut settings = self.settings(cancel);
        if let Some(bar) = bar.clone() {
            settings = settings.on_event(move |event| {
                if let Event::Progress(progress) = event {
                    bar.report(progress);
                }
            });
        }
        let report = call(settings).await;
        bar.iter().for_each(|bar| bar.clear());
        run::print_report(&report.map_err(Into::into)?, false, json)
    }
}
