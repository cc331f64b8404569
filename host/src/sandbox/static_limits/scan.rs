//! Reads the sections of a file and adds up the costs of its modules and components.

use wasmparser::{
    ComponentAlias, ComponentExport, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ElementItems, ElementSectionReader, Encoding, ImportSectionReader,
    Instance, Payload, SectionLimited, TypeRef,
};

use super::super::limiter::MAX_TABLE_ELEMENTS;
use super::cost::{Cost, host_overhead};
use super::{LimitExceeded, at_most};

/// Maximum number of core modules in a file.
const MAX_MODULES: u64 = 64;
/// Maximum number of components in a file, nested ones included.
const MAX_COMPONENTS: u64 = 256;
/// Maximum number of functions in a file. A language runtime has some 10,000.
const MAX_FUNCTIONS: u64 = 250_000;
/// Maximum number of imports and exports of the core modules in a file.
const MAX_CORE_NAMES: u64 = 100_000;
/// Maximum number of table elements in a file. A JavaScript engine has 8,000.
const MAX_ELEMENTS: u64 = MAX_TABLE_ELEMENTS as u64;
/// Maximum nesting depth of components, including the outermost component and core modules.
const MAX_DEPTH: usize = 8;

/// A module or component whose sections are being read.
struct Level {
    encoding: Encoding,
    cost: Cost,
    /// Costs of the modules that can be instantiated, by index.
    modules: Vec<Cost>,
    /// Costs of the components that can be instantiated, by index.
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

    /// Adds the cost of an instance. An index out of range has no cost: the file is invalid, and
    /// the compiler will reject it.
    fn instantiate(&mut self, cost: Option<Cost>) -> Result<(), LimitExceeded> {
        self.cost.add(&cost.unwrap_or_default());
        self.cost.check()
    }

    /// Adds an export, which gives the exported module or component a second index.
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

/// Counts of a file, and the modules and components that are being read.
#[derive(Default)]
pub(super) struct Scan {
    /// The nested modules and components, the outermost first.
    levels: Vec<Level>,
    modules: u64,
    components: u64,
    functions: u64,
    names: u64,
    elements: u64,
}

impl Scan {
    /// Adds a part of the file.
    ///
    /// # Errors
    ///
    /// Returns [`LimitExceeded`] if a limit is exceeded or the part cannot be parsed.
    pub(super) fn add(&mut self, payload: Payload<'_>) -> Result<(), LimitExceeded> {
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
                cost.add_bytes(functions.count().into(), host_overhead::FUNCTION);
            }
            // The code section repeats the count, and only the compiler compares the two.
            Payload::CodeSectionStart { count, .. } => {
                at_most(count.into(), MAX_FUNCTIONS, "functions")?;
            }
            Payload::TableSection(tables) => {
                cost.add_tables(tables.count());
            }
            Payload::MemorySection(memories) => {
                cost.add_memories(memories.count());
            }
            Payload::TagSection(tags) => cost.add_bytes(tags.count().into(), host_overhead::TAG),
            Payload::GlobalSection(globals) => {
                cost.add_bytes(globals.count().into(), host_overhead::GLOBAL)
            }
            Payload::ElementSection(elements) => self.add_elements(cost, elements)?,
            Payload::DataSection(segments) => {
                cost.add_bytes(segments.count().into(), host_overhead::SEGMENT)
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
                    // An imported function has a function reference too.
                    cost.add_bytes(1, host_overhead::FUNCTION_IMPORT + host_overhead::FUNCTION);
                }
                TypeRef::Table(_) | TypeRef::Memory(_) | TypeRef::Global(_) | TypeRef::Tag(_) => {
                    cost.add_bytes(1, host_overhead::OTHER_IMPORT);
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
            // An empty segment needs memory too, so the segment itself counts as one element.
            self.elements += 1 + u64::from(count);
            at_most(self.elements, MAX_ELEMENTS, "table elements")?;
            cost.add_bytes(1, host_overhead::SEGMENT);
            cost.add_bytes(count.into(), host_overhead::ELEMENT);
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
                level.cost.add_definitions(aliases.count())?;
                for alias in aliases {
                    self.add_alias(level, &alias?)?;
                }
            }
            Payload::ComponentImportSection(imports) => {
                level.cost.add_definitions(imports.count())?;
                for import in imports {
                    reject_value(import?.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                level.cost.add_definitions(exports.count())?;
                for export in exports {
                    level.export(&export?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                level.cost.add_definitions(functions.count())?;
            }
            Payload::ComponentTypeSection(types) => level.cost.add_definitions(types.count())?,
            Payload::CoreTypeSection(types) => level.cost.add_definitions(types.count())?,
            _ => {}
        }
        Ok(())
    }

    /// Adds an alias, which gives a module or component a second index.
    fn add_alias(
        &self,
        level: &mut Level,
        alias: &ComponentAlias<'_>,
    ) -> Result<(), LimitExceeded> {
        match alias {
            ComponentAlias::InstanceExport { kind, .. } => reject_value(*kind),
            ComponentAlias::CoreInstanceExport { .. } => Ok(()),
            ComponentAlias::Outer { kind, count, index } => {
                let index = *index as usize;
                let outer_level = self.levels.iter().rev().nth((*count as usize).wrapping_sub(1));
                match kind {
                    ComponentOuterAliasKind::CoreModule => {
                        let source = outer_level.map_or(&level.modules, |outer| &outer.modules);
                        level.modules.extend(source.get(index).copied());
                    }
                    ComponentOuterAliasKind::Component => {
                        let source =
                            outer_level.map_or(&level.components, |outer| &outer.components);
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
                level.cost.add_definitions(length(&args))?;
                level.instantiate(level.modules.get(module_index as usize).copied())?;
            }
            Instance::FromExports(exports) => {
                level.cost.add_definitions(length(&exports).saturating_add(1))?
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
                level.cost.add_definitions(length(&args))?;
                level.instantiate(level.components.get(component_index as usize).copied())?;
            }
            ComponentInstance::FromExports(exports) => {
                level.cost.add_definitions(length(&exports).saturating_add(1))?
            }
        }
    }
    Ok(())
}

fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Rejects modules and components that are imported, or exported by an instance. Their cost cannot
/// be derived from the structure of the file.
fn reject_value(kind: ComponentExternalKind) -> Result<(), LimitExceeded> {
    match kind {
        ComponentExternalKind::Module => Err(LimitExceeded::PassedAsValue("module")),
        ComponentExternalKind::Component => Err(LimitExceeded::PassedAsValue("component")),
        ComponentExternalKind::Func
        | ComponentExternalKind::Value
        | ComponentExternalKind::Type
        | ComponentExternalKind::Instance => Ok(()),
    }
}
