//! What a guest can call: one file for each interface of the contract, and WASI.

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

/// Everything that belongs to one run's store.
pub(super) struct GuestState {
    /// The bounds on what the instance holds.
    pub(super) limiter: Limiter,
    /// Where the guest's words go.
    pub(super) journal: GuestOutput,
    /// What the guest may know of its run.
    pub(super) context: RunContext,
    /// What the guest reads and changes; absent where every collection is denied.
    pub(super) documents: Option<Arc<dyn DocumentHost>>,
    /// Present where the guest imports WASI.
    pub(super) wasi: Option<Wasi>,
}

impl GuestState {
    /// Returns the state of a run of `guest`, with at most `memory` bytes.
    pub(super) fn new(
        guest: &Guest,
        memory: u64,
        journal: GuestOutput,
        context: RunContext,
        documents: Option<Arc<dyn DocumentHost>>,
    ) -> Self {
        let wasi = guest.imports_wasi().then(|| Wasi::new(&journal));
        Self { limiter: Limiter::new(memory), journal, context, documents, wasi }
    }
}

/// The shared words are types alone.
impl types::Host for GuestState {}

/// Links the contract's interfaces, and WASI where asked.
///
/// # Errors
///
/// Returns wasmtime's error if two definitions have one name, which is a fault of ours.
pub(super) fn link(linker: &mut Linker<GuestState>, with_wasi: bool) -> wasmtime::Result<()> {
    Plugin::add_to_linker::<_, HasSelf<_>>(linker, |state| state)?;
    if with_wasi {
        wasmtime_wasi::p2::add_to_linker_async(linker)?;
    }
    Ok(())
}
