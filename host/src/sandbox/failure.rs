//! From what wasmtime and a guest say of a failure to one of our kinds.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use wasmtime::Trap;
use wasmtime::error::OutOfMemory;
use wasmtime_wasi::I32Exit;

use super::backtrace;
use super::bindings::exports::ophost::plugin::operations::Failure as Declared;
use super::invoke::{Interrupt, InvokeError};
use super::limiter::GrowthDenied;
use super::text::{MAX_TEXT, data};
use crate::model::limits::{Amount, Limits};
use crate::model::outcome::{Failure, FailureKind};
use crate::util::os_error::Shortage;
use ophost_document::text;

/// The longest code, in bytes: it is a word.
const MAX_CODE: usize = 255;

/// Returns what a guest declared as a failure, its texts cut to their bounds.
pub(super) fn declared(failure: Declared) -> Failure {
    let (info, retryable) = match failure {
        Declared::Error(info) => (info, None),
        Declared::Permanent(info) => (info, Some(false)),
        Declared::Retryable(info) => (info, Some(true)),
    };
    let cut = |text| text::truncate_bytes(text, MAX_TEXT);
    Failure {
        kind: FailureKind::Error,
        message: cut(info.message),
        code: info.code.map(|code| text::truncate_bytes(code, MAX_CODE)),
        details: info.details.map(|details| data(&details)),
        traceback: info.traceback.map(cut),
        retryable,
    }
}

/// Returns what the host ran out of, if that is why the engine failed.
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

/// Returns why a guest that did not return was stopped.
pub(super) fn stopped(
    error: &wasmtime::Error,
    refused: Option<GrowthDenied>,
    limits: &Limits,
) -> InvokeError {
    let (kind, message) = match error.downcast_ref::<Interrupt>() {
        Some(Interrupt::Cancel) => return InvokeError::Cancelled,
        Some(Interrupt::Stale) => return InvokeError::Stale,
        Some(Interrupt::Effects) => {
            let bound = Amount::Bytes(limits.effects);
            (FailureKind::Effects, format!("it wrote more than {bound} of documents"))
        }
        Some(Interrupt::Deadline) => {
            (FailureKind::Timeout, format!("still running after {}", Amount::Time(limits.timeout)))
        }
        None if let Some(shortage) = shortage(error) => (FailureKind::Host, shortage.to_string()),
        None if is_guest_fault(error) => trapped(error),
        None => after_refusal(refused, limits).unwrap_or_else(|| trapped(error)),
    };
    let frames = backtrace::frames(error);
    let traceback = (!frames.is_empty()).then(|| backtrace::text(&frames));
    InvokeError::failed(Failure { traceback, ..Failure::new(kind, message) })
}

/// Returns whether a guest ended for a reason of its own, whatever it was refused before.
fn is_guest_fault(error: &wasmtime::Error) -> bool {
    let own = [Trap::StackOverflow, Trap::IntegerDivisionByZero];
    error.is::<I32Exit>() || error.downcast_ref::<Trap>().is_some_and(|trap| own.contains(trap))
}

/// A trap that follows a refused growth is the guest's way to say that it cannot go on.
fn after_refusal(refused: Option<GrowthDenied>, limits: &Limits) -> Option<(FailureKind, String)> {
    match refused? {
        GrowthDenied::Memory => {
            let bound = Amount::Bytes(limits.memory);
            Some((FailureKind::Memory, format!("it needed more than {bound} of memory")))
        }
        GrowthDenied::Table => {
            Some((FailureKind::Table, "it needed larger tables than allowed".to_owned()))
        }
    }
}

/// Lets a trap say why: what follows a panic is an instruction that says nothing.
pub(super) fn with_panic_message(stopped: InvokeError, panic: Option<String>) -> InvokeError {
    match (stopped, panic) {
        (InvokeError::Failed(mut failure), Some(panic)) if failure.kind == FailureKind::Trap => {
            failure.message = panic;
            InvokeError::Failed(failure)
        }
        (stopped, _) => stopped,
    }
}

fn trapped(error: &wasmtime::Error) -> (FailureKind, String) {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return (FailureKind::Trap, format!("the guest called exit({status})"));
    }
    if error.is::<std::str::Utf8Error>() {
        return not_utf8(error);
    }
    let too_deep = || (FailureKind::Stack, "it called too deep".to_owned());
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => too_deep(),
        // Compilers keep part of the stack in memory, at its very beginning: running over
        // that is an access below the first byte.
        Some(Trap::MemoryOutOfBounds) if backtrace::is_runaway(&backtrace::frames(error)) => {
            too_deep()
        }
        Some(trap) => {
            (FailureKind::Trap, trap.to_string().trim_start_matches("wasm trap: ").to_owned())
        }
        None => (FailureKind::Trap, text::single_line(&error.root_cause().to_string())),
    }
}

/// Both a call to the host and the answer are checked. Only in a call is the guest running.
fn not_utf8(error: &wasmtime::Error) -> (FailureKind, String) {
    if backtrace::frames(error).is_empty() {
        (FailureKind::InvalidOutput, "the output is not UTF-8".to_owned())
    } else {
        (FailureKind::Trap, "it called the host with a text that is not UTF-8".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message_of(kind: FailureKind, panic: Option<&str>) -> String {
        let stopped = InvokeError::failed(Failure::new(kind, "its own message"));
        match with_panic_message(stopped, panic.map(ToOwned::to_owned)) {
            InvokeError::Failed(failure) => failure.message,
            InvokeError::Cancelled | InvokeError::Stale => String::new(),
        }
    }

    #[test]
    fn a_panic_is_the_message_of_a_trap_alone() {
        let panic = "panicked at src/lib.rs:1:1: boom";
        assert_eq!(message_of(FailureKind::Trap, Some(panic)), panic);
        assert_eq!(message_of(FailureKind::Trap, None), "its own message");
        assert_eq!(message_of(FailureKind::Memory, Some(panic)), "its own message");
    }
}
