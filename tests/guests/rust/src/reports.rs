//! Operations that say a lot, or say what the host told them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ophost_sdk::log::{self, Level};
use ophost_sdk::{context as run, item_errors as errors, model, operation, progress};

const KIB: usize = 1024;

/// How much to log.
#[model]
pub(crate) struct Flood {
    /// The number of mebibytes.
    #[serde(default = "ten")]
    mib: usize,
}

fn ten() -> usize {
    10
}

/// What was reported.
#[model]
pub(crate) struct Reported {
    /// The number of log entries or item errors.
    count: usize,
}

/// Logs lines of one kibibyte each, then succeeds.
#[operation(name = "misbehave.flood_log", category = "test")]
pub(crate) fn flood_log(input: Flood) -> Reported {
    let line = "x".repeat(KIB);
    let count = input.mib * KIB;
    for _ in 0..count {
        log::write(Level::Info, &line, None);
    }
    Reported { count }
}

/// How many items fail.
#[model]
pub(crate) struct Items {
    /// The number of items.
    #[serde(default = "ten")]
    count: usize,
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

/// How many steps to take.
#[model]
pub(crate) struct Steps {
    /// The number of steps, ten milliseconds each.
    steps: u64,
    /// Whether the number is told before it is reached.
    #[serde(default)]
    total: bool,
}

/// Takes its time: logs and reports progress at every step, then succeeds.
#[operation(name = "misbehave.steps", category = "test")]
pub(crate) fn steps(input: Steps) -> Reported {
    for step in 1..=input.steps {
        log::write(Level::Info, &format!("log of step {step}"), None);
        progress::report(step, input.total.then_some(input.steps), Some("stepping"));
        std::thread::sleep(Duration::from_millis(10));
    }
    Reported { count: usize::try_from(input.steps).unwrap_or(usize::MAX) }
}

/// Everything that the context says.
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
    /// Milliseconds since 1970.
    deadline: u64,
    /// Milliseconds since 1970.
    now: u64,
    /// In hexadecimal, since not every JSON reader keeps 64 bits.
    random: String,
}

/// Returns everything that the context says.
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
    fn everything_in_the_context_is_returned() {
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
