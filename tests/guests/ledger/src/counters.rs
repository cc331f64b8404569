//! One document that all runs change.

use ophost_sdk::{Collection, Result, model, operation};

use crate::pause::pause;

/// A counter.
#[model]
#[derive(Default)]
pub(crate) struct Counter {
    /// The number of increments.
    value: u64,
}

/// The counter to increment.
#[model]
pub(crate) struct Bump {
    /// The id of the counter.
    #[serde(default = "default_id")]
    id: String,
    /// The pause between reading and writing, in milliseconds.
    #[serde(default)]
    pause_ms: u64,
}

fn default_id() -> String {
    "only".to_owned()
}

/// Increments a counter. A new counter starts at 0.
#[operation(name = "ledger.bump", category = "test", async_enabled = true)]
pub(crate) fn bump(input: Bump, counters: Collection<Counter>) -> Result<Counter> {
    let mut counter = counters.get(&input.id)?.map(|it| it.value).unwrap_or_default();
    pause(input.pause_ms);
    counter.value += 1;
    counters.put(&input.id, &counter)?;
    Ok(counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_increments_the_counter() {
        for value in 1..=3 {
            let output = bump::OPERATION.invoke("{}").unwrap();
            assert_eq!(output, format!(r#"{{"value":{value}}}"#));
        }
    }
}
