//! `ophost build`: error messages.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::harness::Project;

/// Writes an executable script.
fn script(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
    fs::write(file, format!("#!/bin/sh\n{text}\n")).expect("a file");
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// Returns the command with a `PATH` of only the scripts of the project.
fn with_tools(project: &Project, arguments: &[&str]) -> Command {
    let mut command = project.command(arguments);
    command.env("PATH", project.path().join("tools")).env_remove("VIRTUAL_ENV");
    command
}

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
    hint: pass the directory of a plugin; `ophost new` creates one
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["build"]), @"
    ---- stderr
    error: no `Cargo.toml`, `pyproject.toml`, `package.json`, `go.mod` or `plugin.toml` in `.`
    hint: pass the directory of a plugin; `ophost new` creates one
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
    // A compiler without a WebAssembly target, and a rustup without a network.
    let rustc = tools.join("rustc");
    script(&rustc, "echo /no/such/directory");
    script(&tools.join("rustup"), "echo 'error: could not download file' >&2; exit 1");
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

#[test]
fn missing_cargo_is_reported_with_its_installer() {
    let project = Project::new();
    package(&project, "other", "[lib]\ncrate-type = [\"cdylib\"]\n", "");
    insta::assert_snapshot!(project.output(&mut with_tools(&project, &["build", "other"])), @"
    ---- stderr
    error: cannot run `cargo`: No such file or directory (os error 2)
    hint: install Rust with rustup, https://rustup.rs
    ---- exit 1
    ");
}

#[test]
fn missing_node_or_package_is_reported_with_the_command_that_installs_it() {
    let project = Project::new();
    let manifest = r#"{"name": "it", "version": "1.0.0", "main": "it.js",
        "dependencies": {"ophost-sdk": "file:sdk"}}"#;
    fs::write(project.path().join("package.json"), manifest).expect("a file");
    let build = || project.output(&mut with_tools(&project, &["build"]));
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: no file `it.js`
    hint: set `main` to the source file that exports the operations: `src/plugin.ts`
    ---- exit 2
    ");
    fs::write(project.path().join("it.js"), "").expect("a file");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: cannot find `node`, which bundles JavaScript
    hint: install Node.js 20 or newer, from https://nodejs.org
    ---- exit 1
    ");
    let node = project.path().join("tools/node");
    script(&node, "echo v18.20.4");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: Node.js 18.20.4 is too old: version 20 or newer is needed
    hint: install Node.js 20 or newer, from https://nodejs.org
    ---- exit 1
    ");
    script(&node, "echo v20.19.0");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: cannot find the package `ophost-sdk` in `node_modules`
    hint: run `npm install`
    ---- exit 1
    ");
}

/// Writes a project in Python.
fn python_project(project: &Project) {
    let manifest = "[project]\nname = \"it\"\nversion = \"1.0.0\"\n";
    fs::write(project.path().join("pyproject.toml"), manifest).expect("a file");
    fs::write(project.path().join("it.py"), "").expect("a file");
    fs::write(project.path().join("requirements.txt"), "").expect("a file");
}

