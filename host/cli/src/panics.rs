//! Messages of panics.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::panic::{self, PanicHookInfo};
use std::thread;

use super::output::{self, EscapedText};
use ophost::os_error::is_catching_panics;

/// Prints panics to stderr as the CLI prints everything, but for those of a damaged file's reader:
/// the store makes an error of them, and the error is told.
pub(super) fn install_panic_hook() {
    panic::set_hook(Box::new(|panic| {
        if !is_catching_panics() {
            output::stderr(&text(panic));
        }
    }));
}

/// Returns what the hook of `std` prints.
fn text(panic: &PanicHookInfo<'_>) -> String {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let backtrace = Backtrace::capture();
    let more = match backtrace.status() {
        BacktraceStatus::Captured => format!("stack backtrace:\n{backtrace}"),
        _ => "note: `RUST_BACKTRACE=1` in the environment shows a backtrace".to_owned(),
    };
    format!("\nthread '{name}' {}\n{}\n", EscapedText(&panic.to_string()), EscapedText(&more))
}
