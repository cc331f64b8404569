//! From a file's bytes to a guest that is ready to run.

use std::borrow::Cow;

use wasi_preview1_component_adapter_provider as adapter;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::bindings::PluginPre;
use super::engine::Sandbox;
use super::imports::RunState;

/// The interface that makes a component a plugin, up to its version's last number.
const OPERATIONS: &str = "ophost:plugin/operations@";
/// The versions of the contract that this host runs.
pub(crate) const CONTRACT: &str = "0.1.";
/// What the host can link, besides the contract: the interfaces of these WASI 0.2 packages.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// A component that was compiled, linked and type-checked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guest {
    pre: PluginPre<RunState>,
    imports_wasi: bool,
}

impl Guest {
    /// Returns what makes fresh instances.
    pub(super) fn pre(&self) -> &PluginPre<RunState> {
        &self.pre
    }

    /// Returns whether the guest has to be given WASI's state.
    pub(super) fn imports_wasi(&self) -> bool {
        self.imports_wasi
    }
}

impl Sandbox {
    /// Compiles a component, or a core module that can be made one, and links it.
    ///
    /// Compiling takes 50 to 120 ms for a small Rust guest, seconds for a language with a
    /// runtime of its own, and cannot be interrupted.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the bytes are not a plugin for this host.
    pub(crate) fn load(&self, bytes: &[u8]) -> Result<Guest, LoadError> {
        let bytes = componentize(bytes)?;
        let component = Component::from_binary(&self.engine, &bytes)
            .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
        self.check_exports(&component)?;
        let imports_wasi = self.check_imports(&component)?;
        let linker = if imports_wasi { &self.wasi_linker } else { &self.linker };
        let pre = linker
            .instantiate_pre(&component)
            .and_then(PluginPre::new)
            .map_err(|error| LoadError::Mismatch(format!("{error:#}")))?;
        Ok(Guest { pre, imports_wasi })
    }

    fn check_exports(&self, component: &Component) -> Result<(), LoadError> {
        let kind = component.component_type();
        let names: Vec<_> = kind.exports(&self.engine).map(|(name, _)| name.to_owned()).collect();
        match names.iter().find_map(|name| name.strip_prefix(OPERATIONS)) {
            Some(version) if version.starts_with(CONTRACT) => Ok(()),
            Some(version) => Err(LoadError::OtherContract(version.to_owned())),
            None => Err(LoadError::NotAPlugin(names)),
        }
    }

    /// Checks that every import is one we know, and returns whether WASI is among them.
    fn check_imports(&self, component: &Component) -> Result<bool, LoadError> {
        let mut imports_wasi = false;
        for (name, _) in component.component_type().imports(&self.engine) {
            if WASI_PACKAGES.iter().any(|package| name.starts_with(package)) {
                imports_wasi = true;
            } else if !name.starts_with("ophost:plugin/") {
                return Err(LoadError::UnknownImport(name.to_owned()));
            }
        }
        Ok(imports_wasi)
    }
}

/// Returns a component: the bytes themselves, or what a core module that carries
/// component-type metadata describes. A module of WASI preview 1 gets the adapter.
///
/// # Errors
///
/// Returns [`LoadError::NotWasm`] for anything else, [`LoadError::Invalid`] for a module
/// that its own metadata does not fit.
pub(crate) fn componentize(bytes: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if bytes.starts_with(COMPONENT) {
        return Ok(Cow::Borrowed(bytes));
    }
    if !bytes.starts_with(MODULE) {
        return Err(LoadError::NotWasm);
    }
    encode(bytes).map(Cow::Owned).map_err(|error| LoadError::Invalid(format!("{error:#}")))
}

fn encode(module: &[u8]) -> Result<Vec<u8>, impl std::fmt::Display + use<>> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)?
        .adapter(
            adapter::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
            adapter::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
        )?
        .encode()
}

/// Bytes that are not a plugin for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoadError {
    /// Neither a component nor a core module.
    #[error("not a WebAssembly file")]
    NotWasm,
    /// Broken, or using what this host leaves off.
    #[error("not a component that this host can run: {0}")]
    Invalid(String),
    /// A component of something else.
    #[error("not a plugin: it does not export `{OPERATIONS}{CONTRACT}x`; {}", exports_text(.0))]
    NotAPlugin(Vec<String>),
    /// A plugin for a host that is older or newer.
    #[error("built for version {0} of the contract; this host runs {CONTRACT}x")]
    OtherContract(String),
    /// It wants something that this host does not have.
    #[error("it imports `{0}`, which this host does not offer")]
    UnknownImport(String),
    /// A known name with another type.
    #[error("it does not fit the contract: {0}")]
    Mismatch(String),
}

fn exports_text(exports: &[String]) -> String {
    match exports {
        [] => "it exports nothing".to_owned(),
        some => format!("it exports `{}`", some.join("`, `")),
    }
}