#[test]
fn missing_python_toolchain_is_reported_with_the_command_that_installs_it() {
    let project = Project::new();
    python_project(&project);
    let python = project.path().join("tools/python3");
    let build = || project.output(&mut with_tools(&project, &["build"]));
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: cannot find `python3`, which componentize-py needs
    hint: install Python 3.10 or newer, on Debian with `apt-get install python3 python3-venv`
    ---- exit 1
    ");
    script(&python, "echo 3.9");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: Python 3.9 is too old: componentize-py needs Python 3.10 or newer
    hint: install Python 3.10 or newer, on Debian with `apt-get install python3 python3-venv`
    ---- exit 1
    ");
    script(&python, "case $2 in *ensurepip*) exit 1;; esac; echo 3.11");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: this Python has no module `venv` to install componentize-py with
    hint: on Debian, run `apt-get install python3-venv`
    ---- exit 1
    ");
    script(&python, "echo 3.11");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: cannot find `componentize-py`, which compiles Python to components
    hint: run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt`
    ---- exit 1
    ");
    let compiler = project.path().join(".venv/bin/componentize-py");
    script(&compiler, "echo componentize-py 0.13.2");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: `[DIR]/.venv/bin/componentize-py` has version 0.13.2, but version 0.25.x is needed
    hint: run `python3 -m venv --clear .venv && .venv/bin/pip install -r requirements.txt`
    ---- exit 1
    ");
    script(&compiler, "echo 'ImportError: no module' >&2; exit 1");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: `[DIR]/.venv/bin/componentize-py` does not start: ImportError: no module
    hint: run `python3 -m venv --clear .venv && .venv/bin/pip install -r requirements.txt`
    ---- exit 1
    ");
    fs::remove_file(project.path().join("it.py")).expect("a file");
    insta::assert_snapshot!(build(), @"
    ---- stderr
    error: cannot build `.`: no module `it`
    hint: set `module` under `[tool.ophost]` to the module with the operations
    ---- exit 2
    ");
}

/// Returns a package whose module contains a text.
fn package_with_text(project: &Project, directory: &str, text: &str) -> PathBuf {
    let manifest = "[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n";
    let code =
        format!("#[unsafe(no_mangle)]\npub static TEXT: [u8; {}] = *b\"{text}\";\n", text.len());
    package(project, directory, manifest, &code);
    let directory = project.path().join(directory);
    let manifest = fs::read_to_string(directory.join("Cargo.toml")).expect("a manifest");
    let (_, rest) = manifest.split_once("edition").expect("an edition");
    let manifest = format!("[package]\nname = \"same\"\nedition{rest}");
    fs::write(directory.join("Cargo.toml"), manifest).expect("a file");
    directory
}

#[test]
fn projects_of_the_same_name_do_not_overwrite_each_other() {
    let project = Project::new();
    let texts = ["text of the first project", "text of the second project"];
    let directories = [0, 1].map(|index| package_with_text(&project, texts[index], texts[index]));
    // The modules are no plugins, so each build fails after it has copied its module.
    let build = |directory: &Path| {
        let mut command = project.command(&["build"]);
        command.current_dir(directory).env_remove("CARGO_TARGET_DIR");
        project.output(command.env("XDG_CACHE_HOME", project.path().join("cache")))
    };
    for _ in 0..2 {
        thread::scope(|scope| {
            for directory in &directories {
                scope.spawn(|| {
                    let output = build(directory);
                    assert!(output.stderr.contains("`same` is not a valid plugin"), "{output}");
                });
            }
        });
        for (directory, text) in directories.iter().zip(texts) {
            let module = fs::read(directory.join("target/wasm/modules/same.wasm"));
            let module = module.expect("a module");
            let is_inside = module.windows(text.len()).any(|window| window == text.as_bytes());
            assert!(is_inside, "{text}");
        }
    }
    let names = fs::read_dir(project.path().join("cache/ophost")).expect("the cache");
    assert_eq!(names.count(), 2);
}

#[test]
fn dependencies_of_two_plugins_are_compiled_once() {
    let project = Project::new();
    package(&project, "common", "", "");
    let manifest = "[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\ncommon.path = \"../common\"\n\
        [workspace]\n";
    let compiles_common = |name: &str| {
        package(&project, name, manifest, "");
        let mut build = project.command(&["build", name]);
        build.env_remove("CARGO_TARGET_DIR").env("XDG_CACHE_HOME", project.path().join("cache"));
        let output = project.output(&mut build);
        assert!(output.stderr.contains(&format!("Compiling {name} ")), "{output}");
        output.stderr.contains("Compiling common ")
    };
    assert_eq!(["one", "two"].map(compiles_common), [true, false]);
}
