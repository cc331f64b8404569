//! What a component would make the host hold, counted before it is compiled.
//!
//! A run's memory limit counts what a guest sees: linear memory. For every core instance
//! the host also keeps a record of all its functions, globals and segments, and a component
//! of a few megabytes can ask for a hundred instances of a module of a million globals.
//! Nothing bounds that while it runs, so it is added up here, and refused.
//!
//! A component may be instantiated many times, by components that are instantiated many
//! times: the sums are over everything that one run makes, not over what the file holds.

use bytesize::ByteSize;
use wasmparser::{
    BinaryReaderError, ComponentAlias, ComponentExport, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ElementItems, ElementSectionReader, Encoding, ImportSectionReader,
    Instance, Parser, Payload, SectionLimited, TypeRef,
};

use super::limiter::{MAX_MEMORIES, MAX_TABLE_ELEMENTS, MAX_TABLES};
use ophost_document::text;

/// Core modules in a file, and nested components.
const MAX_MODULES: u64 = 64;
const MAX_COMPONENTS: u64 = 256;
/// Functions in a file, imports and exports of its core modules: a language's runtime has
/// some ten thousand.
const MAX_FUNCTIONS: u64 = 250_000;
const MAX_CORE_NAMES: u64 = 100_000;
/// Elements of tables that a file holds. A JavaScript engine has 8,000.
const MAX_ELEMENTS: u64 = MAX_TABLE_ELEMENTS as u64;
/// How deep components are nested, the outermost and core modules included.
const MAX_DEPTH: usize = 8;
/// Core instances that a run makes. A Python component has up to 38.
const MAX_CORE_INSTANCES: u64 = 64;
/// Component instances that a run makes.
const MAX_INSTANCES: u64 = 256;
/// What components say besides their modules (imports, exports, aliases, adapters, types),
/// once for each time that they are instantiated.
const MAX_DEFINITIONS: u64 = 20_000;
/// Bytes that the host holds for the instances of a run, by this module's estimate. A
/// language's runtime needs two or three mebibytes.
const MAX_HOST_BYTES: u64 = 16 << 20;

/// What the host holds for one of each, in bytes; see `VMOffsets` in wasmtime-environ. An
/// import is there a second time while the instance is made.
mod host_overhead {
    /// The instance itself, and its share of what the store keeps.
    pub(super) const INSTANCE: u64 = 1 << 10;
    /// A reference for whoever calls it from outside its module.
    pub(super) const FUNCTION: u64 = 32;
    pub(super) const FUNCTION_IMPORT: u64 = 2 * 32;
    pub(super) const OTHER_IMPORT: u64 = 2 * 24;
    pub(super) const GLOBAL: u64 = 16;
    pub(super) const TAG: u64 = 4;
    pub(super) const MEMORY: u64 = 512;
    pub(super) const TABLE: u64 = 256;
    /// Of a passive segment. What other segments hold goes to tables, which are counted as
    /// they grow: here it is counted all the same.
    pub(super) const ELEMENT: u64 = 16;
    pub(super) const SEGMENT: u64 = 32;
    /// The most that anything a component defines takes: an adapter with its reference.
    pub(super) const DEFINITION: u64 = 256;
}

/// Refuses a module or component that would make the host hold too much.
///
/// Takes a few milliseconds for a file of a few megabytes, whatever is in it.
///
/// # Errors
///
/// Returns the first [`LimitExceeded`], or [`LimitExceeded::Broken`] if the bytes cannot be read.
pub(super) fn check(bytes: &[u8]) -> Result<(), LimitExceeded> {
    let mut scan = Scan::default();
    for payload in Parser::new(0).parse_all(bytes) {
        scan.add(payload?)?;
    }
    Ok(())
}

/// What instantiating something once makes.
#[derive(Clone, Copy, Default)]
struct Cost {
    core_instances: u64,
    instances: u64,
    memories: u64,
    tables: u64,
    definitions: u64,
    held: u64,
}

impl Cost {
    fn of_module() -> Self {
        Self { core_instances: 1, held: host_overhead::INSTANCE, ..Self::default() }
    }

