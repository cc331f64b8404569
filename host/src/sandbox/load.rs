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
use super::interface::{
    self, CONTRACT, CONTRACT_PACKAGE, CONTRACT_VERSION, OPERATIONS, TYPES, WASI_HTTP,
};
use super::pool::Pool;
use super::static_limits::{self, LimitExceeded};
use crate::model::digest::Digest;
use crate::model::limits::ExceededBudget;
use crate::util::os_error::Shortage;
use ophost_document::text;

/// A component that was compiled, linked and type-checked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The engine of the component.
    runtime: Arc<Runtime>,
    component: Component,
    /// Version of the contract that the component was built for.
    contract: Arc<str>,
    /// The names of the imported interfaces.
    imports: Arc<[String]>,
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

    /// Returns the version of the contract that the component was built for.
    pub(crate) fn contract(&self) -> &str {
        &self.contract
    }

    /// Returns the names of the imported interfaces, with their versions.
    pub(crate) fn imports(&self) -> &[String] {
        &self.imports
    }

    /// Returns the capabilities of the guest: interfaces of the contract, and WASI packages that
    /// give access to something.
    pub(crate) fn capabilities(&self) -> &[String] {
        &self.capabilities
    }

    /// Returns the size of the compiled code, in bytes.
    pub(crate) fn code_size(&self) -> u64 {
        let range = self.component.image_range();
        (range.end as u64).saturating_sub(range.start as u64)
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
    /// Links a component whose names have been checked.
    fn link(&self, component: Component) -> Result<Guest, LoadError> {
        let kind = component.component_type();
        let imports: Arc<[_]> =
            kind.imports(&self.runtime.engine).map(|(name, _)| name.to_owned()).collect();
        let mut exports = kind.exports(&self.runtime.engine);
        let contract = exports.find_map(|(name, _)| name.strip_prefix(OPERATIONS));
        let contract = Arc::from(contract.unwrap_or_default());
        let imports_wasi = imports.iter().any(|name| interface::imports_wasi(name));
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
        let capabilities: BTreeSet<_> =
            imports.iter().filter_map(|name| capability(name)).collect();
        let capabilities = capabilities.into_iter().map(str::to_owned).collect();
        let (runtime, pooled) = (Arc::clone(&self.runtime), Arc::default());
        Ok(Guest { runtime, component, contract, imports, pre, pooled, imports_wasi, capabilities })
    }
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
/// - Returns [`LoadError::NoMetadata`] if a core module has no component-type metadata.
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
    if !interface::has_metadata(bytes).unwrap_or(true) {
        return Err(LoadError::NoMetadata);
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
    /// The core module does not say which component it stands for.
    #[error(
        "a core module without component-type metadata; add it with `wasm-tools component embed` \
         and the contract that `ophost wit` writes"
    )]
    NoMetadata,
    /// The component does not export the interface of plugins.
    #[error("not a plugin: does not export `{OPERATIONS}{CONTRACT}x`; {}", exports_text(.0))]
    NotAPlugin(Vec<String>),
    /// The plugin uses a contract version that this host does not support.
    #[error("built for contract version {}; this host supports {CONTRACT}x", text::quote(.0))]
    OtherContract(String),
    /// The plugin uses a newer version of a contract that this host supports.
    #[error(
        "built for contract version {}, but this host has {CONTRACT_VERSION}; update `ophost`, or \
         build with the contract that `ophost wit` writes",
        text::quote(.0)
    )]
    NewerContract(String),
    /// The component imports an interface that this host does not provide.
    #[error("imports `{}`, which this host does not provide{}", text::quote(.0), import_hint(.0))]
    UnknownImport(String),
    /// The component uses component-model async.
    #[error(
        "uses asynchronous functions of the component model, which this host does not support; \
         build it with synchronous functions (`componentize-qjs --sync`, \
         `jco componentize --backend-qjs-disable-async`)"
    )]
    Async,
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

/// Returns what the author can do about an import that this host does not provide.
fn import_hint(import: &str) -> &'static str {
    match import {
        _ if import.starts_with(CONTRACT_PACKAGE) => {
            "; `ophost wit` prints the interfaces of the contract"
        }
        _ if import.starts_with(WASI_HTTP) => {
            "; `jco componentize` and `componentize-js` leave it out with \
             `--disable http --disable fetch-event`"
        }
        _ => "",
    }
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
