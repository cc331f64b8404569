//! From what wasmtime and a guest say of a failure to one of our kinds.

use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use super::backtrace;
use super::bindings::exports::ophost::plugin::operations::Failure as Declared;
use super::invoke::{Stop, Stopped};
use super::limiter::Refused;
use super::text::{self, MAX_TEXT};
use crate::policy::{Amount, Limits};
use crate::run::{Failure, FailureKind, LogLevel, Trail};

/// The longest code, in bytes: it is a word.
const MAX_CODE: usize = 255;

/// Returns what a guest declared as a failure, its texts cut to their bounds.
pub(super) fn declared(failure: Declared) -> Failure {
    let (info, retryable) = match failure {
        Declared::Error(info) => (info, None),
        Declared::Permanent(info) => (info, Some(false)),
        Declared::Retryable(info) => (info, Some(true)),
    };
    let cut = |text| text::cut(text, MAX_TEXT);
    Failure {
        kind: FailureKind::Error,
        message: cut(info.message),
        code: info.code.map(|code| text::cut(code, MAX_CODE)),
        details: info.details.map(|details| text::data(&details)),
        traceback: info.traceback.map(cut),
        retryable,
    }
}

/// Returns why a guest that did not return was stopped.
pub(super) fn stopped(
    error: &wasmtime::Error,
    refused: Option<Refused>,
    limits: &Limits,
) -> Stopped {
    let (kind, message) = match (error.downcast_ref::<Stop>(), refused) {
        (Some(Stop::Cancel), _) => return Stopped::Cancelled,
        (Some(Stop::Deadline), _) => {
            (FailureKind::Timeout, format!("still running after {}", Amount::Time(limits.timeout)))
        }
        (None, Some(Refused::Memory)) => (
            FailureKind::Memory,
            format!("it needed more than {} of memory", Amount::Bytes(limits.memory)),
        ),
        (None, Some(Refused::Table)) => {
            (FailureKind::Table, "it needed larger tables than allowed".to_owned())
        }
        (None, None) => trapped(error),
    };
    let frames = backtrace::frames(error);
    let traceback = (!frames.is_empty()).then(|| backtrace::text(&frames));
    Stopped::failed(Failure { traceback, ..Failure::new(kind, message) })
}

/// Lets a trap say why: a panicking guest logs `panicked at PLACE: REASON` as its last word,
/// and what follows is an instruction that says nothing.
pub(super) fn in_its_own_words(stopped: Stopped, trail: &Trail) -> Stopped {
    let last = trail.log.last().filter(|entry| entry.level == LogLevel::Error);
    let panic = last.filter(|entry| entry.message.starts_with("panicked at "));
    match (stopped, panic) {
        (Stopped::Failed(mut failure), Some(panic)) if failure.kind == FailureKind::Trap => {
            failure.message.clone_from(&panic.message);
            Stopped::Failed(failure)
        }
        (stopped, _) => stopped,
    }
}

fn trapped(error: &wasmtime::Error) -> (FailureKind, String) {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return (FailureKind::Trap, format!("the guest called exit({status})"));
    }
    if error.is::<std::str::Utf8Error>() {
        return (FailureKind::InvalidOutput, "the output is not UTF-8".to_owned());
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
        None => (FailureKind::Trap, error.root_cause().to_string()),
    }
}
