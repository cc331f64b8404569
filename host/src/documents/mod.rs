//! Documents of the store: the transaction of a run, the read API, and imports.

pub(crate) mod import;
pub(crate) mod reader;
pub(crate) mod transaction;
