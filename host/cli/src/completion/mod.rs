//! Shell completion: the scripts that shells load, and the candidates that they offer.

mod candidates;
mod script;

pub(super) use self::candidates::{
    collections, directories, fields, index_fields, inputs, operations, plugins, runs,
};
pub(super) use self::script::{CompletionsArgs, respond, run};
