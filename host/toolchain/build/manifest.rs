//! Manifests of crates, with the inheritance from the workspace resolved.

use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

type Error = Box<dyn std::error::Error>;

/// The sections of a manifest that are copied, in this order.
const COPIED: [&str; 6] =
    ["package", "lib", "features", "dependencies", "build-dependencies", "target"];
/// The sections that are left out, because only the workspace uses them.
const OMITTED: [&str; 2] = ["dev-dependencies", "lints"];
/// The sections with dependencies, also in each table of `target`.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];
/// The lints of an embedded crate. A newer compiler could warn about code that the author of a
/// plugin did not write.
const LINTS: &str = "[lints.rust]\nwarnings = \"allow\"\n";

/// The values of the workspace that its members inherit.
pub(crate) struct Workspace {
    package: Table,
    dependencies: Table,
}

impl Workspace {
    /// Reads the manifest of the workspace.
    pub(crate) fn parse(manifest: &str) -> Result<Self, Error> {
        let mut manifest: Table = manifest.parse()?;
        let mut workspace = take(&mut manifest, "workspace");
        let [package, dependencies] =
            ["package", "dependencies"].map(|key| take(&mut workspace, key));
        Ok(Self { package, dependencies })
    }

    /// Returns the manifest of the crate in `directory`, for a project outside of the workspace.
    ///
    /// A dependency with a path is in the directory with its name beside the crate. `name_of`
    /// returns the name of the crate in a directory of the workspace.
    ///
    /// # Errors
    ///
    /// Returns an error if the manifest uses a section or an inheritance that is not resolved.
    pub(crate) fn resolve(
        &self,
        directory: &Path,
        manifest: &str,
        name_of: &dyn Fn(&Path) -> Result<String, Error>,
    ) -> Result<String, Error> {
        let mut manifest: Table = manifest.parse()?;
        inherit(&mut manifest, &self.package)?;
        for (name, dependency) in dependencies_mut(&mut manifest) {
            *dependency = self.dependency(directory, name, dependency)?;
            if let Some(Value::String(path)) = dependency.get_mut("path") {
                *path = format!("../{}", name_of(Path::new(path))?);
            }
        }
        text(manifest)
    }

    /// Returns the directories of the dependencies that have a path, relative to the workspace.
    pub(crate) fn path_dependencies(
        &self,
        directory: &Path,
        manifest: &str,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut manifest: Table = manifest.parse()?;
        let mut paths = Vec::new();
        for (name, dependency) in dependencies_mut(&mut manifest) {
            let dependency = self.dependency(directory, name, dependency)?;
            let path = dependency.get("path").and_then(Value::as_str);
            paths.extend(path.map(PathBuf::from));
        }
        Ok(paths)
    }

    /// Returns a dependency without inheritance. Its path is relative to the workspace.
    fn dependency(&self, directory: &Path, name: &str, own: &Value) -> Result<Value, Error> {
        let Value::Table(own) = own else { return Ok(own.clone()) };
        let mut own = own.clone();
        if own.remove("workspace").is_none() {
            if let Some(Value::String(path)) = own.get_mut("path") {
                *path = normalized(&directory.join(&*path))?;
            }
            return Ok(Value::Table(own));
        }
        let inherited = self.dependencies.get(name);
        let inherited = inherited.ok_or_else(|| format!("the workspace has no `{name}`"))?;
        let mut merged = match inherited {
            Value::Table(inherited) => inherited.clone(),
            version => Table::from_iter([("version".to_owned(), version.clone())]),
        };
        for (key, value) in own {
            match (merged.get_mut(&key), value) {
                (Some(Value::Array(features)), Value::Array(own)) => features.extend(own),
                (_, value) => drop(merged.insert(key, value)),
            }
        }
        Ok(Value::Table(merged))
    }
}

/// Returns the name of the package.
pub(crate) fn name(manifest: &str) -> Result<String, Error> {
    let manifest: Table = manifest.parse()?;
    let package = manifest.get("package");
    let name = package.and_then(|package| package.get("name")).and_then(Value::as_str);
    Ok(name.ok_or("a manifest without a package name")?.to_owned())
}

fn take(table: &mut Table, key: &str) -> Table {
    match table.remove(key) {
        Some(Value::Table(inner)) => inner,
        _ => Table::new(),
    }
}

/// Replaces the inherited values of the section `package`.
fn inherit(manifest: &mut Table, workspace: &Table) -> Result<(), Error> {
    let package = manifest.get_mut("package").and_then(Value::as_table_mut);
    for (key, value) in package.ok_or("a manifest without a package")?.iter_mut() {
        if value.get("workspace").is_some() {
            let inherited = workspace.get(key);
            let inherited = inherited.ok_or_else(|| format!("the workspace has no `{key}`"))?;
            *value = inherited.clone();
        }
    }
    Ok(())
}

/// Returns the name and the value of every dependency.
fn dependencies_mut(manifest: &mut Table) -> Vec<(&str, &mut Value)> {
    let mut found = Vec::new();
    for (section, value) in manifest.iter_mut() {
        let Value::Table(table) = value else { continue };
        if DEPENDENCIES.contains(&section.as_str()) {
            found.extend(table.iter_mut().map(|(name, value)| (name.as_str(), value)));
        } else if section == "target" {
            let targets = table.iter_mut().filter_map(|(_, target)| target.as_table_mut());
            found.extend(targets.flat_map(dependencies_mut));
        }
    }
    found
}

/// Returns a path without `..`.
fn normalized(path: &Path) -> Result<String, Error> {
    let mut parts = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(parts.pop()),
            component => parts.push(component),
        }
    }
    Ok(parts.to_str().ok_or("a path in UTF-8")?.to_owned())
}

/// Returns the text of a resolved manifest.
fn text(mut manifest: Table) -> Result<String, Error> {
    for section in OMITTED {
        manifest.remove(section);
    }
    let mut text = String::new();
    for section in COPIED {
        if let Some(value) = manifest.remove(section) {
            reject_inheritance(section, &value)?;
            let table = Table::from_iter([(section.to_owned(), value)]);
            text.push_str(&toml::to_string(&table)?);
            text.push('\n');
        }
    }
    match manifest.keys().next() {
        Some(section) => Err(format!("the section `{section}` is not resolved").into()),
        None => Ok(text + LINTS),
    }
}

fn reject_inheritance(key: &str, value: &Value) -> Result<(), Error> {
    if key == "workspace" {
        return Err("a value is inherited from the workspace".into());
    }
    let mut inner = value.as_table().into_iter().flatten();
    inner.try_for_each(|(key, value)| reject_inheritance(key, value))
}
