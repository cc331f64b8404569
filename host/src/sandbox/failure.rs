//! Maps wasmtime errors and declared failures to failure kinds.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use wasmtime::Trap;
use wasmtime::error::OutOfMemory;
use wasmtime_wasi::I32Exit;

use super::backtrace;
use super::bindings::exports::ophost::plugin::operations::Failure as Declared;
use super::guest_output::GuestReport;
use super::invoke::{Interrupt, InvokeError};
use super::limiter::{GrowthDenied, MAX_TABLE_ELEMENTS};
use super::stderr_report::StderrReport;
use super::text::{MAX_TEXT, parse_data};
use crate::model::limits::{Amount, Limits};
use crate::model::outcome::{Failure, FailureKind};
use crate::util::os_error::Shortage;
use ophost_document::text;

/// Maximum size of a failure code, in bytes.
const MAX_CODE: usize = 255;

/// Returns the failure that a guest declared, with texts truncated to their size limits.
pub(super) fn declared(failure: Declared) -> Failure {
    let (info, retryable) = match failure {
        Declared::Error(info) => (info, None),
        Declared::Permanent(info) => (info, Some(false)),
        Declared::Retryable(info) => (info, Some(true)),
    };
    let truncate = |text| text::truncate_bytes(text, MAX_TEXT);
    Failure {
        kind: FailureKind::Error,
        message: truncate(info.message),
        code: info.code.map(|code| text::truncate_bytes(code, MAX_CODE)),
        details: info.details.map(|details| parse_data(&details)),
        traceback: info.traceback.map(truncate),
        retryable,
    }
}

/// Returns the resource that the host is out of, if that is the cause of the error.
pub(super) fn shortage(error: &wasmtime::Error) -> Option<Shortage> {
    if error.is::<OutOfMemory>() {
        return Some(Shortage::Memory);
    }
    let of_cause = |cause: &(dyn Error + 'static)| {
        let is_denied = || {
            let errno = cause.downcast_ref::<Errno>();
            let io = cause.downcast_ref::<io::Error>().and_then(Errno::from_io_error);
            errno.copied().or(io).is_some_and(|it| [Errno::ACCESS, Errno::PERM].contains(&it))
        };
        Shortage::in_chain(cause).or_else(|| is_denied().then_some(Shortage::ExecutableMemory))
    };
    error.chain().find_map(of_cause)
}

/// Returns the error of a call that did not return.
pub(super) fn invoke_error(
    error: &wasmtime::Error,
    denied_growth: Option<GrowthDenied>,
    limits: &Limits,
    report: Option<GuestReport>,
) -> InvokeError {
    let (kind, message) = match error.downcast_ref::<Interrupt>() {
        Some(Interrupt::Cancel) => return InvokeError::Cancelled,
        Some(Interrupt::Conflict) => return InvokeError::Conflict,
        Some(Interrupt::ChangesTooLarge) => {
            let max = Amount::Bytes(limits.effects);
            (FailureKind::Effects, format!("document changes exceed the limit of {max}"))
        }
        Some(Interrupt::Deadline) => {
            (FailureKind::Timeout, format!("still running after {}", Amount::Time(limits.timeout)))
        }
        None if let Some(shortage) = shortage(error) => (FailureKind::Host, shortage.to_string()),
        None if is_guest_fault(error) => trap_failure(error),
        None => growth_failure(denied_growth, limits).unwrap_or_else(|| trap_failure(error)),
    };
    let frames = backtrace::frames(error);
    let traceback = (!frames.is_empty()).then(|| backtrace::text(&frames));
    let failure = Failure { traceback, ..Failure::new(kind, message) };
    InvokeError::failed(match report {
        Some(report) if kind == FailureKind::Trap => {
            with_report(failure, report, is_general(error))
        }
        Some(_) | None => failure,
    })
}

/// Returns whether a trap says nothing about its cause: languages trap or exit so after a panic, an
/// uncaught exception or a failed assertion.
fn is_general(error: &wasmtime::Error) -> bool {
    let trap = error.downcast_ref::<Trap>();
    error.is::<I32Exit>() || trap == Some(&Trap::UnreachableCodeReached)
}

/// Adds the report of the guest to the failure of a trap. The message of a general trap is replaced,
/// and is then a line of the traceback.
fn with_report(failure: Failure, report: GuestReport, is_general: bool) -> Failure {
    let StderrReport { message, text } = match report {
        GuestReport::Panic(message) => return Failure { message, ..failure },
        GuestReport::Stderr(report) => report,
    };
    let (message, trap) = match is_general {
        true => (message, Some(failure.message)),
        false => (failure.message, None),
    };
    let text = (text != message).then_some(text);
    let parts = [text, trap, failure.traceback];
    let traceback = parts.into_iter().flatten().collect::<Vec<_>>().join("\n");
    Failure { message, traceback: Some(traceback), ..failure }
}

