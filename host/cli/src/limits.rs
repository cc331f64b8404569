//! What a run may use, as flags say it.

use std::time::Duration;

use bytesize::ByteSize;
use clap::Args;

use ophost::LimitRequest;
use ophost::config;

/// Flags that say what a run may use; what they leave out is as the settings and the operation
/// say now.
#[derive(Clone, Debug, Args)]
pub(super) struct LimitArgs {
    /// How long it may run, such as 500ms, 30s, 5m.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    timeout: Option<Duration>,
    /// How much memory it may use, such as 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<ByteSize>,
    /// How large its output may be, such as 8MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_output: Option<ByteSize>,
    /// How much it may write of documents, before and after, such as 64MiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_effects: Option<ByteSize>,
}

impl LimitArgs {
    /// Returns what the flags ask for.
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

/// Reads a size. A number alone is none, but for zero: nobody means so many bytes.
fn size(text: &str) -> Result<ByteSize, String> {
    if config::is_without_unit(text) {
        return Err("a unit is needed, for example 64MiB or 512KiB".to_owned());
    }
    text.parse().map_err(|_| "no size, which is for example 64MiB or 512KiB".to_owned())
}
