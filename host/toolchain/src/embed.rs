//! Adds the contract to modules of compilers that do not know it.

use std::fs;
use std::path::Path;

use wit_component::StringEncoding;
use wit_parser::Resolve;

use crate::error::BuildError;
use crate::kit;

/// The world of a plugin.
const WORLD: &str = "plugin";

/// Adds the contract to the core module in a file, so that a host can convert the module to a
/// component. The contract is that of a directory, or else of this version.
///
/// # Errors
///
/// Returns [`BuildError::Embed`] if the file cannot be changed or is not a core module. The file has
/// not been changed then, unless the system failed in the middle of its content.
pub(crate) fn contract(
    package: &str,
    module: &Path,
    directory: Option<&Path>,
) -> Result<(), BuildError> {
    add(module, directory).map_err(|error| BuildError::Embed {
        package: package.to_owned(),
        reason: format!("{error:#}"),
    })
}

fn add(module: &Path, directory: Option<&Path>) -> anyhow::Result<()> {
    let mut resolve = Resolve::default();
    let contract = match directory {
        Some(directory) => resolve.push_path(directory)?.0,
        None => resolve.push_str("ophost.wit", &kit::contract_text())?,
    };
    let world = resolve.select_world(&[contract], Some(WORLD))?;
    let mut content = fs::read(module)?;
    wit_component::embed_component_metadata(&mut content, &resolve, world, StringEncoding::UTF8)?;
    Ok(fs::write(module, content)?)
}
