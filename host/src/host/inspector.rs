//! Looking at components that are in no plugin directory.

use super::{HostBuilder, HostError};
use crate::digest::Digest;
use crate::operation::OperationName;
use crate::registry::{self, FileError};
use crate::sandbox::{self, Sandbox};

/// Looks at components outside any plugin directory, for those who build them.
pub(crate) struct Inspector {
    sandbox: Sandbox,
}

impl Inspector {
    /// The version of the engine, and how versions of the contract begin that it runs.
    pub(crate) const VERSIONS: (&str, &str) = (sandbox::ENGINE_VERSION, sandbox::CONTRACT);

    /// Returns one that compiles as a host does that was made of these options.
    ///
    /// # Errors
    ///
    /// Returns [`HostError`] if wasm cannot run here.
    pub(crate) fn new(options: &HostBuilder) -> Result<Self, HostError> {
        Ok(Self { sandbox: options.sandbox()? })
    }

    /// Returns the names of a plugin's operations.
    ///
    /// # Errors
    ///
    /// Returns the reason why a host would refuse the content.
    pub(crate) async fn inspect(&self, bytes: &[u8]) -> Result<Vec<OperationName>, FileError> {
        let (_, plugin) = registry::inspect(&Digest::sha256(bytes), bytes, &self.sandbox).await?;
        Ok(plugin.operations.into_iter().map(|operation| operation.name).collect())
    }

    /// Returns a module of the user's own as a component, and its operations.
    ///
    /// # Errors
    ///
    /// As [`Self::inspect`].
    pub(crate) async fn componentize(
        &self,
        module: &[u8],
    ) -> Result<(Vec<u8>, Vec<OperationName>), FileError> {
        let component = sandbox::componentize(module)?.into_owned();
        let names = self.inspect(&component).await?;
        Ok((component, names))
    }
}
