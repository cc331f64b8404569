//! Tests of the whole crate: adversarial schemas, random schemas, and the official test suite.

pub(crate) mod adversarial;
mod json_schema_suite;
mod random;
