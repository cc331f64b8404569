//! The items and bytes that one instantiation creates, with their maxima.

use super::super::limiter::{MAX_MEMORIES, MAX_TABLES};
use super::{LimitExceeded, at_most};

/// Maximum number of core instances that a run creates. A Python component has up to 38.
const MAX_CORE_INSTANCES: u64 = 64;
/// Maximum number of component instances that a run creates.
const MAX_INSTANCES: u64 = 256;
/// Maximum number of definitions of components (imports, exports, aliases, adapters, types). They
/// count once for each instantiation.
const MAX_DEFINITIONS: u64 = 20_000;
/// Maximum number of bytes that the host allocates for the instances of a run, as estimated here.
/// A language runtime needs 2 to 3 MiB.
pub(super) const MAX_HOST_BYTES: u64 = 16 << 20;

/// Bytes that the host allocates for one item of each kind. See `VMOffsets` in
/// `wasmtime-environ`. Imports count twice, because they are copied during instantiation.
pub(super) mod host_overhead {
    /// The instance itself and its entry in the store.
    pub(in super::super) const INSTANCE: u64 = 1 << 10;
    /// A function reference for calls from outside the module.
    pub(in super::super) const FUNCTION: u64 = 32;
    pub(in super::super) const FUNCTION_IMPORT: u64 = 2 * 32;
    pub(in super::super) const OTHER_IMPORT: u64 = 2 * 24;
    pub(in super::super) const GLOBAL: u64 = 16;
    pub(in super::super) const TAG: u64 = 4;
    pub(in super::super) const MEMORY: u64 = 512;
    pub(in super::super) const TABLE: u64 = 256;
    /// An element of a passive segment. Elements of other segments go to tables, whose growth is
    /// limited at run time, but they are counted too.
    pub(in super::super) const ELEMENT: u64 = 16;
    pub(in super::super) const SEGMENT: u64 = 32;
    /// Maximum size of a definition of a component: an adapter with its function reference.
    pub(in super::super) const DEFINITION: u64 = 256;
}

/// Items and bytes that one instantiation of a module or component creates.
#[derive(Clone, Copy, Default)]
pub(super) struct Cost {
    core_instances: u64,
    instances: u64,
    memories: u64,
    tables: u64,
    definitions: u64,
    host_bytes: u64,
}

impl Cost {
    pub(super) fn of_module() -> Self {
        Self { core_instances: 1, host_bytes: host_overhead::INSTANCE, ..Self::default() }
    }

    pub(super) fn of_component() -> Self {
        Self { instances: 1, host_bytes: host_overhead::INSTANCE, ..Self::default() }
    }

    /// Adds the bytes of `count` items with `bytes_each` bytes.
    pub(super) fn add_bytes(&mut self, count: u64, bytes_each: u64) {
        self.host_bytes = self.host_bytes.saturating_add(count.saturating_mul(bytes_each));
    }

    pub(super) fn add_memories(&mut self, count: u32) {
        self.memories += u64::from(count);
        self.add_bytes(count.into(), host_overhead::MEMORY);
    }

    pub(super) fn add_tables(&mut self, count: u32) {
        self.tables += u64::from(count);
        self.add_bytes(count.into(), host_overhead::TABLE);
    }

    /// Adds definitions of a component.
    ///
    /// # Errors
    ///
    /// Returns [`LimitExceeded`] if the sum exceeds a limit.
    pub(super) fn add_definitions(&mut self, count: u32) -> Result<(), LimitExceeded> {
        self.definitions = self.definitions.saturating_add(count.into());
        self.add_bytes(count.into(), host_overhead::DEFINITION);
        self.check()
    }

    pub(super) fn add(&mut self, other: &Self) {
        let sum = |a: u64, b: u64| a.saturating_add(b);
        self.core_instances = sum(self.core_instances, other.core_instances);
        self.instances = sum(self.instances, other.instances);
        self.memories = sum(self.memories, other.memories);
        self.tables = sum(self.tables, other.tables);
        self.definitions = sum(self.definitions, other.definitions);
        self.host_bytes = sum(self.host_bytes, other.host_bytes);
    }

    /// Checks the cost against the limits.
    ///
    /// # Errors
    ///
    /// Returns [`LimitExceeded`] for the first limit that is exceeded.
    pub(super) fn check(&self) -> Result<(), LimitExceeded> {
        at_most(self.core_instances, MAX_CORE_INSTANCES, "core instances")?;
        at_most(self.instances, MAX_INSTANCES, "component instances")?;
        at_most(self.memories, MAX_MEMORIES as u64, "memories")?;
        at_most(self.tables, MAX_TABLES as u64, "tables")?;
        at_most(self.definitions, MAX_DEFINITIONS, "definitions")?;
        if self.host_bytes > MAX_HOST_BYTES { Err(LimitExceeded::HostBytes) } else { Ok(()) }
    }
}
