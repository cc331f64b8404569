//! A pool of instance slots, for hosts that serve many runs.
//!
//! Without a pool, each run maps 4 GiB of address space for each memory of its instance, and unmaps
//! it at the end. In a pool the mappings stay, and a run only resets the pages that it has changed.
//!
//! The pool never makes a run fail. A run needs a permit, and each permit stands for everything that
//! the largest pooled component needs. If there is no permit, or the component is larger, the run
//! uses the engine that allocates on demand. Waiting for a permit could block a run for ever,
//! because a run with a permit can wait for another run.

use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Component;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::bindings::PluginPre;
use super::engine::{Reservation, Runtime, SandboxError};
use super::imports::GuestState;
use super::limiter::{MAX_INSTANCES, MAX_TABLE_ELEMENTS};

/// Maximum number of slots. Each reserves 8 GiB of address space.
const MAX_SLOTS: u32 = 1_000;
/// Maximum number of memories of a pooled component. Nearly all components have one.
const MAX_MEMORIES: u32 = 2;
/// Maximum number of tables of a pooled component. A Rust component has two.
const MAX_TABLES: u32 = 8;
/// Bytes of each memory and table that stay resident between two runs. Changed pages are overwritten
/// with their initial content. Returning the pages to the system makes a small run two to four times
/// as long.
const KEEP_RESIDENT: usize = 256 << 10;

/// An engine whose instances are allocated from slots.
pub(super) struct Pool {
    pub(super) runtime: Runtime,
    permits: Semaphore,
}

impl Pool {
    /// Reserves the address space of the slots. Returns `None` without slots, or if the address
    /// space of the process is limited.
    ///
    /// # Errors
    ///
    /// Returns [`SandboxError`] if the address space cannot be reserved.
    pub(super) fn new(
        slots: u16,
        reservation: Reservation,
        mut config: Config,
    ) -> Result<Option<Self>, SandboxError> {
        let slots = u32::from(slots).min(MAX_SLOTS);
        if slots == 0 || reservation == Reservation::Small {
            return Ok(None);
        }
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(limits(slots)));
        let permits = Semaphore::new(slots as usize);
        Ok(Some(Self { runtime: Runtime::new(&config)?, permits }))
    }

    /// Returns the permit for one run; `None` if all slots are in use.
    pub(super) fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.try_acquire().ok()
    }

    /// Links a component of another engine of this process for the pool. Copies its code. Returns
    /// `None` if the component does not fit into a slot.
    pub(super) fn link(
        &self,
        component: &Component,
        imports_wasi: bool,
    ) -> Option<PluginPre<GuestState>> {
        let code = component.serialize().ok()?;
        #[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
        // SAFETY: the code is that of a component in this process.
        let component = unsafe { Component::deserialize(&self.runtime.engine, code) }.ok()?;
        let linker = self.runtime.linker(imports_wasi).ok()?;
        linker.instantiate_pre(&component).and_then(PluginPre::new).ok()
    }
}

/// Returns the limits of a pool whose slots all fit a component of the maximum size.
fn limits(slots: u32) -> PoolingAllocationConfig {
    let mut limits = PoolingAllocationConfig::new();
    let instances = u32::try_from(MAX_INSTANCES).unwrap_or(u32::MAX);
    limits
        .total_component_instances(slots)
        .total_stacks(slots)
        .total_core_instances(slots.saturating_mul(instances))
        .max_core_instances_per_component(instances)
        .total_memories(slots * MAX_MEMORIES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .total_tables(slots * MAX_TABLES)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_unused_warm_slots(slots * MAX_MEMORIES);
    // Without the scan for changed pages (Linux 6.7), each run would overwrite all these bytes.
    if PoolingAllocationConfig::is_pagemap_scan_available() {
        limits
            .pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_RESIDENT)
            .table_keep_resident(KEEP_RESIDENT);
    }
    limits
}
