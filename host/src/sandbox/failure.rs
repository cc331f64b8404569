//! From what wasmtime and a guest say of a failure to one of our kinds.

use wasmtime::Trap;
use wasmtime_wasi::I32Exit;

use super::backtrace;
use super::bindings::exports::ophost::plugin::operations::Failure as Declared;
use super::invoke::{Stop, Stopped};
use super::limiter::Refused;
use super::text::{self, MAX_TEXT};
use crate::policy::{Amount, Limits};
use crate::run::{Failure, FailureKind, LogEntry, LogLevel, LogSource, Trail};

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
    let (kind, message) = match error.downcast_ref::<Stop>() {
        Some(Stop::Cancel) => return Stopped::Cancelled,
        Some(Stop::Deadline) => {
            (FailureKind::Timeout, format!("still running after {}", Amount::Time(limits.timeout)))
        }
        None if says_why(error) => trapped(error),
        None => after_refusal(refused, limits).unwrap_or_else(|| trapped(error)),
    };
    let frames = backtrace::frames(error);
    let traceback = (!frames.is_empty()).then(|| backtrace::text(&frames));
    Stopped::failed(Failure { traceback, ..Failure::new(kind, message) })
}

/// Returns whether a guest ended for a reason of its own, whatever it was refused before.
fn says_why(error: &wasmtime::Error) -> bool {
    let own = [Trap::StackOverflow, Trap::IntegerDivisionByZero];
    error.is::<I32Exit>() || error.downcast_ref::<Trap>().is_some_and(|trap| own.contains(trap))
}

/// A trap that follows a refused growth is the guest's way to say that it cannot go on.
fn after_refusal(refused: Option<Refused>, limits: &Limits) -> Option<(FailureKind, String)> {
    match refused? {
        Refused::Memory => {
            let bound = Amount::Bytes(limits.memory);
            Some((FailureKind::Memory, format!("it needed more than {bound} of memory")))
        }
        Refused::Table => {
            Some((FailureKind::Table, "it needed larger tables than allowed".to_owned()))
        }
    }
}

/// Lets a trap say why: a panicking guest logs `panicked at PLACE: REASON` as its last word,
/// and what follows is an instruction that says nothing.
pub(super) fn in_its_own_words(stopped: Stopped, trail: &Trail) -> Stopped {
    // What it wrote to its output without ending the line is logged after that.
    let last = trail.log.iter().rfind(|entry| entry.source == LogSource::Guest);
    let is_panic = |entry: &&LogEntry| {
        entry.level == LogLevel::Error && entry.message.starts_with("panicked at ")
    };
    let panic = last.filter(is_panic);
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

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    fn entry(source: LogSource, message: &str) -> LogEntry {
        let (level, message) = (LogLevel::Error, message.to_owned());
        LogEntry { timestamp: Utc::now(), level, message, data: None, source }
    }

    fn message_after(log: Vec<LogEntry>) -> String {
        let trap = Stopped::failed(Failure::new(FailureKind::Trap, "unreachable"));
        match in_its_own_words(trap, &Trail { log, ..Trail::default() }) {
            Stopped::Failed(failure) => failure.message,
            Stopped::Cancelled => String::new(),
        }
    }

    #[test]
    fn a_panic_is_the_message_also_where_an_unfinished_line_follows_it() {
        let panic = entry(LogSource::Guest, "panicked at src/lib.rs:1:1: boom");
        let line = entry(LogSource::Stderr, "unfinished");
        assert_eq!(message_after(vec![panic.clone(), line]), panic.message);
    }

    #[test]
    fn a_panic_that_was_caught_before_other_words_is_not_the_message() {
        let panic = entry(LogSource::Guest, "panicked at src/lib.rs:1:1: boom");
        let later = entry(LogSource::Guest, "going on");
        assert_eq!(message_after(vec![panic, later]), "unreachable");
    }
}
