//! `ophost new`: projects that build, test and run as they stand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::Project;

/// Returns the target directory of the tests, which has the compiled dependencies of plugins.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory").to_owned()
}

fn cargo(project: &Path, arguments: &[&str]) -> (bool, String) {
    let mut cargo = Command::new("cargo");
    // Apart from the workspace's own output: the projects have other profiles.
    let target = target().join("projects");
    cargo.args(arguments).current_dir(project).env("CARGO_TARGET_DIR", target);
    let output = cargo.output().expect("cargo starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn rust_project_builds_and_runs_without_a_source_tree() {
    let project = Project::new();
    let new = project.run(&["new", "new-greeter"]);
    insta::assert_snapshot!(new, @"
    created new-greeter in `new-greeter`: a plugin in Rust with the operation `new_greeter`

    Next commands:
      cd new-greeter
      ophost test
      ophost build --install
      ophost run new_greeter name=World
    ");
    let build = ["build", "new-greeter", "--install"];
    let build = project.output(project.command(&build).env("CARGO_TARGET_DIR", target()));
    assert_eq!(
        (build.stdout.as_str(), build.code),
        ("plugins/new-greeter.wasm\n", Some(0)),
        "{build}"
    );
    assert!(build.stderr.contains("built `new-greeter`, "), "{build}");
    assert!(build.stderr.ends_with(": new_greeter\n"), "{build}");
    let run = project.run(&["run", "new_greeter", "name=World"]);
    insta::assert_snapshot!(run, @r#"{"text":"Hello, World!"}"#);
    let invalid = project.run(&["run", "new_greeter", "name="]);
    assert_eq!(invalid.code, Some(2), "{invalid}");
}

#[test]
fn tests_of_a_rust_project_pass_with_its_lock_file() {
    let project = Project::new();
    assert_eq!(project.run(&["new", "new-tested"]).code, Some(0));
    let (is_success, output) = cargo(&project.path().join("new-tested"), &["test", "--locked"]);
    assert!(is_success && output.contains("test result: ok. 2 passed"), "{output}");
}

#[test]
fn project_works_below_another_workspace() {
    let project = Project::new();
    let manifest = "[workspace]\nmembers = [\"plugins/*\"]\nresolver = \"3\"\n";
    fs::write(project.path().join("Cargo.toml"), manifest).expect("a file");
    insta::assert_snapshot!(project.run(&["new", "new-inner", "plugins/inner"]), @"
    created new-inner in `plugins/inner`: a plugin in Rust with the operation `new_inner`

    Next commands:
      cd plugins/inner
      ophost test
      ophost build --install
      ophost run new_inner name=World
    ---- stderr
    warning: `members` in `[DIR]/Cargo.toml` includes the project, which is a workspace
    hint: add the project to `exclude` under `[workspace]` in `[DIR]/Cargo.toml`
    ");
    let inner = project.path().join("plugins/inner");
    let (is_success, output) = cargo(&inner, &["update", "--workspace", "--locked", "--offline"]);
    assert!(is_success, "{output}");
}

#[test]
fn created_project_is_printed_as_json() {
    let project = Project::new();
    let created = project.run(&["new", "my-plugin", "a b", "--json"]).json();
    assert_eq!(
        created,
        json!({
            "name": "my-plugin",
            "language": "rust",
            "directory": "a b",
            "operation": "my_plugin",
            "commands": [
                "cd 'a b'",
                "ophost test",
                "ophost build --install",
                "ophost run my_plugin name=World",
            ],
        })
    );
    let mut files: Vec<_> = fs::read_dir(project.path().join("a b"))
        .expect("the project")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    files.sort();
    let expected = [".gitignore", "Cargo.lock", "Cargo.toml", "README.md", "cases", "sdk", "src"];
    assert_eq!(files, expected);
}

#[test]
fn invalid_name_is_rejected_with_a_valid_one() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["new", "My Plugin!"]), @"
    ---- stderr
    error: `My Plugin!` is not a project name: use lower case letters, digits, `_` and `-`, with a letter first
    hint: use for example `my_plugin`
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["new", "match"]), @"
    ---- stderr
    error: `match` cannot be a project name: it is a keyword of Rust
    hint: use for example `match_plugin`
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["new", "json", "--lang", "python"]), @"
    ---- stderr
    error: `json` cannot be a project name: it is a module of Python's standard library
    hint: use for example `json_plugin`
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["new", "it", "--lang", "fortran"]), @"
    ---- stderr
    error: invalid value 'fortran' for '--lang <LANGUAGE>'
      [possible values: rust, python, typescript, javascript, go, c, cpp, zig]

    For more information, try '--help'.
    ---- exit 2
    ");
    assert_eq!(fs::read_dir(project.path()).expect("a directory").count(), 1);
}

#[test]
fn existing_directory_is_not_overwritten() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["new", "plugins"]), @"
    ---- stderr
    error: `plugins` exists
    hint: choose another name, or pass another directory
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["new", "it", "missing/it"]), @"
    ---- stderr
    error: cannot create `missing/it`: No such file or directory (os error 2)
    ---- exit 1
    ");
}
