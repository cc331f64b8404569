//! Compiles and runs guests. The only module that names wasmtime.
//!
//! | file | content |
//! |------|---------|
//! | `engine.rs` | [`Sandbox`]: the wasmtime engine and its linkers, one for each host |
//! | `estimate.rs` | estimates the time for compiling a plugin |
//! | `compile.rs` | [`Compiler`]: compiles in a child process, under resource limits |
//! | `cache.rs` | cache of compiled code, in a private directory |
//! | `static_limits/` | estimates the host memory of a component before compiling it |
//! | `load.rs` | [`Sandbox::load`]: from bytes to a [`Guest`], compiled and type-checked |
//! | `describe.rs` | [`Sandbox::describe`]: reads the operations that a guest declares |
//! | `invoke.rs` | [`Sandbox::invoke`]: executes one operation in a fresh instance |
//! | `pool.rs` | slots for the instances of a host that serves many runs |
//! | `imports/` | the functions that a guest can call: one file for each interface, and WASI |
//! | `limiter.rs` | limits on the memories and tables of a store |
//! | `ticker.rs` | advances the epoch, so that guests can be interrupted |
//! | `guest_output.rs` | [`GuestOutput`]: log, item errors and progress of an execution |
//! | `stderr_report.rs` | finds message and stack in what a guest wrote to stderr before it trapped |
//! | `text.rs` | size limits of texts and JSON from a guest |
//! | `failure.rs` | maps wasmtime errors and declared failures to failure kinds |
//! | `backtrace.rs` | formats the backtrace of a guest |
//! | `bindings.rs` | Rust bindings of the contract, generated from `wit/` |
//!
//! An execution always has a deadline and limits, and gets no WASI capability. It runs under
//! the [`Grants`] of its run, takes a [`ValidInput`] and ends in an [`InvokeResult`]. The
//! sandbox does not use the store and does not validate schemas.
//!
//! [`Grants`]: crate::policy::Grants
//! [`ValidInput`]: ophost_schema::ValidInput

mod backtrace;
mod bindings;
mod cache;
mod compile;
mod describe;
mod engine;
mod estimate;
mod failure;
mod guest_output;
mod imports;
mod interface;
mod invoke;
mod limiter;
mod load;
mod pool;
mod static_limits;
mod stderr_report;
mod text;
mod ticker;

pub(crate) use self::compile::Compiler;
pub use self::compile::{COMPILER_COMMAND, serve as serve_compiler, this_program};
pub(crate) use self::describe::{DescribeError, Description};
pub(crate) use self::engine::{Sandbox, SandboxError, SandboxOptions};
pub(crate) use self::guest_output::{GuestOutput, Observer, OverflowSink};
pub(crate) use self::imports::{DocumentCallError, DocumentHost};
pub(crate) use self::interface::CONTRACT;
pub(crate) use self::invoke::{Invocation, InvokeError, InvokeResult};
pub(crate) use self::load::{Guest, LoadError, componentize};

/// Version of wasmtime. A test compares it with the lock file.
pub(crate) const ENGINE_VERSION: &str = "48.0.8";
