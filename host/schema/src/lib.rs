//! Checks of JSON values against JSON Schemas, with a bound on their cost.
//!
//! - [`Schema`] is a schema that was compiled once and checks any number of values.
//! - [`ValidInput`] is the proof that an input was checked: only [`Schema::check_input`] makes
//!   one, and the sandbox takes nothing else.
//! - [`Violations`] are all the places where a value breaks its schema.
//! - [`Schema::masked`] replaces what a schema calls secret.
//! - [`SchemaError`] says why a value is not a usable schema.
//!
//! Nothing is ever fetched: a reference points into the schema itself. Schemas come from
//! plugins and values from anyone, so both are hostile: schemas are bounded, and a check has a
//! [`Budget`](ophost_document::Budget) that ends it.

#[cfg(test)]
mod adversarial;
mod alternatives;
mod bounds;
mod compiled;
mod cost;
mod defaults;
mod graph;
mod instance;
#[cfg(test)]
mod json_schema_suite;
mod pattern;
mod price;
#[cfg(test)]
mod random;
mod secrets;
mod size;
mod union;
mod violation;

pub use self::compiled::{CheckError, Schema, SchemaError, ThreadError, ValidInput};
pub use self::union::{Branch, Tagging, Union};
pub use self::violation::{Violation, Violations};