    fn of_component() -> Self {
        Self { instances: 1, held: host_overhead::INSTANCE, ..Self::default() }
    }

    fn hold(&mut self, count: u64, each: u64) {
        self.held = self.held.saturating_add(count.saturating_mul(each));
    }

    fn define(&mut self, count: u32) -> Result<(), LimitExceeded> {
        self.definitions = self.definitions.saturating_add(count.into());
        self.hold(count.into(), host_overhead::DEFINITION);
        self.check()
    }

    fn add(&mut self, other: &Self) {
        let sum = |a: u64, b: u64| a.saturating_add(b);
        self.core_instances = sum(self.core_instances, other.core_instances);
        self.instances = sum(self.instances, other.instances);
        self.memories = sum(self.memories, other.memories);
        self.tables = sum(self.tables, other.tables);
        self.definitions = sum(self.definitions, other.definitions);
        self.held = sum(self.held, other.held);
    }

    fn check(&self) -> Result<(), LimitExceeded> {
        at_most(self.core_instances, MAX_CORE_INSTANCES, "core instances")?;
        at_most(self.instances, MAX_INSTANCES, "component instances")?;
        at_most(self.memories, MAX_MEMORIES as u64, "memories")?;
        at_most(self.tables, MAX_TABLES as u64, "tables")?;
        at_most(self.definitions, MAX_DEFINITIONS, "definitions")?;
        if self.held > MAX_HOST_BYTES { Err(LimitExceeded::Held) } else { Ok(()) }
    }
}

/// A module or component that is being read.
struct Level {
    encoding: Encoding,
    cost: Cost,
    /// What can be instantiated here, by index.
    modules: Vec<Cost>,
    components: Vec<Cost>,
}

impl Level {
    fn new(encoding: Encoding) -> Self {
        let cost = match encoding {
            Encoding::Module => Cost::of_module(),
            Encoding::Component => Cost::of_component(),
        };
        Self { encoding, cost, modules: Vec::new(), components: Vec::new() }
    }

    /// Adds what an instance of a module or component makes. An index that is not there
    /// makes the file invalid, as the compiler will say.
    fn instantiate(&mut self, what: Option<Cost>) -> Result<(), LimitExceeded> {
        self.cost.add(&what.unwrap_or_default());
        self.cost.check()
    }

    /// An export has a name of its own for what it exports.
    fn export(&mut self, export: &ComponentExport<'_>) {
        let index = export.index as usize;
        match export.kind {
            ComponentExternalKind::Module => self.modules.extend(self.modules.get(index).copied()),
            ComponentExternalKind::Component => {
                self.components.extend(self.components.get(index).copied());
            }
            ComponentExternalKind::Func
            | ComponentExternalKind::Value
            | ComponentExternalKind::Type
            | ComponentExternalKind::Instance => {}
        }
    }
}

/// What was read so far.
#[derive(Default)]
struct Scan {
    levels: Vec<Level>,
    modules: u64,
    components: u64,
    functions: u64,
    names: u64,
    elements: u64,
}

impl Scan {
    fn add(&mut self, payload: Payload<'_>) -> Result<(), LimitExceeded> {
        match payload {
            Payload::Version { encoding, .. } => self.enter(encoding),
            Payload::End(_) => {
                self.leave();
                Ok(())
            }
            payload => {
                let Some(mut level) = self.levels.pop() else { return Ok(()) };
                let added = match level.encoding {
                    Encoding::Module => self.add_to_module(&mut level.cost, payload),
                    Encoding::Component => self.add_to_component(&mut level, payload),
                };
                self.levels.push(level);
                added
            }
        }
    }

    fn enter(&mut self, encoding: Encoding) -> Result<(), LimitExceeded> {
        self.levels.push(Level::new(encoding));
        match encoding {
            Encoding::Module => self.modules += 1,
            Encoding::Component => self.components += 1,
        }
        at_most(self.modules, MAX_MODULES, "core modules")?;
        at_most(self.components, MAX_COMPONENTS, "components")?;
        at_most(self.levels.len() as u64, MAX_DEPTH as u64, "levels of components")
    }

