//! The lock file of a Rust project: the versions with which the SDK was tested.

use super::name::ProjectName;

/// The lock file of a project, without the package of the project itself.
const PACKAGES: &str = include_str!("../../kit/rust/lock.toml");
/// The first line of a package.
const START: &str = "[[package]]\n";

/// Returns the names of the packages.
pub(super) fn packages() -> impl Iterator<Item = &'static str> {
    PACKAGES.split(START).skip(1).map(name)
}

/// Returns the lock file of a project. Cargo accepts it with `--locked`.
pub(super) fn lock_file(project: &ProjectName, version: &str) -> String {
    let project = project.as_str();
    let own = format!(
        "name = \"{project}\"\nversion = \"{version}\"\ndependencies = [\n \"ophost-sdk\",\n]\n\n"
    );
    let mut packages = PACKAGES.split(START);
    let mut file = packages.next().unwrap_or_default().to_owned();
    let mut blocks: Vec<_> = packages.map(|block| format!("{}\n\n", block.trim_end())).collect();
    // Cargo sorts the packages by name.
    let place = blocks.partition_point(|block| name(block) < project);
    blocks.insert(place, own);
    for block in blocks {
        file.push_str(START);
        file.push_str(&block);
    }
    format!("{}\n", file.trim_end())
}

/// Returns the name in the block of a package.
fn name(block: &str) -> &str {
    let name = block.lines().find_map(|line| line.strip_prefix("name = \""));
    name.unwrap_or_default().trim_end_matches('"')
}
