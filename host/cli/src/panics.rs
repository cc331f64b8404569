//! Panic hook.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use ophost::os_error::is_catching_panics;

use super::output::{self, EscapedText};

/// Installs a panic hook that prints escaped panics to stderr. The hook is silent for panics that
/// the store converts to [`StoreError::Corrupted`](ophost::StoreError::Corrupted).
pub(super) fn install_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        if !is_catching_panics() {
            output::stderr(&text(panic));
        }
    }));
}

/// Returns the message that the hook of `std` prints.
fn text(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    let more = match backtrace.status() {
        BacktraceStatus::Captured => format!("stack backtrace:\n{backtrace}"),
        _ => "note: run with `RUST_BACKTRACE=1` to print a backtrace".to_owned(),
    };
    format!("\nthread '{name}' {}\n{}\n", EscapedText(&panic.to_string()), EscapedText(&more))
}
