//! One document that all runs change.

use ophost_sdk::{Collection, Result, model, operation};

use crate::pause::pause;

/// A number that grows.
#[model]
#[derive(Default)]
pub(crate) struct Counter {
    /// How often it was bumped.
    value: u64,
}

/// Which counter to bump.
#[model]
pub(crate) struct Bump {
    /// What names it.
    #[serde(default = "only")]
    id: String,
    /// How long to wait between reading and writing.
    #[serde(default)]
    pause_ms: u64,
}

fn only() -> String {
    "only".to_owned()
}

/// Adds one to a counter, which begins at 0.
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
    fn a_counter_grows() {
        for value in 1..=3 {
            let output = bump::OPERATION.invoke("{}").unwrap();
            assert_eq!(output, format!(r#"{{"value":{value}}}"#));
        }
    }
}
