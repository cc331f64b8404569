//! The component to test: built from the sources of a project, or a file.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ophost::config::Config;
use ophost::{Host, HostBuilder, InspectError, Inspector};

use super::error::TestError;
use crate::compile_progress::with_progress;
use crate::error::CliError;
use crate::{build, settings};

/// A plugin to test.
#[derive(Clone, Debug)]
pub(crate) enum Project {
    /// A directory with sources.
    Sources(PathBuf),
    /// A component, or a core module with component-type metadata.
    Component(PathBuf),
}

impl Project {
    /// Returns the project of a path: a file is a component.
    pub(crate) fn of(path: &Path) -> Self {
        match path.is_file() {
            true => Self::Component(path.to_owned()),
            false => Self::Sources(path.to_owned()),
        }
    }

    /// Returns the directory of the project, or of the component.
    pub(crate) fn directory(&self) -> &Path {
        match self {
            Self::Sources(directory) => directory,
            Self::Component(file) => {
                let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
                parent.unwrap_or(Path::new("."))
            }
        }
    }

    /// Checks that sources have a manifest, because a missing project has no cases either.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] if the directory does not exist or has no manifest.
    pub(crate) fn check_language(&self) -> Result<(), CliError> {
        match self {
            Self::Sources(directory) => Ok(ophost_toolchain::language(directory).map(drop)?),
            Self::Component(_) => Ok(()),
        }
    }

    /// Builds the component, and returns a host with its operations.
    ///
    /// # Errors
    ///
    /// Returns [`CliError`] if the component cannot be built, or if a host would reject it.
    pub(crate) async fn host(&self, config: &Config) -> Result<Host, CliError> {
        let path = match self {
            Self::Sources(directory) => build::module(directory)?,
            Self::Component(file) => file.clone(),
        };
        let component = match Inspector::read(&path).await {
            Ok(bytes) => Inspector::component_of(&bytes).map(Cow::into_owned),
            Err(error) => Err(error),
        };
        let component = component.map_err(|source| unusable(&path, source))?;
        let build =
            async |builder: HostBuilder| builder.build_with_component(&path, &component).await;
        let host = with_progress(settings::development_builder(config)?, build).await;
        host.map_err(|error| match error {
            ophost::ComponentError::Host(error) => error.into(),
            ophost::ComponentError::Component(source) => unusable(&path, source),
        })
    }
}

fn unusable(file: &Path, source: InspectError) -> CliError {
    TestError::Unusable { file: file.to_owned(), source }.into()
}
