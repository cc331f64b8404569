//! Compiles, links and type-checks a component.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use wasi_preview1_component_adapter_provider as adapter;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::bindings::PluginPre;
use super::engine::{CodeEngine, Runtime, Sandbox, SandboxError};
use super::failure;
use super::imports::GuestState;
use super::pool::Pool;
use super::static_limits::{self, LimitExceeded};
use crate::model::digest::Digest;
use crate::model::limits::ExceededBudget;
use crate::util::os_error::Shortage;
use ophost_document::text;

/// The interface that a plugin must export, without the version.
const OPERATIONS: &str = "ophost:plugin/operations@";
/// Prefix of the interfaces of the contract.
const CONTRACT_PACKAGE: &str = "ophost:plugin/";
/// The interface of the contract that has only types.
const TYPES: &str = "types";
/// Prefix of the contract versions that this host supports.
pub(crate) const CONTRACT: &str = "0.1.";
/// WASI 0.2 packages whose interfaces the host links, in addition to the contract.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// A component that was compiled, linked and type-checked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The engine of the component.
    runtime: Arc<Runtime>,
    component: Component,
    pre: PluginPre<GuestState>,
    /// The component in the engine of the pool; `None` if it does not fit into a slot.
    pooled: Arc<OnceLock<Option<PluginPre<GuestState>>>>,
    imports_wasi: bool,
    capabilities: Arc<[String]>,
}

impl Guest {
    /// Returns the engine that allocates instances on demand.
    pub(super) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Returns the linked component, from which instances are created.
    pub(super) fn pre(&self) -> &PluginPre<GuestState> {
        &self.pre
    }

    /// Returns the linked component of a pool; `None` if the component does not fit into a slot.
    /// The first call copies the code.
    pub(super) fn pooled(&self, pool: &Pool) -> Option<&PluginPre<GuestState>> {
        self.pooled.get_or_init(|| pool.link(&self.component, self.imports_wasi)).as_ref()
    }

    /// Returns the capabilities of the guest: interfaces of the contract, and WASI packages that
    /// give access to something.
    pub(crate) fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Returns whether the guest needs the WASI state.
    pub(super) fn imports_wasi(&self) -> bool {
        self.imports_wasi
    }
}

impl Sandbox {
    /// Compiles a component, or a core module that can be converted to one, and links it. Uses the
    /// code cache.
    ///
    /// Compiling takes 50 to 120 ms for a small Rust guest, and seconds for a language with its own
    /// runtime.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the bytes are not a plugin for this host, or cannot be compiled.
    pub(crate) async fn load(&self, digest: &Digest, bytes: &[u8]) -> Result<Guest, LoadError> {
        if let Some(guest) = self.load_cached(digest)? {
            return Ok(guest);
        }
        let (engine, code) = self.compile(bytes).await?;
        #[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
        // SAFETY: this engine or a child process of this program has just compiled the code.
        let component = unsafe { Component::deserialize(&engine.runtime.engine, &code) };
        let component = component.map_err(|error| match failure::shortage(&error) {
            Some(shortage) => LoadError::Shortage(shortage),
            None => LoadError::Compiler(format!("{error:#}")),
        })?;
        let guest = engine.link(component)?;
        if let Some(cache) = &engine.cache {
            // The cache is only an optimisation, so a failed write is ignored.
            cache.put(digest, &code).ok();
        }
        Ok(guest)
    }

    /// Compiles a component with the configured compiler. If that compiler rejects it, Cranelift
    /// decides, because it supports more features.
    async fn compile(&self, bytes: &[u8]) -> Result<(&CodeEngine, Vec<u8>), LoadError> {
        match (self.compile_for(&self.primary, bytes).await, &self.fallback) {
            (Err(LoadError::Invalid(_) | LoadError::Rejected(_)), Some(fallback)) => {
                Ok((fallback, self.compile_for(fallback, bytes).await?))
            }
            (code, _) => Ok((&self.primary, code?)),
        }
    }

    async fn compile_for(&self, engine: &CodeEngine, bytes: &[u8]) -> Result<Vec<u8>, LoadError> {
        self.compiler.compile(&engine.runtime.engine, engine.options, bytes).await
    }

    /// Returns whether the code cache has an entry for a component. The entry may be invalid.
    pub(crate) fn is_cached(&self, digest: &Digest) -> bool {
        let mut caches = self.engines().filter_map(|engine| engine.cache.as_ref());
        caches.any(|cache| cache.has_entry(digest))
    }

    /// Links a component from the code cache. Returns `None` if the cache has no valid entry.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the component is not a plugin for this host, or if the host is out
    /// of a resource.
    pub(crate) fn load_cached(&self, digest: &Digest) -> Result<Option<Guest>, LoadError> {
        for engine in self.engines() {
            let Some(cache) = &engine.cache else { continue };
            if let Some(component) = cache.get(&engine.runtime.engine, digest)? {
                return engine.link(component).map(Some);
            }
        }
        Ok(None)
    }

    fn engines(&self) -> impl Iterator<Item = &CodeEngine> {
        [Some(&self.primary), self.fallback.as_ref()].into_iter().flatten()
    }
}

