//! Documents of the store: the transaction of a run, the read API, the operations of the host
//! itself, and indexes.

pub(crate) mod builtin;
pub(crate) mod delete;
pub(crate) mod import;
pub(crate) mod indexes;
pub(crate) mod reader;
pub(crate) mod set;
pub(crate) mod transaction;
pub(crate) mod undo;
