//! A guest whose operations misbehave, one way each, for the tests of the host.
//!
//! - `resources`: take more time, memory or stack than there is.
//! - `outcomes`: end in every way that a run can end in.
//! - `reports`: say a lot, or say what the host told them.

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
