//! Host functions that a guest can import.
//!
//! | file | interface |
//! |------|-----------|
//! | `context.rs` | `context`: id, actor, flags and deadline of the run; time and random numbers |
//! | `documents.rs` | `documents`: reads and writes documents, through [`DocumentHost`] |
//! | `item_errors.rs` | `item-errors`: errors of single items of a bulk input |
//! | `log.rs` | `log`: log entries |
//! | `progress.rs` | `progress`: progress reports |
//! | `wasi.rs` | WASI 0.2 without capabilities |

mod context;
mod documents;
mod item_errors;
mod log;
mod progress;
mod wasi;

use std::sync::Arc;

use wasmtime::component::{HasSelf, Linker};

pub(super) use self::context::RunContext;
pub(crate) use self::documents::{DocumentCallError, DocumentHost};
use self::wasi::Wasi;
use super::bindings::Plugin;
use super::bindings::ophost::plugin::types;
use super::guest_output::GuestOutput;
use super::limiter::Limiter;
use super::load::Guest;

/// State of the wasmtime store of one execution.
pub(super) struct GuestState {
    /// Limits on memories and tables.
    pub(super) limiter: Limiter,
    /// Receives log, item errors and progress.
    pub(super) output: GuestOutput,
    /// Values that the interface `context` returns.
    pub(super) context: RunContext,
    /// Documents of the run. If `None`, access to every collection is denied.
    pub(super) documents: Option<Arc<dyn DocumentHost>>,
    /// WASI state, if the guest imports WASI.
    pub(super) wasi: Option<Wasi>,
}

impl GuestState {
    /// Returns the state for an execution of `guest` with at most `max_memory` bytes of memory.
    pub(super) fn new(
        guest: &Guest,
        max_memory: u64,
        output: GuestOutput,
        context: RunContext,
        documents: Option<Arc<dyn DocumentHost>>,
    ) -> Self {
        let wasi = guest.imports_wasi().then(|| Wasi::new(&output));
        Self { limiter: Limiter::new(max_memory), output, context, documents, wasi }
    }
}

/// The interface `types` has no functions.
impl types::Host for GuestState {}

/// Adds the interfaces of the contract to the linker, and WASI if `with_wasi` is true.
///
/// # Errors
///
/// Returns the error of wasmtime if two definitions have the same name, which is a bug in the host.
pub(super) fn link(linker: &mut Linker<GuestState>, with_wasi: bool) -> wasmtime::Result<()> {
    Plugin::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    if with_wasi {
        wasmtime_wasi::p2::add_to_linker_async(linker)?;
    }
    Ok(())
}
