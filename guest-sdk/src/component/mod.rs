//! The exports of the component, in a WebAssembly build only.
//!
//! - [`Exported`]: implemented by `plugin!`; implies the generated trait `Guest`.
//! - `convert`: conversions to the types of the contract.
//! - `panics`: logs the message of a panic before the trap.

pub mod bindings;
mod convert;
mod export;
mod panics;

pub use export::Exported;
