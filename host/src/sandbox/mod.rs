//! Running guests: the only module that knows wasmtime.
//!
//! - [`Sandbox`] holds the engine and what is linked; one for a host.
//! - [`Compiler`] says where plugins become machine code: in a child process, under limits.
//!   What it makes is kept in a private directory.
//! - [`Guest`] is a component that was compiled and type-checked, ready to be run.
//! - [`Sandbox::describe`] asks a guest what it is, once for a file's content.
//! - [`Sandbox::invoke`] is one run: a fresh instance under the run's [`Grants`], given a
//!   [`ValidInput`], ending in an [`InvokeResult`].
//!
//! It narrows wasmtime to what this host promises: always a deadline, always bounds,
//! nothing of WASI granted. It knows no store, no schema but the proof of one, no caller.
//!
//! [`Grants`]: crate::policy::Grants
//! [`ValidInput`]: ophost_schema::ValidInput

mod backtrace;
mod bindings;
mod cache;
mod compile;
mod describe;
mod engine;
mod failure;
mod guest_output;
mod imports;
mod invoke;
mod limiter;
mod load;
mod static_limits;
mod text;
mod ticker;

pub(crate) use self::compile::Compiler;
pub use self::compile::{COMPILER_COMMAND, serve as serve_compiler, this_program};
pub(crate) use self::describe::DescribeError;
pub(crate) use self::engine::{Sandbox, SandboxError, SandboxOptions};
pub(crate) use self::guest_output::{GuestOutput, Observer, OverflowSink};
pub(crate) use self::imports::{DocumentCallError, DocumentHost};
pub(crate) use self::invoke::{Invocation, InvokeError, InvokeResult};
pub(crate) use self::load::{CONTRACT, Guest, LoadError, componentize};

/// The version of wasmtime; a test compares it with the lock file.
pub(crate) const ENGINE_VERSION: &str = "48.0.8";