    fn leave(&mut self) {
        let Some(inner) = self.levels.pop() else { return };
        let Some(outer) = self.levels.last_mut() else { return };
        match inner.encoding {
            Encoding::Module => outer.modules.push(inner.cost),
            Encoding::Component => outer.components.push(inner.cost),
        }
    }

    fn add_to_module(
        &mut self,
        cost: &mut Cost,
        payload: Payload<'_>,
    ) -> Result<(), LimitExceeded> {
        match payload {
            Payload::ImportSection(imports) => self.add_imports(cost, imports)?,
            Payload::ExportSection(exports) => self.add_names(exports.count())?,
            Payload::FunctionSection(functions) => {
                self.add_functions(functions.count())?;
                cost.hold(functions.count().into(), host_overhead::FUNCTION);
            }
            // The count stands there twice, and only the compiler looks whether it is the same.
            Payload::CodeSectionStart { count, .. } => {
                at_most(count.into(), MAX_FUNCTIONS, "functions")?;
            }
            Payload::TableSection(tables) => {
                cost.tables += u64::from(tables.count());
                cost.hold(tables.count().into(), host_overhead::TABLE);
            }
            Payload::MemorySection(memories) => {
                cost.memories += u64::from(memories.count());
                cost.hold(memories.count().into(), host_overhead::MEMORY);
            }
            Payload::TagSection(tags) => cost.hold(tags.count().into(), host_overhead::TAG),
            Payload::GlobalSection(globals) => {
                cost.hold(globals.count().into(), host_overhead::GLOBAL)
            }
            Payload::ElementSection(elements) => self.add_elements(cost, elements)?,
            Payload::DataSection(segments) => {
                cost.hold(segments.count().into(), host_overhead::SEGMENT)
            }
            _ => {}
        }
        cost.check()
    }

    fn add_functions(&mut self, count: u32) -> Result<(), LimitExceeded> {
        self.functions += u64::from(count);
        at_most(self.functions, MAX_FUNCTIONS, "functions")
    }

    fn add_names(&mut self, count: u32) -> Result<(), LimitExceeded> {
        self.names += u64::from(count);
        at_most(self.names, MAX_CORE_NAMES, "imports and exports of core modules")
    }

    fn add_imports(
        &mut self,
        cost: &mut Cost,
        imports: ImportSectionReader<'_>,
    ) -> Result<(), LimitExceeded> {
        for import in imports.into_imports() {
            self.add_names(1)?;
            match import?.ty {
                TypeRef::Func(_) | TypeRef::FuncExact(_) => {
                    // It has a reference too.
                    cost.hold(1, host_overhead::FUNCTION_IMPORT + host_overhead::FUNCTION);
                }
                TypeRef::Table(_) | TypeRef::Memory(_) | TypeRef::Global(_) | TypeRef::Tag(_) => {
                    cost.hold(1, host_overhead::OTHER_IMPORT);
                }
            }
        }
        Ok(())
    }

    fn add_elements(
        &mut self,
        cost: &mut Cost,
        segments: ElementSectionReader<'_>,
    ) -> Result<(), LimitExceeded> {
        for segment in segments {
            let count = match segment?.items {
                ElementItems::Functions(functions) => functions.count(),
                ElementItems::Expressions(_, expressions) => expressions.count(),
            };
            // A segment without elements is a line of a list too.
            self.elements += 1 + u64::from(count);
            at_most(self.elements, MAX_ELEMENTS, "table elements")?;
            cost.hold(1, host_overhead::SEGMENT);
            cost.hold(count.into(), host_overhead::ELEMENT);
        }
        Ok(())
    }

