//! The component's export. Exists in a WebAssembly build only.
//!
//! - [`Exported`]: what `plugin!` implements; from it follows the generated `Guest`.
//! - `convert`: our types as those of the contract.
//! - `panics`: a panic's message reaches the log before the trap.

pub mod bindings;
mod convert;
mod export;
mod panics;

pub use export::Exported;
