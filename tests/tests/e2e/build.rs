//! `ophost build`: error messages.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Project;

/// Writes a package. Packages that share a target directory need different names.
fn package(project: &Project, name: &str, manifest: &str, code: &str) {
    let directory = project.path().join(name);
    fs::create_dir_all(directory.join("src")).expect("a directory");
    let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{manifest}");
    fs::write(directory.join("Cargo.toml"), manifest).expect("a file");
    fs::write(directory.join("src/lib.rs"), code).expect("a file");
}

#[test]
fn directory_without_a_plugin_is_named() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["build", "missing"]), @"
    ---- stderr
    error: `missing` is not a directory
    hint: pass the directory of the plugin's `Cargo.toml`
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["build", "plugins"]), @"
    ---- stderr
    error: no `Cargo.toml` in `plugins`
    hint: pass the directory of the plugin's `Cargo.toml`
    ---- exit 2
    ");
    package(&project, "it", "", "");
    insta::assert_snapshot!(project.run(&["build", "it"]), @r#"
    ---- stderr
    error: package `it` does not build a WebAssembly module
    hint: add `crate-type = ["cdylib"]` under `[lib]` in `it/Cargo.toml`
    ---- exit 2
    "#);
}

#[test]
fn failed_build_shows_the_compiler_errors() {
    let project = Project::new();
    package(&project, "wrong", "[lib]\ncrate-type = [\"cdylib\"]\n", "fn main() { nonsense }");
    let target =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let output =
        project.output(project.command(&["build", "wrong"]).env("CARGO_TARGET_DIR", target));
    assert!(output.stderr.contains("cannot find value `nonsense` in this scope"), "{output}");
    assert!(output.stderr.contains("error: cannot compile `wrong`\n"), "{output}");
    assert_eq!((output.stdout.as_str(), output.code), ("", Some(1)));
}

#[test]
fn module_that_is_not_a_plugin_is_not_installed() {
    let project = Project::new();
    package(&project, "other", "[lib]\ncrate-type = [\"cdylib\"]\n", "");
    let target =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let mut build = project.command(&["build", "other", "--install"]);
    let output = project.output(build.env("CARGO_TARGET_DIR", target));
    assert_eq!((output.stdout.as_str(), output.code), ("", Some(1)), "{output}");
    assert!(output.stderr.contains("error: package `other` is not a valid plugin"), "{output}");
    assert_eq!(fs::read_dir(project.plugins()).expect("a directory").count(), 0);
}

#[test]
fn missing_target_is_reported_with_the_command_that_adds_it() {
    let project = Project::new();
    package(&project, "other", "[lib]\ncrate-type = [\"cdylib\"]\n", "");
    let tools = project.path().join("tools");
    fs::create_dir_all(&tools).expect("a directory");
    let script = |name: &str, text: &str| {
        let file = tools.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a file");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("a mode");
        file
    };
    // A compiler without a WebAssembly target, and a rustup without a network.
    let rustc = script("rustc", "echo /no/such/directory");
    script("rustup", "echo 'error: could not download file' >&2; exit 1");
    let path = env::var_os("PATH").expect("a path");
    let path = env::join_paths([tools].into_iter().chain(env::split_paths(&path))).expect("a path");
    let mut build = project.command(&["build", "other"]);
    insta::assert_snapshot!(project.output(build.env("RUSTC", rustc).env("PATH", path)), @"
    ---- stderr
    no wasm target is installed: running `rustup target add wasm32-wasip2`
    error: no WebAssembly target is installed, and rustup cannot add one: could not download file
    hint: run `rustup target add wasm32-wasip2`; rustup is at https://rustup.rs
    ---- exit 1
    ");
}
