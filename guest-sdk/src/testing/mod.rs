//! Replaces the host in a native build, so that unit tests do not need WebAssembly.
//!
//! The functions have the signatures of the generated bindings. Log entries, progress and item
//! errors are printed to stderr, one line each. `cargo test` shows them for failed tests. `memory`
//! contains the documents and invokes operations, and `schemas` validates inputs and outputs.

#![expect(
    clippy::print_stderr,
    reason = "a native build has no host, and `cargo test` captures only `eprintln!`"
)]

pub mod documents;
mod memory;
mod schemas;

pub use memory::Memory;
pub(crate) use memory::invoke;

pub(crate) mod context {
    use std::hash::{BuildHasher, RandomState};
    use std::time::{SystemTime, UNIX_EPOCH};

    const MINUTE: u64 = 60_000;

    pub(crate) fn run_id() -> Option<String> {
        None
    }

    pub(crate) fn user_id() -> Option<String> {
        None
    }

    pub(crate) fn channel() -> String {
        "native".to_owned()
    }

    pub(crate) fn dry_run() -> bool {
        false
    }

    pub(crate) fn test_mode() -> bool {
        true
    }

    pub(crate) fn verbose() -> bool {
        false
    }

    pub(crate) fn attempt() -> u32 {
        1
    }

    pub(crate) fn deadline() -> u64 {
        now() + MINUTE
    }

    pub(crate) fn idempotency_key() -> Option<String> {
        None
    }

    pub(crate) fn now() -> u64 {
        let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
        elapsed.map_or(0, |elapsed| elapsed.as_millis() as u64)
    }

    pub(crate) fn random() -> u64 {
        // The standard library seeds every `RandomState` differently.
        RandomState::new().hash_one(())
    }
}

pub(crate) mod log {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Level {
        Trace,
        Debug,
        Info,
        Warn,
        Error,
    }

    pub(crate) fn write(level: Level, message: &str, data: Option<&str>) {
        let data = data.unwrap_or_default();
        eprintln!("{level:?}: {message} {data}");
    }
}

pub(crate) mod progress {
    pub(crate) fn report(done: u64, total: Option<u64>, message: Option<&str>) {
        let total = total.map_or("?".to_owned(), |total| total.to_string());
        let message = message.unwrap_or_default();
        eprintln!("Progress: {done}/{total} {message}");
    }
}

pub(crate) mod item_errors {
    pub(crate) fn add(index: u64, item: &str, error: &str, traceback: Option<&str>) {
        let traceback = traceback.unwrap_or_default();
        eprintln!("Item {index}, {item}: {error} {traceback}");
    }
}
