//! Log entries of the host.

use serde_json::{Value, json};

use crate::model::outcome::{LogEntry, LogLevel, LogSource, Outcome};
use crate::util::clock;

/// Returns a log entry of the host.
pub(super) fn entry(level: LogLevel, message: String, data: Option<Value>) -> LogEntry {
    LogEntry { timestamp: clock::now(), level, message, data, source: LogSource::Host }
}

pub(super) fn opening(operation: &str, input: &Value) -> LogEntry {
    let message = format!("Starting operation: {operation}");
    entry(LogLevel::Info, message, Some(json!({"input": input})))
}

pub(super) fn closing(operation: &str, outcome: &Outcome, execution_time: f64) -> LogEntry {
    let failed = |error: &str| {
        let message = format!("Operation failed: {operation}");
        entry(LogLevel::Error, message, Some(json!({"error": error})))
    };
    match outcome {
        Outcome::Success(_) => {
            let data = json!({"execution_time": execution_time});
            entry(LogLevel::Info, format!("Operation completed: {operation}"), Some(data))
        }
        Outcome::Failed(failure) => failed(&failure.message),
        Outcome::Cancelled => failed("cancelled"),
    }
}
