//! Tests of the embedded files and of the projects made from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::manifest::{self, Workspace};
use super::project::{CreateError, Project, create};
use super::sources::{read_all, without_tests};
use super::*;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn project(name: &str, language: Language) -> Project {
    Project { name: ProjectName::new(name, language).unwrap(), language }
}

fn content(project: &Project, path: &str) -> String {
    let files = project.files();
    files.into_iter().find(|(name, _)| name == path).unwrap_or_else(|| panic!("no `{path}`")).1
}

/// Returns the lock file that cargo writes for a project, without the package of the project.
///
/// Cargo takes the versions from the lock file of the workspace.
fn current_lock() -> String {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("it");
    create(&project("lock-of-a-project", Language::Rust), &directory).unwrap();
    fs::copy(top().join("Cargo.lock"), directory.join("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    // Removes the packages that the project does not need, without downloading one.
    cargo.args(["update", "--workspace", "--offline"]).current_dir(&directory);
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lock = fs::read_to_string(directory.join("Cargo.lock")).unwrap();
    let is_own = |block: &&str| block.contains("name = \"lock-of-a-project\"");
    let blocks: Vec<_> = lock.split("[[package]]\n").filter(|block| !is_own(block)).collect();
    blocks.join("[[package]]\n")
}

/// With `UPDATE_KIT` set, writes the file instead: `cargo xtask kit`.
#[test]
fn lock_file_of_a_project_has_the_versions_of_the_workspace() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("kit/rust/lock.toml");
    let current = current_lock();
    if std::env::var_os("UPDATE_KIT").is_some() {
        fs::write(&file, current).unwrap();
        return;
    }
    let is_current = fs::read_to_string(&file).unwrap() == current;
    assert!(is_current, "`{}` is out of date: run `cargo xtask kit`", file.display());
}

#[test]
fn package_of_the_project_is_at_its_place_in_the_lock_file() {
    for name in ["aaa", "my-plugin", "zzz"] {
        let lock = content(&project(name, Language::Rust), "Cargo.lock");
        let lines = lock.lines().filter_map(|line| line.strip_prefix("name = "));
        assert!(lines.clone().is_sorted() && lines.clone().count() > 10, "{lock}");
        assert!(lock.contains(&format!("[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n")));
        assert!(lock.starts_with('#') && !lock.ends_with("\n\n"), "{lock}");
    }
}

#[test]
fn embedded_manifests_are_complete() {
    let project = project("it", Language::Rust);
    let files = project.files();
    let manifests: Vec<_> =
        files.iter().filter(|(path, _)| path.ends_with("/Cargo.toml")).collect();
    let names: Vec<_> = manifests.iter().map(|(path, _)| path.as_str()).collect();
    for name in ["ophost-sdk", "ophost-sdk-macros", "ophost-document", "ophost-schema"] {
        assert!(names.contains(&format!("sdk/{name}/Cargo.toml").as_str()), "{names:?}");
    }
    for (path, text) in manifests {
        let manifest: toml::Table = text.parse().unwrap();
        assert!(!text.contains("workspace"), "{path}: {text}");
        assert_eq!(manifest["package"]["version"].as_str(), Some(env!("CARGO_PKG_VERSION")));
        assert_eq!(manifest["package"]["license"].as_str(), Some("MIT OR Apache-2.0"));
    }
}

#[test]
fn inherited_values_are_resolved() {
    let workspace = "[workspace.package]\nedition = \"2024\"\n[workspace.dependencies]\n\
        one = { path = \"crates/one\" }\ntwo = { version = \"2\", features = [\"a\"] }\n\
        three = \"3\"\n";
    let workspace = Workspace::parse(workspace).unwrap();
    let resolve = |manifest: &str| {
        let name_of = |path: &Path| Ok(path.display().to_string().replace('/', "-"));
        workspace.resolve(Path::new("sdk/main"), manifest, &name_of)
    };
    let manifest = "[package]\nname = \"it\"\nedition.workspace = true\n\
        [dependencies]\none.workspace = true\nfour = { path = \"../four\" }\n\
        [target.'cfg(unix)'.dependencies]\ntwo = { workspace = true, features = [\"b\"] }\n\
        three = { workspace = true, optional = true }\n\
        [dev-dependencies]\nfive.workspace = true\n[lints]\nworkspace = true\n";
    assert_eq!(manifest::name(manifest).unwrap(), "it");
    let paths = workspace.path_dependencies(Path::new("sdk/main"), manifest).unwrap();
    assert_eq!(paths, [Path::new("sdk/four"), Path::new("crates/one")]);
    let resolved: toml::Table = resolve(manifest).unwrap().parse().unwrap();
    let expected = "[package]\nname = \"it\"\nedition = \"2024\"\n\
        [dependencies]\none = { path = \"../crates-one\" }\nfour = { path = \"../sdk-four\" }\n\
        [target.'cfg(unix)'.dependencies]\ntwo = { version = \"2\", features = [\"a\", \"b\"] }\n\
        three = { version = \"3\", optional = true }\n[lints.rust]\nwarnings = \"allow\"\n";
    assert_eq!(resolved, expected.parse::<toml::Table>().unwrap());
    let error = |manifest: &str| resolve(manifest).unwrap_err().to_string();
    assert_eq!(error("[package]\nversion.workspace = true"), "the workspace has no `version`");
    assert_eq!(
        error("[package]\n[dependencies]\nsix.workspace = true"),
        "the workspace has no `six`"
    );
    assert_eq!(
        error("[package]\n[features]\nx = { workspace = true }"),
        "a value is inherited from the workspace"
    );
    assert_eq!(error("[package]\n[badges]\nx = 1"), "the section `badges` is not resolved");
}

#[test]
fn sources_are_embedded_without_unit_tests() {
    let text = "a();\n#[cfg(test)]\nmod checks;\n#[cfg(test)]\nmod tests {\n    b();\n}\n\
        mod last {\n    #[cfg(test)]\n    fn c() {\n    }\n    d();\n}\n";
    let (code, modules) = without_tests(text);
    assert_eq!(code, "a();\nmod last {\n    d();\n}\n");
    assert_eq!(modules, ["checks"]);
    let documents = read_all(&top().join("host/document/src")).unwrap();
    assert!(documents.contains_key("filter/clause.rs"), "{documents:?}");
    for (path, text) in documents {
        assert!(!text.contains("#[cfg(test)]"), "{path}");
        assert!(!path.contains("_tests"), "{path}");
    }
}

#[test]
fn templates_contain_the_names_of_the_project() {
    let project = project("my-plugin", Language::Rust);
    for path in ["Cargo.toml", "README.md", "src/lib.rs", "cases/my_plugin.json"] {
        let text = content(&project, path);
        assert!(text.contains("my-plugin") || text.contains("my_plugin"), "{path}: {text}");
        for placeholder in ["NAME", "MODULE", "VERSION"] {
            assert!(!text.contains(placeholder), "{path}: {text}");
        }
    }
}

/// `npm ci` fails if the files do not agree. `npm install --package-lock-only` in a new project writes
/// the lock file.
#[test]
fn lock_file_of_npm_belongs_to_the_manifests() {
    for language in [Language::TypeScript, Language::JavaScript] {
        let project = project("my-plugin", language);
        let json = |path: &str| -> serde_json::Value {
            serde_json::from_str(&content(&project, path)).unwrap()
        };
        let packages = &json("package-lock.json")["packages"];
        for (path, manifest) in [("", json("package.json")), ("sdk", json("sdk/package.json"))] {
            for field in ["name", "version", "dependencies", "devDependencies"] {
                assert_eq!(packages[path][field], manifest[field], "{path}: {field}");
            }
        }
        for (path, package) in packages.as_object().unwrap() {
            let is_link = package["link"] == true;
            assert!(package["resolved"].is_null() || is_link, "{path}: {package}");
        }
        for path in ["README.md", "src/my_plugin.", "tests/my_plugin.test."] {
            let path = match language {
                Language::JavaScript if path.ends_with('.') => format!("{path}js"),
                _ if path.ends_with('.') => format!("{path}ts"),
                _ => path.to_owned(),
            };
            let text = content(&project, &path);
            assert!(text.contains("my_plugin") && !text.contains("MODULE"), "{path}: {text}");
        }
    }
}

#[test]
fn existing_path_is_not_overwritten() {
    let scratch = tempfile::tempdir().unwrap();
    let project = project("it", Language::Rust);
    let directory = scratch.path().join("it");
    fs::write(&directory, "mine").unwrap();
    let error = create(&project, &directory).unwrap_err();
    assert!(matches!(error, CreateError::Exists(_)), "{error}");
    assert_eq!(fs::read_to_string(&directory).unwrap(), "mine");
    let missing = scratch.path().join("missing/it");
    let error = create(&project, &missing).unwrap_err();
    assert!(matches!(error, CreateError::Write { .. }), "{error}");
    assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 1);
}

#[test]
fn contract_is_one_valid_text() {
    let text = contract_text();
    assert_eq!(text.matches("\npackage ").count(), 1, "{text}");
    for (name, content) in contract() {
        assert!(text.contains(content.trim_end()), "{name}");
    }
}
