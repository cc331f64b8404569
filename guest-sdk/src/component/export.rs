//! Answers the host's two calls.

use super::bindings::exports::ophost::plugin::operations as contract;
use super::panics;
use crate::Plugin;

/// The type that `plugin!` makes of a plugin, since only types can be exported.
pub trait Exported {
    /// What is exported.
    const PLUGIN: Plugin;
}

impl<T: Exported> contract::Guest for T {
    fn describe() -> contract::Plugin {
        panics::install_hook();
        T::PLUGIN.into()
    }

    fn invoke(operation: String, input: String) -> Result<String, contract::Failure> {
        panics::install_hook();
        T::PLUGIN.invoke(&operation, &input).map_err(contract::Failure::from)
    }
}
