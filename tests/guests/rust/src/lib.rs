//! A guest whose operations misbehave, each in a different way, for the tests of the host.
//!
//! - `resources`: operations that exhaust time, memory or stack.
//! - `outcomes`: one operation for each outcome of a run.
//! - `reports`: operations that log much, report progress, or return their context.

mod outcomes;
mod reports;
mod resources;

use ophost_sdk::plugin;

plugin!(
    resources::spin,
    resources::allocate,
    resources::recurse,
    outcomes::panic,
    outcomes::fail,
    outcomes::admit,
    outcomes::echo,
    outcomes::huge_output,
    outcomes::wrong_output,
    reports::flood_log,
    reports::item_errors,
    reports::steps,
    reports::context,
);
