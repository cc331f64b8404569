//! Cargo workspaces above a new project.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Returns the manifest of a workspace above `directory` that takes the directory as a member.
///
/// Cargo rejects such a workspace, because the project is a workspace too.
pub(super) fn includes(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    directory.ancestors().skip(1).find_map(|above| {
        let manifest = above.join("Cargo.toml");
        let text = fs::read_to_string(&manifest).ok()?;
        let path = directory.strip_prefix(above).ok()?;
        is_member(&text, path).then_some(manifest)
    })
}

/// Returns whether the workspace of a manifest has the package at a relative path as a member.
fn is_member(manifest: &str, path: &Path) -> bool {
    let Ok(manifest) = manifest.parse::<Table>() else { return false };
    let Some(workspace) = manifest.get("workspace") else { return false };
    let patterns = |key| {
        let list = workspace.get(key).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(Value::as_str).collect::<Vec<_>>()
    };
    let is_excluded = patterns("exclude").iter().any(|excluded| path.starts_with(excluded));
    !is_excluded && patterns("members").iter().any(|pattern| matches(pattern, path))
}

/// Returns whether a path matches a pattern, in which `*` stands for any characters of one part.
fn matches(pattern: &str, path: &Path) -> bool {
    let pattern = Path::new(pattern);
    let same_length = pattern.components().count() == path.components().count();
    same_length
        && pattern.components().zip(path.components()).all(|(pattern, part)| {
            let [pattern, part] = [pattern, part].map(|it| it.as_os_str().to_string_lossy());
            match pattern.split_once('*') {
                None => pattern == part,
                Some((start, end)) => {
                    part.len() >= start.len() + end.len()
                        && part.starts_with(start)
                        && part.ends_with(end)
                }
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_is_found_by_a_pattern() {
        let manifest = "[workspace]\nmembers = [\"plugins/*\", \"a\"]\nexclude = [\"plugins/old\"]";
        let is_member = |path: &str| is_member(manifest, Path::new(path));
        assert!(is_member("plugins/new") && is_member("a"));
        assert!(!is_member("plugins/old") && !is_member("plugins/new/x") && !is_member("b"));
    }

    #[test]
    fn package_without_a_workspace_has_no_members() {
        assert!(!is_member("[package]\nname = \"a\"", Path::new("b")));
        assert!(!is_member("[workspace]", Path::new("b")));
        assert!(!is_member("not toml", Path::new("b")));
    }
}
