//! Checks of the resource limits of this process, so that reaching a limit gives an error.
//!
//! Signals, the runtime and the allocator panic or abort if they run out of descriptors or address
//! space, and a write beyond the maximum file size terminates the process by a signal.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::error::CliError;

/// Minimum number of file descriptors.
const MIN_DESCRIPTORS: u64 = 64;
/// Minimum address space, in bytes.
const MIN_ADDRESS_SPACE: u64 = 512 << 20;

/// Checks the limits, and raises the soft limit of descriptors up to the hard limit. After the call,
/// a write beyond the maximum file size (RLIMIT_FSIZE) returns an error.
///
/// # Errors
///
/// Returns the first limit that is too low.
pub(super) fn prepare() -> Result<(), CliError> {
    descriptors()?;
    // With a handler, the signal does not terminate the process, and the write returns an error.
    signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::default())?;
    match getrlimit(Resource::As).current {
        Some(limit) if limit < MIN_ADDRESS_SPACE => Err(CliError::Limit {
            name: "RLIMIT_AS",
            limit: format!("{} KiB", limit >> 10),
            hint: format!("set `ulimit -v {}` or more", MIN_ADDRESS_SPACE >> 10),
        }),
        _ => Ok(()),
    }
}

fn descriptors() -> Result<(), CliError> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(limit) = current.filter(|limit| *limit < MIN_DESCRIPTORS) else { return Ok(()) };
    let raised = Rlimit { current: Some(MIN_DESCRIPTORS), maximum };
    let may_rise = maximum.is_none_or(|maximum| maximum >= MIN_DESCRIPTORS);
    if may_rise && setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    Err(CliError::Limit {
        name: "RLIMIT_NOFILE",
        limit: format!("{limit} file descriptors"),
        hint: format!("set `ulimit -n {MIN_DESCRIPTORS}` or more"),
    })
}
