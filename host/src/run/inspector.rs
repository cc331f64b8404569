//! Inspection of components outside the plugin directories.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{HostBuilder, HostError};
use crate::model::digest::Digest;
use crate::model::limits::CompileLimit;
use crate::model::operation::Plugin;
use crate::registry::{self, FileError};
use crate::sandbox::{self, Description, Sandbox};
use crate::util::os_error::Shortage;

/// Inspects components outside the plugin directories, for build tools.
pub struct Inspector {
    sandbox: Sandbox,
}

impl Inspector {
    /// Version of the engine, and prefix of the supported contract versions.
    pub const VERSIONS: (&str, &str) = (sandbox::ENGINE_VERSION, sandbox::CONTRACT);

    /// Returns an inspector that compiles with the options of a host.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run on this machine.
    pub fn new(options: &HostBuilder) -> Result<Self, HostError> {
        Ok(Self { sandbox: options.sandbox()? })
    }

    /// Reads a plugin file.
    ///
    /// # Errors
    ///
    /// Returns [`InspectError`] if it is not a regular file, is too large, cannot be read, or changes
    /// while it is read.
    pub async fn read(path: &Path) -> Result<Vec<u8>, InspectError> {
        Ok(registry::read_plugin(path).await?.0)
    }

    /// Returns about how long it takes to compile a plugin if no other process needs the CPU.
    pub fn compile_time(&self, bytes: &[u8]) -> Duration {
        self.sandbox.compile_time(bytes)
    }

    /// Converts a core module to a component. A component is returned unchanged. Compiles nothing.
    ///
    /// # Errors
    ///
    /// Returns [`InspectError::Rejected`] if the bytes are neither a component nor a module with
    /// component-type metadata.
    pub fn component_of(bytes: &[u8]) -> Result<Cow<'_, [u8]>, InspectError> {
        Ok(sandbox::componentize(bytes).map_err(FileError::from)?)
    }

    /// Compiles and describes a plugin.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would reject the component.
    pub async fn inspect(&self, bytes: &[u8]) -> Result<PluginReport, InspectError> {
        let digest = Digest::sha256(bytes);
        let is_cached = self.sandbox.load_cached(&digest).map_err(FileError::from)?.is_some();
        let start = Instant::now();
        let (guest, description) = registry::inspect(&digest, bytes, &self.sandbox).await?;
        let elapsed = start.elapsed();
        let Description { plugin, memory } = description;
        Ok(PluginReport {
            plugin,
            contract: guest.contract().to_owned(),
            imports: guest.imports().to_vec(),
            bytes: bytes.len() as u64,
            code_bytes: guest.code_size(),
            compile_time: (!is_cached).then_some(elapsed),
            memory,
        })
    }

    /// Converts a core module to a component, and inspects it.
    ///
    /// # Errors
    ///
    /// Like [`Self::inspect`].
    pub async fn componentize(
        &self,
        module: &[u8],
    ) -> Result<(Vec<u8>, PluginReport), InspectError> {
        let component = sandbox::componentize(module).map_err(FileError::from)?.into_owned();
        let report = self.inspect(&component).await?;
        Ok((component, report))
    }
}

/// Properties of a plugin that a host accepts.
#[derive(Clone, Debug)]
pub struct PluginReport {
    /// The description that the plugin returned.
    pub plugin: Plugin,
    /// Version of the contract that the plugin was built for, such as `0.1.1`.
    pub contract: String,
    /// The names of the imported interfaces, such as `ophost:plugin/log@0.1.0`.
    pub imports: Vec<String>,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// Size of the compiled code, in bytes.
    pub code_bytes: u64,
    /// Time for compiling and describing the plugin; `None` if the code was in the cache.
    pub compile_time: Option<Duration>,
    /// Linear memory of a fresh instance, summed over its memories, in bytes.
    pub memory: u64,
}

/// The reason why a component cannot be inspected or would be rejected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// The process or the machine ran out of a resource. The component may be valid.
    #[error("{message}")]
    Shortage {
        /// The resource.
        shortage: Shortage,
        /// What failed.
        message: String,
    },
    /// Compilation exceeds a limit. The component may be valid.
    #[error("{message}")]
    OverBudget {
        /// The limit.
        limit: CompileLimit,
        /// The limit with its value and its setting.
        message: String,
    },
    /// A host would reject the component, for this reason.
    #[error("{0}")]
    Rejected(String),
}

impl InspectError {
    /// Returns the resource that the process or the machine ran out of, if that is the reason.
    pub fn shortage(&self) -> Option<Shortage> {
        match self {
            Self::Unreadable(error) => Shortage::of(error),
            Self::Shortage { shortage, .. } => Some(*shortage),
            Self::OverBudget { .. } | Self::Rejected(_) => None,
        }
    }

    /// Returns the limit that compilation exceeded, if that is the reason.
    pub fn compile_limit(&self) -> Option<CompileLimit> {
        match self {
            Self::OverBudget { limit, .. } => Some(*limit),
            Self::Unreadable(_) | Self::Shortage { .. } | Self::Rejected(_) => None,
        }
    }
}

impl From<FileError> for InspectError {
    fn from(error: FileError) -> Self {
        let message = error.to_string();
        if let Some(limit) = error.compile_limit() {
            return Self::OverBudget { limit, message };
        }
        match (error.shortage(), error) {
            (_, FileError::Unreadable(error)) => Self::Unreadable(error),
            (Some(shortage), _) => Self::Shortage { shortage, message },
            (None, _) => Self::Rejected(message),
        }
    }
}

/// Error of building a host for one component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The host cannot be built.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The component cannot be used.
    #[error(transparent)]
    Component(#[from] InspectError),
}
