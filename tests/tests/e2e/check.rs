//! `ophost plugins` and `ophost check`: accepted and rejected files, with the reasons.

use std::fs;

use e2e::guest::{Described, Operation, describing};
use serde_json::json;

use crate::harness::Project;

#[test]
fn every_file_is_listed_with_its_state() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    let output = project.run(&["plugins"]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines[0], "plugins/page.wasm  rejected");
    assert_eq!(lines[1], "  not a WebAssembly file");
    assert!(lines[2].starts_with("plugins/text.wasm  text 0.1.0  "), "{output}");
    assert_eq!(lines[3], "  slugify, word_count");
    assert_eq!((lines.len(), output.code), (4, Some(0)));
}

#[test]
fn json_has_the_state_of_every_file() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    let listed = project.run(&["plugins", "--json"]).json();
    assert_eq!(listed["plugins"][0]["state"], "rejected");
    assert_eq!(listed["plugins"][0]["reason"], "not a WebAssembly file");
    assert_eq!(listed["plugins"][1]["state"], "used");
    assert_eq!(listed["plugins"][1]["operations"], serde_json::json!(["slugify", "word_count"]));
}

#[test]
fn file_outside_the_plugin_directory_is_checked() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    let checked = project.run(&["check", "plugins/text.wasm"]);
    assert!(!project.path().join(".ophost").exists(), "the check created a project");
    // The sizes and times depend on the compiler.
    let is_stable = |line: &&str| !line.starts_with("  size") && !line.starts_with("  memory");
    let lines: Vec<_> = checked.stdout.lines().filter(is_stable).collect();
    insta::assert_snapshot!(lines.join("\n"), @"
    plugins/text.wasm: valid
      plugin    text 0.1.0
      contract  0.1.1
      imports   log, wasi:cli, wasi:io, wasi:random
    operations
      word_count
      slugify
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins/page.wasm"]), @"
    ---- stderr
    rejected: `plugins/page.wasm`: not a WebAssembly file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins"]), @"
    ---- stderr
    error: no `Cargo.toml`, `pyproject.toml`, `package.json`, `go.mod` or `plugin.toml` in `plugins`
    hint: pass the directory of a plugin; `ophost new` creates one
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins/none.wasm"]), @"
    ---- stderr
    error: cannot read `plugins/none.wasm`: No such file or directory (os error 2)
    ---- exit 2
    ");
}

#[test]
fn json_of_a_check_has_sizes_imports_and_models() {
    let project = Project::with_rust(&["jobs"]);
    fs::write(project.path().join("ophost.toml"), "").expect("a writable directory");
    let check = || project.run(&["check", "plugins/jobs.wasm", "--json"]).json();
    let checked = check();
    assert_eq!(checked["plugin"]["name"], "jobs");
    assert_eq!(checked["contract"], "0.1.1");
    let imports = checked["imports"].as_array().expect("a list");
    assert!(imports.contains(&json!("ophost:plugin/documents@0.1.1")), "{imports:?}");
    let file = fs::metadata(project.plugins().join("jobs.wasm")).expect("a file");
    assert_eq!(checked["bytes"], file.len());
    assert!(checked["code_bytes"].as_u64() > Some(file.len()), "{checked}");
    assert!(checked["memory_bytes"].as_u64() >= Some(64 << 10), "{checked}");
    assert!(checked["compile_seconds"].as_f64() > Some(0.0), "{checked}");
    let update = json!({"name": "update_job", "models_in": [], "models_out": ["Job"]});
    assert!(checked["operations"].as_array().expect("a list").contains(&update), "{checked}");
    assert_eq!(checked["warnings"], json!([]));
    assert!(check()["compile_seconds"].is_null(), "the code is in the cache");
}

#[test]
fn directory_is_built_and_checked() {
    let project = Project::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/text");
    let target =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let mut check = project.command(&["check", source, "--json"]);
    let output = project.output(check.env("CARGO_TARGET_DIR", target));
    assert_eq!(output.json()["plugin"]["name"], "text", "{output}");
    assert_eq!(fs::read_dir(project.plugins()).expect("a directory").count(), 0, "no installation");
}

#[test]
fn faulty_examples_are_warnings() {
    let project = Project::new();
    let schema = json!({
        "type": "object",
        "required": ["code"],
        "properties": {
            "code": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "count": {"type": "integer", "minimum": 1, "examples": [0]},
        },
    });
    let mut operation = Operation::new("ship");
    operation.input_schema = schema.to_string();
    let plugin = describing(&Described::new("it").with(operation)).expect("a guest");
    project.add("it", &plugin);
    let output = project.run(&["check", "plugins/it.wasm"]);
    insta::assert_snapshot!(output.stderr, @"
    warning: an example in the input schema of `ship` at `/properties/count` is not valid: expected at least 1, got 0
    warning: operation `ship` has no example command, because no valid input can be derived from its schema; add `examples` to the input schema
    ");
    assert_eq!(output.code, Some(0));
}

#[test]
fn ignored_plugin_files_are_listed_with_a_fix() {
    let project = Project::new();
    let plugin = describing(&Described::new("it").with(Operation::new("shout"))).expect("a guest");
    let old = project.plugins().join("old");
    fs::create_dir_all(old.join("deep")).expect("a writable directory");
    fs::create_dir(project.plugins().join("empty")).expect("a writable directory");
    fs::write(project.plugins().join("shout.WASM"), &plugin).expect("a writable directory");
    fs::write(project.plugins().join("notes.txt"), "").expect("a writable directory");
    for name in ["a.wasm", "b.wasm", "c.txt", "deep/d.wasm"] {
        fs::write(old.join(name), &plugin).expect("a writable directory");
    }
    insta::assert_snapshot!(project.run(&["plugins"]), @"
    plugins/old  ignored
      subdirectories are not read: move its `.wasm` files (2) up, or add it to `plugins`
    plugins/shout.WASM  ignored
      the extension must be `.wasm` in lower case: rename the file
    ");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    No operations. Run `ophost new NAME` to create a plugin, or copy a component into the plugin directory.
    warning: `plugins/old` was rejected: subdirectories are not read: move its `.wasm` files (2) up, or add it to `plugins`
    warning: `plugins/shout.WASM` was rejected: the extension must be `.wasm` in lower case: rename the file
    ");
    let listed = project.run(&["plugins", "--json"]).json();
    let states: Vec<_> =
        listed["plugins"].as_array().expect("a list").iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["ignored", "ignored"]);

    // Apply the suggested fixes.
    fs::rename(project.plugins().join("shout.WASM"), project.plugins().join("shout.wasm"))
        .expect("a writable directory");
    fs::remove_file(old.join("b.wasm")).expect("a writable directory");
    fs::remove_file(old.join("a.wasm")).expect("a writable directory");
    assert_eq!(project.run(&["run", "shout"]).code, Some(0));
    fs::write(old.join("a.wasm"), &plugin).expect("a writable directory");
    let both = ["plugins", "--plugins", "plugins", "--plugins", "plugins/old", "--json"];
    let listed = project.run(&both).json();
    let all = listed["plugins"].as_array().expect("a list");
    let ignored = all.iter().filter(|it| it["state"] == "ignored").map(|it| &it["file"]);
    assert_eq!(ignored.collect::<Vec<_>>(), ["plugins/old/deep"]);
}