/// Returns whether the trap has a cause in the guest's code, independent of a denied growth.
fn is_guest_fault(error: &wasmtime::Error) -> bool {
    let guest_traps = [Trap::StackOverflow, Trap::IntegerDivisionByZero];
    error.is::<I32Exit>()
        || error.downcast_ref::<Trap>().is_some_and(|trap| guest_traps.contains(trap))
}

/// Returns the failure of a trap after a denied growth. Guests trap if they get no memory.
fn growth_failure(denied: Option<GrowthDenied>, limits: &Limits) -> Option<(FailureKind, String)> {
    match denied? {
        GrowthDenied::Memory => {
            let max = Amount::Bytes(limits.memory);
            Some((FailureKind::Memory, format!("memory exceeds the limit of {max}")))
        }
        GrowthDenied::Table => {
            let message = format!("tables exceed the limit of {MAX_TABLE_ELEMENTS} elements");
            Some((FailureKind::Table, message))
        }
    }
}

fn trap_failure(error: &wasmtime::Error) -> (FailureKind, String) {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        // WASI 0.2 does not pass the status of the guest, only whether it is an error.
        let message = match status {
            0 => "the guest exited",
            _ => "the guest exited with an error status",
        };
        return (FailureKind::Trap, message.to_owned());
    }
    if error.is::<std::str::Utf8Error>() {
        return utf8_failure(error);
    }
    let stack_overflow = || (FailureKind::Stack, "stack overflow".to_owned());
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => stack_overflow(),
        // Compilers put a second stack at the start of the linear memory. An overflow of that
        // stack is an access below address 0.
        Some(Trap::MemoryOutOfBounds) if backtrace::is_runaway(&backtrace::frames(error)) => {
            stack_overflow()
        }
        Some(trap) => {
            (FailureKind::Trap, trap.to_string().trim_start_matches("wasm trap: ").to_owned())
        }
        None => (FailureKind::Trap, text::single_line(&error.root_cause().to_string())),
    }
}

/// Returns the failure of a string that is not UTF-8: an argument of a host call, or the output.
/// Only during a host call the guest has frames.
fn utf8_failure(error: &wasmtime::Error) -> (FailureKind, String) {
    if backtrace::frames(error).is_empty() {
        (FailureKind::InvalidOutput, "the output is not UTF-8".to_owned())
    } else {
        (FailureKind::Trap, "a string passed to the host is not UTF-8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns message and traceback of a trap after this report.
    fn failure_of(trap: Trap, report: GuestReport) -> (String, String) {
        match invoke_error(&trap.into(), None, &Limits::DEFAULT, Some(report)) {
            InvokeError::Failed(failure) => {
                (failure.message, failure.traceback.unwrap_or_default())
            }
            InvokeError::Cancelled | InvokeError::Conflict => panic!("not failed"),
        }
    }

    fn stderr(message: &str, text: &str) -> GuestReport {
        GuestReport::Stderr(StderrReport { message: message.to_owned(), text: text.to_owned() })
    }

    #[test]
    fn panic_message_replaces_only_the_message_of_a_trap() {
        let panic = "panicked at src/lib.rs:1:1: boom";
        let message = |trap| failure_of(trap, GuestReport::Panic(panic.to_owned())).0;
        assert_eq!(message(Trap::UnreachableCodeReached), panic);
        assert_eq!(message(Trap::StackOverflow), "stack overflow");
    }

    #[test]
    fn report_on_stderr_replaces_the_message_of_a_general_trap() {
        let report = stderr("Error: boom", "Error: boom\n    at f (a.js:1:2)");
        let (message, traceback) = failure_of(Trap::UnreachableCodeReached, report);
        assert_eq!(message, "Error: boom");
        let expected = "Error: boom\n    at f (a.js:1:2)\nwasm `unreachable` instruction executed";
        assert_eq!(traceback, expected);
        let line = "Assertion failed: x > 0";
        let (message, traceback) = failure_of(Trap::UnreachableCodeReached, stderr(line, line));
        assert_eq!(
            (message.as_str(), traceback.as_str()),
            (line, "wasm `unreachable` instruction executed")
        );
    }

    #[test]
    fn message_of_another_trap_is_kept() {
        let report = stderr("reading 3 rows", "reading 3 rows");
        let (message, traceback) = failure_of(Trap::IntegerDivisionByZero, report);
        assert_eq!(message, "integer divide by zero");
        assert_eq!(traceback, "reading 3 rows");
    }
}
