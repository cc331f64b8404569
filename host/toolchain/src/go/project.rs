//! The project of a plugin in Go, as `go.mod` describes it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the manifest.
const MANIFEST: &str = "go.mod";

/// A project in a directory.
#[derive(Debug)]
pub(super) struct GoProject {
    /// The directory, without symbolic links.
    pub(super) root: PathBuf,
    /// The last part of the module path.
    pub(super) name: String,
}

/// The reason why a directory is not the project of a plugin.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The manifest cannot be read.
    #[error("cannot read `{MANIFEST}`")]
    Read(#[from] io::Error),
    /// The manifest does not name the module.
    #[error("`{MANIFEST}` has no line `module NAME`")]
    NoModule,
    /// The name of the module is not a file name.
    #[error("`{0}` is not a module path")]
    Name(String),
}

impl ProjectError {
    /// Returns a hint for the author, or `None` if no fix is known.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read(_) => None,
            Self::NoModule => Some("run `go mod init NAME`"),
            Self::Name(_) => Some("use letters, digits, `.`, `_`, `-` and `/`"),
        }
    }
}

impl GoProject {
    /// Reads the project in `dir`.
    ///
    /// # Errors
    ///
    /// Returns [`ProjectError`] if the manifest cannot be read, or does not name the module.
    pub(super) fn read(dir: &Path) -> Result<Self, ProjectError> {
        let root = fs::canonicalize(dir)?;
        let manifest = fs::read_to_string(root.join(MANIFEST))?;
        Ok(Self { root, name: name(&manifest)? })
    }

    /// Returns the directory with the contract of the SDK, if the project has a copy of both.
    pub(super) fn contract(&self) -> Option<PathBuf> {
        let contract = self.root.join("sdk/wit");
        contract.is_dir().then_some(contract)
    }
}

/// Returns the last part of the module path, without a major version such as `/v2`.
fn name(manifest: &str) -> Result<String, ProjectError> {
    let mut words = manifest.lines().map(|line| line.split_whitespace());
    let module = words.find_map(|mut words| (words.next() == Some("module")).then(|| words.next()));
    let path = module.flatten().ok_or(ProjectError::NoModule)?.trim_matches(['"', '`']);
    let parts = path.rsplit('/');
    let name = parts.clone().find(|part| !is_major_version(part)).unwrap_or(path);
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "._-~".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(is_valid) {
        true => Ok(name.to_owned()),
        false => Err(ProjectError::Name(path.to_owned())),
    }
}

fn is_major_version(part: &str) -> bool {
    let digits = part.strip_prefix('v').unwrap_or_default();
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_the_last_part_of_the_module_path() {
        for (manifest, expected) in [
            ("module my-plugin\n\ngo 1.25\n", "my-plugin"),
            ("// A comment.\nmodule \"example.com/team/text\" // text", "text"),
            ("module example.com/text/v2\n", "text"),
        ] {
            assert_eq!(name(manifest).unwrap(), expected);
        }
    }

    #[test]
    fn invalid_manifest_is_rejected_with_the_reason() {
        let error = |manifest: &str| name(manifest).unwrap_err().to_string();
        assert_eq!(error(""), "`go.mod` has no line `module NAME`");
        assert_eq!(error("module\n"), "`go.mod` has no line `module NAME`");
        assert_eq!(error("module ../x/..\n"), "`../x/..` is not a module path");
    }
}
