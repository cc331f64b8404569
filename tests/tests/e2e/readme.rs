//! What the SDK's README shows is built, installed and run as it stands there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Project;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Returns the first block of code of a language in a Markdown text.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let (_, rest) = text.split_once(&fence).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split("\n```").next().expect("an end")
}

/// Uses the repository's own compiler output, toolchain and versions of dependencies.
fn share_the_target(command: &mut Command) -> &mut Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    command.env("CARGO_TARGET_DIR", target)
}

fn write_plugin(project: &Project, readme: &str) {
    let package = project.path().join("greeter");
    fs::create_dir_all(package.join("src")).expect("a directory");
    let manifest = block(readme, "toml");
    assert!(manifest.contains("../ophost/guest-sdk"), "the README's path to the SDK");
    let sdk = top().join("guest-sdk").display().to_string();
    let manifest = manifest.replace("../ophost/guest-sdk", &sdk);
    fs::write(package.join("Cargo.toml"), manifest).expect("a file");
    fs::write(package.join("src/lib.rs"), block(readme, "rust")).expect("a file");
    fs::copy(top().join("Cargo.lock"), package.join("Cargo.lock")).expect("a lock file");
}

#[test]
fn the_plugin_of_the_sdk_s_readme_is_built_and_run() {
    let readme = fs::read_to_string(top().join("guest-sdk/README.md")).expect("the README");
    let project = Project::new();
    write_plugin(&project, &readme);
    let mut transcript = block(&readme, "console").lines();
    let mut next = || transcript.next().expect("a line of the README");

    assert_eq!(next(), "$ ophost build greeter --install");
    let build =
        project.output(share_the_target(&mut project.command(&["build", "greeter", "--install"])));
    assert_eq!((build.stdout.as_str(), build.code), ("plugins/greeter.wasm\n", Some(0)), "{build}");

    assert_eq!(next(), "$ ophost run greet name=World");
    let run = project.run(&["run", "greet", "name=World"]);
    assert_eq!(run.stdout.trim_end(), next(), "{run}");
}

#[test]
fn the_plugin_of_the_sdk_s_readme_is_about_fifteen_lines() {
    let readme = fs::read_to_string(top().join("guest-sdk/README.md")).expect("the README");
    let lines = block(&readme, "rust").lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines} lines");
}
