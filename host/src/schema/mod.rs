//! Checking inputs and outputs against JSON Schemas: the only module that knows the
//! validator.
//!
//! - [`Schema`] is a schema that was compiled once and checks any number of values.
//! - [`ValidInput`] is the proof that an input was checked: only [`Schema::check_input`] makes
//!   one, and the sandbox takes nothing else.
//! - [`Violations`] are all the places where a value breaks its schema.
//! - [`SchemaError`] says why a value is not a usable schema.
//!
//! Nothing is ever fetched: a reference points into the schema itself.

mod compiled;
mod defaults;
mod violation;

pub(crate) use self::compiled::{Schema, SchemaError, ValidInput};
pub use self::violation::{Violation, Violations};
