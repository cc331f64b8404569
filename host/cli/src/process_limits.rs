//! Prepares for the limits of this process: what reaches one must be able to say so.
//!
//! Signals, the runtime and the allocator panic or abort where they run out of descriptors or
//! address space, and a file that may not grow ends the process by a signal.

use std::sync::Arc;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

use super::error::CliError;

/// The fewest file descriptors that commands work with.
const MIN_DESCRIPTORS: u64 = 64;
/// The least address space that commands work with, in bytes.
const MIN_ADDRESS_SPACE: u64 = 512 << 20;

/// Checks the limits, and raises the soft one of descriptors where the hard one allows that. From
/// now on a write beyond the largest size of a file (RLIMIT_FSIZE) is an error.
///
/// # Errors
///
/// Returns the first limit that is too low.
pub(super) fn prepare() -> Result<(), CliError> {
    descriptors()?;
    // A signal that is handled ends nothing; what matters is the error of the write.
    signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::default())?;
    match getrlimit(Resource::As).current {
        Some(limit) if limit < MIN_ADDRESS_SPACE => Err(CliError::Limit {
            name: "RLIMIT_AS",
            limit: format!("{} KiB", limit >> 10),
            hint: format!("`ulimit -v {}` or more is needed", MIN_ADDRESS_SPACE >> 10),
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
        hint: format!("`ulimit -n {MIN_DESCRIPTORS}` or more is needed"),
    })
}
