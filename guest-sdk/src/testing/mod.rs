//! Stands in for the host in a native build, so that unit tests need no WebAssembly.
//!
//! The signatures are those of the generated bindings. What a run would report goes to
//! stderr, a line each; `cargo test` shows it for a test that fails. Documents are in
//! `memory`.

#![expect(
    clippy::print_stderr,
    reason = "there is no host to report to, and `cargo test` captures `eprintln!` alone"
)]

pub mod documents;
mod memory;

pub use memory::Memory;
pub(crate) use memory::execute_run;

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
        // The standard library seeds every `RandomState` anew.
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
