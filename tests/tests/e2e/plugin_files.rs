//! `ophost plugins install` and `ophost plugins remove`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use e2e::guest::{Described, Operation, describing};

use crate::harness::{Project, rust_guest};

/// Writes a plugin with these operations to a file in the project.
fn plugin(project: &Project, file: &str, operations: &[&str]) {
    let operations = operations.iter().map(|name| Operation::new(name));
    let described = operations.fold(Described::new("it"), Described::with);
    fs::write(project.path().join(file), describing(&described).expect("a guest")).expect("a file");
}

#[test]
fn installed_plugin_can_be_run_and_removed() {
    let project = Project::new();
    let text = project.path().join("text.wasm");
    fs::copy(rust_guest("text"), &text).expect("a file");
    fs::set_permissions(&text, fs::Permissions::from_mode(0o666)).expect("a mode");
    let install = project.run(&["plugins", "install", "text.wasm"]);
    assert_eq!((install.stdout.as_str(), install.code), ("plugins/text.wasm\n", Some(0)));
    assert!(install.stderr.ends_with(": word_count, slugify\n"), "{install}");
    let mode = fs::metadata(project.plugins().join("text.wasm")).expect("a file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o644);
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=a b"]), @r#"{"slug":"a-b"}"#);
    insta::assert_snapshot!(project.run(&["plugins", "remove", "text"]), @"removed `plugins/text.wasm`: slugify, word_count");
    assert_eq!(project.run(&["run", "slugify", "text=a b"]).code, Some(3));
}

#[test]
fn code_of_an_installed_plugin_is_in_the_cache() {
    let project = Project::new();
    fs::copy(rust_guest("text"), project.path().join("text.wasm")).expect("a file");
    project.run(&["plugins", "install", "text.wasm"]);
    let count = || fs::read_dir(project.path().join(".ophost/cache")).expect("a cache").count();
    let installed = count();
    assert!(installed > 0);
    project.run(&["run", "slugify", "text=a"]);
    assert_eq!(count(), installed);
}

#[test]
fn invalid_file_is_not_installed() {
    let project = Project::new();
    fs::write(project.path().join("text.wasm"), "text").expect("a file");
    plugin(&project, "good.wasm", &["good"]);
    insta::assert_snapshot!(project.run(&["plugins", "install", "good.wasm", "text.wasm"]), @"
    ---- stderr
    error: `text.wasm` is not a valid plugin: not a WebAssembly file
    ---- exit 1
    ");
    insta::assert_snapshot!(project.run(&["plugins", "install", "missing.wasm"]), @"
    ---- stderr
    error: cannot read `missing.wasm`: No such file or directory (os error 2)
    ---- exit 2
    ");
    assert_eq!(fs::read_dir(project.plugins()).expect("a directory").count(), 0);
}

#[test]
fn directory_of_sources_is_not_installed_as_a_file() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["plugins", "install", "plugins"]), @"
    ---- stderr
    error: `plugins` is a directory
    hint: run `ophost build plugins --install` to build and install its plugin
    ---- exit 2
    ");
}

#[test]
fn plugin_with_a_taken_name_is_not_installed() {
    let project = Project::new();
    plugin(&project, "plugins/first.wasm", &["a", "b"]);
    plugin(&project, "second.wasm", &["b", "c"]);
    insta::assert_snapshot!(project.run(&["plugins", "install", "second.wasm"]), @"
    ---- stderr
    error: operation `b` of `second` is also declared by `plugins/first.wasm`
    hint: rename the operation, or run `ophost plugins remove plugins/first.wasm`
    ---- exit 1
    ");
    assert!(!project.plugins().join("second.wasm").exists());
}

#[test]
fn another_plugin_of_the_same_name_is_replaced_only_on_request() {
    let project = Project::new();
    plugin(&project, "it.wasm", &["a", "b"]);
    assert_eq!(project.run(&["plugins", "install", "it.wasm"]).code, Some(0));
    plugin(&project, "it.wasm", &["b", "c"]);
    assert_eq!(project.run(&["plugins", "install", "it.wasm"]).code, Some(0));
    plugin(&project, "it.wasm", &["d"]);
    insta::assert_snapshot!(project.run(&["plugins", "install", "it.wasm"]), @"
    ---- stderr
    error: `plugins/it.wasm` is another plugin, with the operations `b`, `c`
    hint: use `--replace` to replace it, or rename the new plugin
    ---- exit 1
    ");
    let replaced = project.run(&["plugins", "install", "it.wasm", "--replace", "--json"]).json();
    assert_eq!(replaced["plugins"][0]["operations"], serde_json::json!(["d"]));
    assert!(project.run(&["list"]).stdout.contains('d'));
}

#[test]
fn unknown_plugin_is_not_removed() {
    let project = Project::new();
    plugin(&project, "plugins/greeter.wasm", &["greet"]);
    fs::write(project.plugins().join("bad.wasm"), "text").expect("a file");
    insta::assert_snapshot!(project.run(&["plugins", "remove", "greter"]), @"
    ---- stderr
    error: no plugin `greter`
    hint: did you mean `greeter`?
    ---- exit 3
    ");
    let removed = project.run(&["plugins", "remove", "bad", "plugins/greeter.wasm", "--json"]);
    assert_eq!(
        removed.json(),
        serde_json::json!({"removed": [
            {"file": "plugins/bad.wasm", "operations": []},
            {"file": "plugins/greeter.wasm", "operations": ["greet"]},
        ]})
    );
    insta::assert_snapshot!(project.run(&["plugins", "list"]), @"");
}
