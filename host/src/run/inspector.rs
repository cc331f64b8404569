//! Inspection of components outside the plugin directories.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{HostBuilder, HostError};
use crate::model::digest::Digest;
use crate::model::limits::CompileLimit;
use crate::model::operation::OperationName;
use crate::registry::{self, FileError};
use crate::sandbox::{self, Sandbox};
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

    /// Returns the names of the operations of a plugin.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would reject the component.
    pub async fn inspect(&self, bytes: &[u8]) -> Result<Vec<OperationName>, InspectError> {
        let (_, plugin) = registry::inspect(&Digest::sha256(bytes), bytes, &self.sandbox).await?;
        Ok(plugin.operations.into_iter().map(|operation| operation.name).collect())
    }

    /// Converts a core module to a component, and returns it with the names of its operations.
    ///
    /// # Errors
    ///
    /// Like [`Self::inspect`].
    pub async fn componentize(
        &self,
        module: &[u8],
    ) -> Result<(Vec<u8>, Vec<OperationName>), InspectError> {
        let component = sandbox::componentize(module).map_err(FileError::from)?.into_owned();
        let names = self.inspect(&component).await?;
        Ok((component, names))
    }
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