impl CodeEngine {
    /// Checks that a component is a plugin, and links it.
    fn link(&self, component: Component) -> Result<Guest, LoadError> {
        check_exports(&component)?;
        let imports_wasi = check_imports(&component)?;
        let linker = self.runtime.linker(imports_wasi).map_err(|error| match error {
            SandboxError::Shortage(shortage) => LoadError::Shortage(shortage),
            error => LoadError::Compiler(error.to_string()),
        })?;
        let pre = linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(|error| {
            match failure::shortage(&error) {
                Some(shortage) => LoadError::Shortage(shortage),
                None => LoadError::Mismatch(format!("{error:#}")),
            }
        })?;
        let kind = component.component_type();
        let capabilities: BTreeSet<_> =
            kind.imports(&self.runtime.engine).filter_map(|(name, _)| capability(name)).collect();
        let capabilities = capabilities.into_iter().map(str::to_owned).collect();
        let (runtime, pooled) = (Arc::clone(&self.runtime), Arc::default());
        Ok(Guest { runtime, component, pre, pooled, imports_wasi, capabilities })
    }
}

fn check_exports(component: &Component) -> Result<(), LoadError> {
    let kind = component.component_type();
    let names: Vec<_> = kind.exports(component.engine()).map(|(name, _)| name.to_owned()).collect();
    match names.iter().find_map(|name| name.strip_prefix(OPERATIONS)) {
        Some(version) if version.starts_with(CONTRACT) => Ok(()),
        Some(version) => Err(LoadError::OtherContract(version.to_owned())),
        None => Err(LoadError::NotAPlugin(names)),
    }
}

/// Checks that the host provides every import, and returns whether WASI is among them.
fn check_imports(component: &Component) -> Result<bool, LoadError> {
    let mut imports_wasi = false;
    for (name, _) in component.component_type().imports(component.engine()) {
        if WASI_PACKAGES.iter().any(|package| name.starts_with(package)) {
            imports_wasi = true;
        } else if !name.starts_with(CONTRACT_PACKAGE) {
            return Err(LoadError::UnknownImport(name.to_owned()));
        }
    }
    Ok(imports_wasi)
}

/// Returns the capability that an import gives. Most WASI interfaces are linked but give access to
/// nothing.
fn capability(import: &str) -> Option<&str> {
    let (interface, _) = import.split_once('@')?;
    match interface.strip_prefix(CONTRACT_PACKAGE) {
        Some(TYPES) => None,
        Some(name) => Some(name),
        None => {
            let (package, _) = interface.split_once('/')?;
            ["wasi:clocks", "wasi:random"].contains(&package).then_some(package)
        }
    }
}

/// Converts a core module with component-type metadata to a component. Returns the bytes of a
/// component unchanged.
///
/// A module that imports WASI preview 1 is linked with the adapter to WASI 0.2.
///
/// # Errors
///
/// - Returns [`LoadError::NotWasm`] if the bytes are neither a component nor a core module.
/// - Returns [`LoadError::LimitExceeded`] if a core module exceeds a static limit.
/// - Returns [`LoadError::Invalid`] if a core module does not match its metadata.
pub(crate) fn componentize(bytes: &[u8]) -> Result<Cow<'_, [u8]>, LoadError> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    if bytes.starts_with(COMPONENT) {
        return Ok(Cow::Borrowed(bytes));
    }
    if !bytes.starts_with(MODULE) {
        return Err(LoadError::NotWasm);
    }
    static_limits::check(bytes)?;
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

/// Error of loading a plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoadError {
    /// Neither a component nor a core module.
    #[error("not a WebAssembly file")]
    NotWasm,
    /// The component exceeds a static limit.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// The component is malformed, or uses features that this host does not support.
    #[error("invalid or unsupported component: {}", text::single_line(.0))]
    Invalid(String),
    /// The component does not export the interface of plugins.
    #[error("not a plugin: does not export `{OPERATIONS}{CONTRACT}x`; {}", exports_text(.0))]
    NotAPlugin(Vec<String>),
    /// The plugin uses a contract version that this host does not support.
    #[error("built for contract version {}; this host supports {CONTRACT}x", text::quote(.0))]
    OtherContract(String),
    /// The component imports an interface that this host does not provide.
    #[error("imports `{}`, which this host does not provide", text::quote(.0))]
    UnknownImport(String),
    /// An import or export has another type than in the contract.
    #[error("does not match the contract: {}", text::single_line(.0))]
    Mismatch(String),
    /// The compiler process rejected the component, with this reason.
    #[error("{0}")]
    Rejected(String),
    /// Compilation exceeds a limit of the budget. The file may be valid.
    #[error("{0}")]
    Budget(ExceededBudget),
    /// The host is out of a resource. The file may be valid.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// The compiler cannot run. The file may be valid.
    #[error("cannot compile the component: {0}")]
    Compiler(String),
}

fn exports_text(exports: &[String]) -> String {
    const MAX_SHOWN_EXPORTS: usize = 2;
    let names: Vec<_> =
        exports.iter().take(MAX_SHOWN_EXPORTS).map(|name| text::quote(name)).collect();
    match exports.len().saturating_sub(MAX_SHOWN_EXPORTS) {
        _ if names.is_empty() => "exports nothing".to_owned(),
        0 => format!("exports `{}`", names.join("`, `")),
        more => format!("exports `{}` and {more} more", names.join("`, `")),
    }
}
