//! Checks of JSON values against JSON Schemas, with a bound on their cost.
//!
//! - [`Schema`] is a compiled schema. It checks any number of values.
//! - [`ValidInput`] is the proof that an input was checked: only [`Schema::check_input`] creates
//!   it, and the sandbox accepts no other input.
//! - [`Violations`] lists the violations of a value.
//! - [`Schema::masked`] replaces the secrets of a value.
//! - [`SchemaError`] is the reason why a value is not a usable schema.
//!
//! Nothing is fetched: a reference must point into the schema itself. Schemas come from plugins
//! and values from callers, so both are untrusted. The size and the cost of a schema are bounded,
//! and a check ends when its [`Budget`](ophost_document::Budget) is used up.
//!
//! | module | content |
//! |--------|---------|
//! | `compiled` | [`Schema`]: compile, check, mask |
//! | `graph` | subschemas and the applicators between them |
//! | `bounds`, `size` | limits of the size of a schema and of a value |
//! | `cost`, `keyword_cost` | upper bound of the cost of one value |
//! | `instance` | values for the validator, with a budget for each step |
//! | `simple` | check by the common keywords, without the validator |
//! | `pattern` | regular expressions with linear run time |
//! | `defaults`, `secrets` | default values and secrets |
//! | `violation`, `alternatives`, `union` | messages, and the nearest alternative of a union |

mod alternatives;
mod bounds;
mod compiled;
mod cost;
mod defaults;
mod graph;
mod instance;
mod keyword_cost;
mod pattern;
mod secrets;
mod simple;
mod size;
#[cfg(test)]
mod tests;
mod union;
mod violation;

pub use self::compiled::{CheckError, RULES, Schema, SchemaError, ThreadError, ValidInput};
pub use self::union::{Branch, Tagging, Union};
pub use self::violation::{Violation, Violations};
