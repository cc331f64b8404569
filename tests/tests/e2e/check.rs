//! `ophost plugins` and `ophost check`: accepted and rejected files, with the reasons.

use std::fs;

use e2e::guest::{Described, Operation, describing};

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
    insta::assert_snapshot!(project.run(&["check", "plugins/text.wasm"]), @"plugins/text.wasm: word_count, slugify");
    assert!(!project.path().join(".ophost").exists(), "the check created a project");
    insta::assert_snapshot!(project.run(&["check", "plugins/page.wasm"]), @"
    ---- stderr
    rejected: `plugins/page.wasm`: not a WebAssembly file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins"]), @"
    ---- stderr
    rejected: `plugins`: not a regular file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins/none.wasm"]), @"
    ---- stderr
    error: cannot read `plugins/none.wasm`: No such file or directory (os error 2)
    ---- exit 2
    ");
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
    No operations. Run `ophost build DIR --install` to add a Rust plugin, or copy a component into the plugin directory.
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
