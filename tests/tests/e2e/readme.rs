//! What the READMEs show: calls are made, and the plugin of the SDK is built, as they stand there.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{OPHOST, Project};

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
fn the_calls_of_the_readme_are_made_as_they_stand_there() {
    let readme = fs::read_to_string(top().join("README.md")).expect("the README");
    let (_, section) = readme.split_once("## Call an operation").expect("the section");
    let project = Project::with_rust(&["text", "csv-profile"]);
    symlink(OPHOST, project.path().join("ophost")).expect("a name");
    let path = std::env::var("PATH").expect("a shell is found by it");
    let calls: Vec<_> =
        block(section, "console").lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    assert!(calls.len() >= 4, "{calls:?}");
    for call in calls {
        let mut shell = Command::new("sh");
        shell.args(["-c", call]).current_dir(top());
        shell.env("PATH", format!("{}:{path}", project.path().display()));
        shell.env("OPHOST_PLUGINS", project.plugins());
        let output = project.output(shell.env("OPHOST_DATA", project.path().join(".ophost")));
        assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{call}: {output}");
        assert!(output.json().is_object(), "{call}: {output}");
    }
}

#[test]
fn the_plugin_of_the_sdk_s_readme_is_about_fifteen_lines() {
    let readme = fs::read_to_string(top().join("guest-sdk/README.md")).expect("the README");
    let lines = block(&readme, "rust").lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines} lines");
}
