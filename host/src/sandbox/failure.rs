//! Maps wasmtime errors and declared failures to failure kinds.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use wasmtime::Trap;
use wasmtime::error::OutOfMemory;
use wasmtime_wasi::I32Exit;

use super::backtrace;
use super::bindings::exports::ophost::plugin::operations::Failure as Declared;
use super::invoke::{Interrupt, InvokeError};
use super::limiter::{GrowthDenied, MAX_TABLE_ELEMENTS};
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
    InvokeError::failed(Failure { traceback, ..Failure::new(kind, message) })
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

/// Replaces the message of a trap by the panic message. The trap of a panic is only `unreachable`.
pub(super) fn with_panic_message(error: InvokeError, panic: Option<String>) -> InvokeError {
    match (error, panic) {
        (InvokeError::Failed(mut failure), Some(panic)) if failure.kind == FailureKind::Trap => {
            failure.message = panic;
            InvokeError::Failed(failure)
        }
        (error, _) => error,
    }
}

fn trap_failure(error: &wasmtime::Error) -> (FailureKind, String) {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return (FailureKind::Trap, format!("the guest called exit({status})"));
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

    fn message_of(kind: FailureKind, panic: Option<&str>) -> String {
        let error = InvokeError::failed(Failure::new(kind, "trap message"));
        match with_panic_message(error, panic.map(ToOwned::to_owned)) {
            InvokeError::Failed(failure) => failure.message,
            InvokeError::Cancelled | InvokeError::Conflict => String::new(),
        }
    }

    #[test]
    fn panic_message_replaces_only_the_message_of_a_trap() {
        let panic = "panicked at src/lib.rs:1:1: boom";
        assert_eq!(message_of(FailureKind::Trap, Some(panic)), panic);
        assert_eq!(message_of(FailureKind::Trap, None), "trap message");
        assert_eq!(message_of(FailureKind::Memory, Some(panic)), "trap message");
    }
}
