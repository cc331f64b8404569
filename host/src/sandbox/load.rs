//! From a file's bytes to a guest that is ready to run.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use wasi_preview1_component_adapter_provider as adapter;
use wasmtime::component::Component;
use wit_component::ComponentEncoder;

use super::bindings::PluginPre;
use super::engine::{Sandbox, SandboxError};
use super::failure;
use super::imports::GuestState;
use super::static_limits::{self, LimitExceeded};
use crate::model::digest::Digest;
use crate::model::limits::Amount;
use crate::util::os_error::Shortage;
use ophost_document::text;

/// The interface that makes a component a plugin, up to its version's last number.
const OPERATIONS: &str = "ophost:plugin/operations@";
/// How imports of the contract begin, and the one of them that is words alone.
const CONTRACT_PACKAGE: &str = "ophost:plugin/";
const TYPES: &str = "types";
/// The versions of the contract that this host runs.
pub(crate) const CONTRACT: &str = "0.1.";
/// What the host can link, besides the contract: the interfaces of these WASI 0.2 packages.
const WASI_PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// A component that was compiled, linked and type-checked. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Guest {
    pre: PluginPre<GuestState>,
    imports_wasi: bool,
    reaches: Arc<[String]>,
}

impl Guest {
    /// Returns what makes fresh instances.
    pub(super) fn pre(&self) -> &PluginPre<GuestState> {
        &self.pre
    }

    /// Returns what it can reach outside the sandbox: interfaces of the contract, and packages
    /// of WASI behind which there is something.
    pub(crate) fn capabilities(&self) -> &[String] {
        &self.reaches
    }

    /// Returns whether the guest has to be given WASI's state.
    pub(super) fn imports_wasi(&self) -> bool {
        self.imports_wasi
    }
}

impl Sandbox {
    /// Compiles a component, or a core module that can be made one, and links it. The code
    /// comes from the cache, where it is kept.
    ///
    /// Compiling takes 50 to 120 ms for a small Rust guest, seconds for a language with a
    /// runtime of its own.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if the bytes are not a plugin for this host.
    pub(crate) async fn load(&self, digest: &Digest, bytes: &[u8]) -> Result<Guest, LoadError> {
        if let Some(guest) = self.load_cached(digest)? {
            return Ok(guest);
        }
        let code = self.compiler.compile((&self.engine, self.reservation), bytes).await?;
        #[expect(unsafe_code, reason = "machine code cannot be checked, only its origin")]
        // SAFETY: the code was made just now, by this engine or by a child of this program.
        let component = unsafe { Component::deserialize(&self.engine, &code) };
        let component = component.map_err(|error| match failure::shortage(&error) {
            Some(shortage) => LoadError::Shortage(shortage),
            None => LoadError::Compiler(format!("{error:#}")),
        })?;
        let guest = self.link(&component)?;
        if let Some(cache) = &self.cache {
            // The cache only saves time: where it cannot be written, time is not saved.
            cache.put(digest, &code).ok();
        }
        Ok(guest)
    }

    /// Links a component whose code was kept; `None` if there is none.
    ///
    /// # Errors
    ///
    /// Returns [`LoadError`] if it is not a plugin for this host.
    pub(crate) fn load_cached(&self, digest: &Digest) -> Result<Option<Guest>, LoadError> {
        let Some(cache) = &self.cache else { return Ok(None) };
        let component = cache.get(&self.engine, digest)?;
        component.map(|component| self.link(&component)).transpose()
    }

    /// Checks that a component is a plugin, and links it.
    fn link(&self, component: &Component) -> Result<Guest, LoadError> {
        self.check_exports(component)?;
        let imports_wasi = self.check_imports(component)?;
        let linker = match imports_wasi {
            true => self.wasi_linker().map_err(|error| match error {
                SandboxError::Shortage(shortage) => LoadError::Shortage(shortage),
                error => LoadError::Compiler(error.to_string()),
            })?,
            false => &self.linker,
        };
        let pre = linker.instantiate_pre(component).and_then(PluginPre::new).map_err(|error| {
            match failure::shortage(&error) {
                Some(shortage) => LoadError::Shortage(shortage),
                None => LoadError::Mismatch(format!("{error:#}")),
            }
        })?;
        let kind = component.component_type();
        let reaches: BTreeSet<_> =
            kind.imports(&self.engine).filter_map(|(name, _)| capability(name)).collect();
        let reaches = reaches.into_iter().map(str::to_owned).collect();
        Ok(Guest { pre, imports_wasi, reaches })
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
            } else if !name.starts_with(CONTRACT_PACKAGE) {
                return Err(LoadError::UnknownImport(name.to_owned()));
            }
        }
        Ok(imports_wasi)
    }
}

/// Returns what an import gives, if it gives anything: the rest of WASI is there to be linked
/// alone.
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

/// Returns a component: the bytes themselves, or what a core module that carries
/// component-type metadata describes. A module of WASI preview 1 gets the adapter.
///
/// # Errors
///
/// Returns [`LoadError::NotWasm`] for anything else, [`LoadError::LimitExceeded`] for a module that
/// is too much, [`LoadError::Invalid`] for one that its own metadata does not fit.
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

/// Bytes that are not a plugin for this host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum LoadError {
    /// Neither a component nor a core module.
    #[error("not a WebAssembly file")]
    NotWasm,
    /// Too much of something, known before it is compiled.
    #[error(transparent)]
    LimitExceeded(#[from] LimitExceeded),
    /// Broken, or using what this host leaves off.
    #[error("not a component that this host can run: {}", text::single_line(.0))]
    Invalid(String),
    /// A component of something else.
    #[error("not a plugin: it does not export `{OPERATIONS}{CONTRACT}x`; {}", exports_text(.0))]
    NotAPlugin(Vec<String>),
    /// A plugin for a host that is older or newer.
    #[error("built for version {} of the contract; this host runs {CONTRACT}x", text::quote(.0))]
    OtherContract(String),
    /// It wants something that this host does not have.
    #[error("it imports `{}`, which this host does not offer", text::quote(.0))]
    UnknownImport(String),
    /// A known name with another type.
    #[error("it does not fit the contract: {}", text::single_line(.0))]
    Mismatch(String),
    /// What the compiler in a child process said.
    #[error("{0}")]
    Refused(String),
    /// It cannot be compiled within bounds.
    #[error("compiling it takes more than {most} of {what}")]
    Budget {
        /// `time` or `memory`.
        what: &'static str,
        /// The bound.
        most: Amount,
    },
    /// The host ran out of something. That says nothing about the file.
    #[error(transparent)]
    Shortage(#[from] Shortage),
    /// It could not be compiled, which is no fault of the file.
    #[error("it cannot be compiled now: {0}")]
    Compiler(String),
}

fn exports_text(exports: &[String]) -> String {
    const MAX_SHOWN_IMPORTS: usize = 2;
    let names: Vec<_> =
        exports.iter().take(MAX_SHOWN_IMPORTS).map(|name| text::quote(name)).collect();
    match exports.len().saturating_sub(MAX_SHOWN_IMPORTS) {
        _ if names.is_empty() => "it exports nothing".to_owned(),
        0 => format!("it exports `{}`", names.join("`, `")),
        more => format!("it exports `{}` and {more} more", names.join("`, `")),
    }
}
