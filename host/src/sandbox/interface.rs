//! Reads and checks the imports and exports of a component, without compiling it.
//!
//! Compiling a component with a language runtime takes seconds. Most components that this host
//! rejects can be recognised by a name in the file, so [`Interface::check`] runs first.

use wasmparser::{
    BinaryReaderError, CanonicalFunction, CanonicalOption, Encoding, Parser, Payload,
};

use super::load::LoadError;

/// The interface that a plugin must export, without the version.
pub(super) const OPERATIONS: &str = "ophost:plugin/operations@";
/// Prefix of the interfaces of the contract.
pub(super) const CONTRACT_PACKAGE: &str = "ophost:plugin/";
/// The interface of the contract that has only types.
pub(super) const TYPES: &str = "types";
/// Prefix of the contract versions that this host supports.
pub(crate) const CONTRACT: &str = "0.1.";
/// The newest contract version that this host supports.
pub(crate) const CONTRACT_VERSION: &str = "0.1.1";
/// The interfaces that the contract offers to plugins.
const CONTRACT_IMPORTS: [&str; 6] =
    ["context", "documents", "item-errors", "log", "progress", TYPES];
/// WASI 0.2 packages whose interfaces the host links, in addition to the contract.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
/// Package of WASI that some toolchains import by default.
pub(super) const WASI_HTTP: &str = "wasi:http/";
/// Prefix of the name of the custom section with component-type metadata.
const METADATA: &str = "component-type";

/// The imports and exports of a component, as named in the file.
#[derive(Debug, Default)]
pub(super) struct Interface {
    imports: Vec<String>,
    exports: Vec<String>,
    /// Whether a function, here or in a nested component, uses component-model async.
    is_async: bool,
}

impl Interface {
    /// Reads a component. Takes a few milliseconds for a file of 20 MB.
    ///
    /// # Errors
    ///
    /// Returns the error of the parser if the bytes are malformed. Bytes that are accepted can still
    /// be invalid.
    pub(super) fn read(component: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut interface = Self::default();
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(imports) if depth == 1 => {
                    for import in imports {
                        interface.imports.push(import?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 1 => {
                    for export in exports {
                        interface.exports.push(export?.name.name.to_owned());
                    }
                }
                Payload::ComponentCanonicalSection(functions) => {
                    for function in functions {
                        interface.is_async |= is_async(&function?);
                    }
                }
                _ => {}
            }
        }
        Ok(interface)
    }

    /// Checks that the component is a plugin for this host, as far as its names show.
    ///
    /// # Errors
    ///
    /// - Returns [`LoadError::NotAPlugin`] if it does not export the interface of plugins.
    /// - Returns [`LoadError::OtherContract`] or [`LoadError::NewerContract`] if it was built for
    ///   another version of the contract.
    /// - Returns [`LoadError::UnknownImport`] if it imports another interface than those of the
    ///   contract and of WASI 0.2.
    /// - Returns [`LoadError::Async`] if it uses component-model async.
    pub(super) fn check(self) -> Result<(), LoadError> {
        let mut versions = self.exports.iter().filter_map(|name| name.strip_prefix(OPERATIONS));
        match versions.next() {
            Some(version) => check_version(version)?,
            None => return Err(LoadError::NotAPlugin(self.exports)),
        }
        self.imports.iter().try_for_each(|name| check_import(name))?;
        if self.is_async { Err(LoadError::Async) } else { Ok(()) }
    }
}

/// Returns whether the function exists only in component-model async.
fn is_async(function: &CanonicalFunction) -> bool {
    match function {
        CanonicalFunction::Lift { options, .. } | CanonicalFunction::Lower { options, .. } => {
            options.iter().any(|option| {
                matches!(option, CanonicalOption::Async | CanonicalOption::Callback(_))
            })
        }
        CanonicalFunction::ResourceNew { .. }
        | CanonicalFunction::ResourceDrop { .. }
        | CanonicalFunction::ResourceRep { .. } => false,
        _ => true,
    }
}

fn check_import(name: &str) -> Result<(), LoadError> {
    let unknown = || LoadError::UnknownImport(name.to_owned());
    match name.strip_prefix(CONTRACT_PACKAGE) {
        Some(rest) => {
            let (interface, version) = rest.split_once('@').unwrap_or((rest, ""));
            check_version(version)?;
            CONTRACT_IMPORTS.contains(&interface).then_some(()).ok_or_else(unknown)
        }
        None if imports_wasi(name) => Ok(()),
        None => Err(unknown()),
    }
}

/// Returns whether an import is an interface of WASI that the host links.
pub(super) fn imports_wasi(name: &str) -> bool {
    WASI_PACKAGES.iter().any(|package| name.starts_with(package))
}

/// Checks that this host supports a version of the contract.
fn check_version(version: &str) -> Result<(), LoadError> {
    let Some(patch) = version.strip_prefix(CONTRACT) else {
        return Err(LoadError::OtherContract(version.to_owned()));
    };
    let newest = CONTRACT_VERSION.strip_prefix(CONTRACT).and_then(|patch| patch.parse().ok());
    if patch.parse::<u64>().ok() > newest {
        return Err(LoadError::NewerContract(version.to_owned()));
    }
    Ok(())
}

/// Returns whether a core module carries component-type metadata.
///
/// # Errors
///
/// Returns the error of the parser if the bytes are malformed.
pub(super) fn has_metadata(module: &[u8]) -> Result<bool, BinaryReaderError> {
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CustomSection(section) if section.name().starts_with(METADATA) => {
                return Ok(true);
            }
            Payload::Version { encoding: Encoding::Component, .. } => return Ok(false),
            _ => {}
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn constants_are_those_of_the_contract() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let types = fs::read_to_string(wit.join("types.wit")).unwrap();
        let world = fs::read_to_string(wit.join("world.wit")).unwrap();
        assert!(
            format!("{types}{world}")
                .contains(&format!("package ophost:plugin@{CONTRACT_VERSION};"))
        );
        let imports = world.lines().filter_map(|line| line.trim().strip_prefix("import "));
        let imports: BTreeSet<_> = imports.map(|name| name.trim_end_matches(';')).collect();
        let known: BTreeSet<_> =
            CONTRACT_IMPORTS.into_iter().filter(|name| *name != TYPES).collect();
        assert_eq!(imports, known);
    }

    #[test]
    fn version_is_compared_as_a_number() {
        assert_eq!(check_version("0.1.0"), Ok(()));
        assert_eq!(check_version(CONTRACT_VERSION), Ok(()));
        assert_eq!(check_version("0.1.10"), Err(LoadError::NewerContract("0.1.10".to_owned())));
        assert_eq!(check_version("0.2.0"), Err(LoadError::OtherContract("0.2.0".to_owned())));
        assert_eq!(check_version(""), Err(LoadError::OtherContract(String::new())));
    }
}
