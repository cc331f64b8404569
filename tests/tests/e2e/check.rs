//! `ophost plugins` and `ophost check`: which files a host takes, and why not the others.

use crate::harness::Project;

#[test]
fn every_file_is_listed_with_its_state() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    let output = project.run(&["plugins"]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(lines[0], "plugins/page.wasm  refused");
    assert_eq!(lines[1], "  not a WebAssembly file");
    assert!(lines[2].starts_with("plugins/text.wasm  text 0.1.0  "), "{output}");
    assert_eq!(lines[3], "  slugify, word_count");
    assert_eq!((lines.len(), output.code), (4, Some(0)));
}

#[test]
fn json_tells_the_state_of_every_file() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    let listed = project.run(&["plugins", "--json"]).json();
    assert_eq!(listed["plugins"][0]["state"], "refused");
    assert_eq!(listed["plugins"][0]["reason"], "not a WebAssembly file");
    assert_eq!(listed["plugins"][1]["state"], "used");
    assert_eq!(listed["plugins"][1]["operations"], serde_json::json!(["slugify", "word_count"]));
}

#[test]
fn a_file_is_checked_wherever_it_is() {
    let project = Project::with_rust(&["text"]);
    project.add("page", b"<html>");
    insta::assert_snapshot!(project.run(&["check", "plugins/text.wasm"]), @"plugins/text.wasm: word_count, slugify");
    insta::assert_snapshot!(project.run(&["check", "plugins/page.wasm"]), @"
    ---- stderr
    refused: `plugins/page.wasm`: not a WebAssembly file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins"]), @"
    ---- stderr
    refused: `plugins`: not a regular file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["check", "plugins/none.wasm"]), @"
    ---- stderr
    error: cannot read `plugins/none.wasm`: No such file or directory (os error 2)
    ---- exit 2
    ");
}
