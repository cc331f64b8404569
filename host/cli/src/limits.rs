//! Flags for the limits of a run.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;
use ophost::{LimitRequest, config};

/// Flags for the limits of a run. A missing flag selects the limit of the settings or of the
/// operation.
#[derive(Clone, Debug, Args)]
pub(super) struct LimitArgs {
    /// Time limit, such as 500ms, 30s or 5m [default: of the operation or the settings].
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// Memory limit, such as 64MiB [default: of the operation or the settings].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<ByteSize>,
    /// Limit of the output size, such as 8MiB [default: of the settings].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_output: Option<ByteSize>,
    /// Limit of the document changes (sizes before and after), such as 64MiB [default: of the
    /// settings].
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_effects: Option<ByteSize>,
}

impl LimitArgs {
    /// Returns the requested limits.
    pub(super) fn request(&self) -> LimitRequest {
        LimitRequest {
            timeout: self.timeout,
            memory: self.memory.map(|size| size.as_u64()),
            output: self.max_output.map(|size| size.as_u64()),
            effects: self.max_effects.map(|size| size.as_u64()),
            log: None,
        }
    }
}

/// Parses a size. A number without a unit is rejected, except for zero, because a limit of so few
/// bytes is a mistake.
pub(super) fn size(text: &str) -> Result<ByteSize, String> {
    if config::is_without_unit(text) {
        return Err("missing unit; expected a value such as 64MiB or 512KiB".to_owned());
    }
    text.parse().map_err(|_| "invalid size; expected a value such as 64MiB or 512KiB".to_owned())
}
