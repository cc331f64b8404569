//! The exported functions that the host calls.

use super::bindings::exports::ophost::plugin::operations as contract;
use super::panics;
use crate::Plugin;

/// The plugin of an exported type.
///
/// `plugin!` implements it, because bindings export a type and not a value.
pub trait Exported {
    /// The exported plugin.
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
