//! Operations that log much, report progress, or return their context.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ophost_sdk::log::{self, Level};
use ophost_sdk::{context as run, item_errors as errors, model, operation, progress};

const KIB: usize = 1024;

/// The size of a log.
#[model]
pub(crate) struct Flood {
    /// The size in MiB.
    #[serde(default = "default_mib")]
    mib: usize,
}

fn default_mib() -> usize {
    10
}

/// The number of reports.
#[model]
pub(crate) struct Reported {
    /// The number of log entries, item errors or steps.
    count: usize,
}

/// Logs lines of 1 KiB each, then succeeds.
#[operation(name = "misbehave.flood_log", category = "test")]
pub(crate) fn flood_log(input: Flood) -> Reported {
    let line = "x".repeat(KIB);
    let count = input.mib * KIB;
    for _ in 0..count {
        log::write(Level::Info, &line, None);
    }
    Reported { count }
}

/// The items that fail.
#[model]
pub(crate) struct Items {
    /// The number of items.
    #[serde(default = "default_item_count")]
    count: usize,
}

fn default_item_count() -> usize {
    10
}

/// Adds an error for every item and reports progress, then succeeds.
#[operation(name = "misbehave.item_errors", category = "test")]
pub(crate) fn item_errors(input: Items) -> Reported {
    for index in 0..input.count {
        let item = format!("item {index}");
        errors::add(index, &item, format!("{item} is broken"));
        let (done, total) = (index as u64 + 1, input.count as u64);
        progress::report(done, Some(total), Some(&item));
    }
    Reported { count: input.count }
}

/// The steps of a run.
#[model]
pub(crate) struct Steps {
    /// The number of steps. Each takes 10 ms.
    steps: u64,
    /// Whether progress reports contain the number of steps.
    #[serde(default)]
    total: bool,
}

/// Logs and reports progress at every step, then succeeds.
#[operation(name = "misbehave.steps", category = "test")]
pub(crate) fn steps(input: Steps) -> Reported {
    for step in 1..=input.steps {
        log::write(Level::Info, &format!("log of step {step}"), None);
        progress::report(step, input.total.then_some(input.steps), Some("stepping"));
        std::thread::sleep(Duration::from_millis(10));
    }
    Reported { count: usize::try_from(input.steps).unwrap_or(usize::MAX) }
}

/// The values of the context.
#[model]
pub(crate) struct Context {
    run_id: Option<String>,
    user_id: Option<String>,
    channel: String,
    dry_run: bool,
    test_mode: bool,
    verbose: bool,
    attempt: u32,
    idempotency_key: Option<String>,
    /// Milliseconds since 1970-01-01 in UTC.
    deadline: u64,
    /// Milliseconds since 1970-01-01 in UTC.
    now: u64,
    /// 64 bits in hexadecimal, because some JSON parsers round large integers.
    random: String,
}

/// Returns all values of the context.
#[operation(name = "misbehave.context", category = "test")]
pub(crate) fn context() -> Context {
    Context {
        run_id: run::run_id(),
        user_id: run::user_id(),
        channel: run::channel(),
        dry_run: run::dry_run(),
        test_mode: run::test_mode(),
        verbose: run::verbose(),
        attempt: run::attempt(),
        idempotency_key: run::idempotency_key(),
        deadline: milliseconds(run::deadline()),
        now: milliseconds(run::now()),
        random: format!("{:016x}", run::random()),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let elapsed = time.duration_since(UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| elapsed.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_values_of_the_context_are_returned() {
        let context = context();
        assert_eq!(context.attempt, 1);
        assert!(context.deadline > context.now);
        assert_eq!(context.random.len(), 16);
    }

    #[test]
    fn every_report_is_counted() {
        assert_eq!(flood_log(Flood { mib: 1 }).count, 1024);
        assert_eq!(item_errors(Items { count: 3 }).count, 3);
    }
}
