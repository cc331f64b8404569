//! Panics reach the run's log.

use std::panic::{self, PanicHookInfo};

use crate::log::{self, Level};

/// Logs every panic from now on.
///
/// A panic ends in a trap, and a trap has no message.
pub(super) fn install_hook() {
    panic::set_hook(Box::new(log_panic));
}

fn log_panic(info: &PanicHookInfo<'_>) {
    // Its own text has the message on a line of its own.
    let message = info.to_string().replacen(":\n", ": ", 1);
    log::write(Level::Error, &message, None);
}
