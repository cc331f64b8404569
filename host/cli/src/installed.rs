//! Plugin files that a command has installed into a plugin directory.

use std::path::Path;

use ophost::config::Config;

use super::error::CliError;
use super::output;

/// Loads the plugin directories, so that the first run of the installed files finds their compiled
/// code and their operations. Warns about each installed file that is rejected, and returns whether
/// all of them are used.
///
/// # Errors
///
/// Returns [`CliError`] if the plugin directories cannot be loaded.
pub(super) async fn load(files: &[&Path], config: &Config) -> Result<bool, CliError> {
    let host = super::host_for_all(config).await?;
    let catalog = host.catalog();
    let rejected: Vec<_> = catalog.rejected().filter(|(path, _)| files.contains(path)).collect();
    for (path, reason) in &rejected {
        output::warn(&format!("`{}` is installed but rejected: {reason}", path.display()));
    }
    Ok(rejected.is_empty())
}