    fn add_to_component(
        &self,
        level: &mut Level,
        payload: Payload<'_>,
    ) -> Result<(), LimitExceeded> {
        match payload {
            Payload::InstanceSection(instances) => add_core_instances(level, instances)?,
            Payload::ComponentInstanceSection(instances) => add_instances(level, instances)?,
            Payload::ComponentAliasSection(aliases) => {
                level.cost.define(aliases.count())?;
                for alias in aliases {
                    self.add_alias(level, &alias?)?;
                }
            }
            Payload::ComponentImportSection(imports) => {
                level.cost.define(imports.count())?;
                for import in imports {
                    refuse_unknown(import?.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                level.cost.define(exports.count())?;
                for export in exports {
                    level.export(&export?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                level.cost.define(functions.count())?;
            }
            Payload::ComponentTypeSection(types) => level.cost.define(types.count())?,
            Payload::CoreTypeSection(types) => level.cost.define(types.count())?,
            _ => {}
        }
        Ok(())
    }

    /// An alias has an index of its own for what it means.
    fn add_alias(
        &self,
        level: &mut Level,
        alias: &ComponentAlias<'_>,
    ) -> Result<(), LimitExceeded> {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => refuse_unknown(*kind),
            ComponentAlias::CoreInstanceExport { .. } => Ok(()),
            ComponentAlias::Outer { kind, count, index } => {
                let index = *index as usize;
                let outward = self.levels.iter().rev().nth((*count as usize).wrapping_sub(1));
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let source = outward.map_or(&level.modules, |outer| &outer.modules);
                        level.modules.extend(source.get(index).copied());
                    }
                    ComponentOuterAliasKind::Component => {
                        let source = outward.map_or(&level.components, |outer| &outer.components);
                        level.components.extend(source.get(index).copied());
                    }
                    ComponentOuterAliasKind::CoreType | ComponentOuterAliasKind::Type => {}
                }
                Ok(())
            }
        }
    }
}

fn add_core_instances(
    level: &mut Level,
    instances: SectionLimited<'_, Instance<'_>>,
) -> Result<(), LimitExceeded> {
    for instance in instances {
        match instance? {
            Instance::Instantiate { module_index, args } => {
                level.cost.define(length(&args))?;
                level.instantiate(level.modules.get(module_index as usize).copied())?;
            }
            Instance::FromExports(exports) => {
                level.cost.define(length(&exports).saturating_add(1))?
            }
        }
    }
    Ok(())
}

fn add_instances(
    level: &mut Level,
    instances: SectionLimited<'_, ComponentInstance<'_>>,
) -> Result<(), LimitExceeded> {
    for instance in instances {
        match instance? {
            ComponentInstance::Instantiate { component_index, args } => {
                level.cost.define(length(&args))?;
                level.instantiate(level.components.get(component_index as usize).copied())?;
            }
            ComponentInstance::FromExports(exports) => {
                level.cost.define(length(&exports).saturating_add(1))?
            }
        }
    }
    Ok(())
}

fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Modules and components can be handed around like values. What an instance of such a one
/// makes cannot be known from the file's structure alone.
fn refuse_unknown(kind: ComponentExternalKind) -> Result<(), LimitExceeded> {
    match kind {
        ComponentExternalKind::Module => Err(LimitExceeded::HandedAround("module")),
        ComponentExternalKind::Component => Err(LimitExceeded::HandedAround("component")),
        ComponentExternalKind::Func
        | ComponentExternalKind::Value
        | ComponentExternalKind::Type
        | ComponentExternalKind::Instance => Ok(()),
    }
}

fn at_most(count: u64, bound: u64, what: &'static str) -> Result<(), LimitExceeded> {
    if count > bound { Err(LimitExceeded::TooMany { what, bound }) } else { Ok(()) }
}

/// Why a component is not even compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LimitExceeded {
    /// More of something than a run may make, or than a file may hold.
    #[error("it has more than {bound} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The bound.
        bound: u64,
    },
    /// Many small things that are too much together.
    #[error("a run of it needs more than {} outside its memory", ByteSize(MAX_HOST_BYTES))]
    Held,
    /// A module or component that comes from an import or out of an instance.
    #[error("it hands a {0} around as a value, which this host does not run")]
    HandedAround(&'static str),
    /// Not WebAssembly as it should be.
    #[error("not a component that this host can run: {}", text::single_line(.0))]
    Broken(String),
}

impl From<BinaryReaderError> for LimitExceeded {
    fn from(error: BinaryReaderError) -> Self {
        Self::Broken(error.to_string())
    }
}
