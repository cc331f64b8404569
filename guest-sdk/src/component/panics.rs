//! Logs panics to the log of the run.

use std::panic::{self, PanicHookInfo};

use crate::log::{self, Level};

/// Installs a panic hook that logs every panic.
///
/// A panic ends in a trap, and a trap has no message.
pub(super) fn install_hook() {
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    // The default text has the message on a second line.
    let message = info.to_string().replacen(":\n", ": ", 1);
    log::write(Level::Error, &message, None);
}
