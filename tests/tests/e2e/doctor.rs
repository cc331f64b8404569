//! `ophost doctor`: findings and suggested fixes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Output, Project};

/// State, text and fix of a finding.
type Finding = (String, String, Option<String>);

fn findings(output: &Output, check: &str) -> Vec<Finding> {
    let report = output.json();
    let all = report["findings"].as_array().expect("findings").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let chosen = all.filter(|finding| finding["check"] == check);
    let read =
        |it: &Value| (text(&it["state"]), text(&it["text"]), it["fix"].as_str().map(str::to_owned));
    chosen.map(read).collect()
}

fn one(state: &str, text: &str, fix: &str) -> Finding {
    (state.to_owned(), text.to_owned(), Some(fix.to_owned()))
}

fn allow(project: &Project, name: &str, mode: u32) {
    let path = project.path().join(name);
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of this user");
}

#[test]
fn invalid_store_file_is_a_problem_with_a_fix() {
    let project = Project::new();
    let store = project.path().join(".ophost/store");
    fs::create_dir_all(&store).expect("a file of this user");
    allow(&project, ".ophost/store", 0o700);
    fs::write(store.join("store.redb"), "not a store".repeat(1000)).expect("a file of this user");
    let found = findings(&project.run(&["doctor", "--json"]), "records");
    let [(state, text, Some(fix))] = &found[..] else { panic!("{found:?}") };
    assert_eq!(state, "problem");
    assert!(text.starts_with("the store is corrupted at `store.redb`: "), "{text}");
    assert!(fix.contains("ophost store salvage") && fix.contains("a backup"), "{fix}");
    for command in [&["runs", "list"][..], &["store", "check"], &["store", "salvage", "it"]] {
        let found = project.run(command);
        assert_eq!(found.code, Some(5), "{found}");
        assert!(found.stderr.contains(text) && found.stderr.contains(fix), "{found}");
    }
    let entries = fs::read_dir(project.path()).expect("a file of this user");
    assert!(entries.flatten().all(|entry| entry.file_name() != "it"), "a file was left");
}

#[test]
fn healthy_project_has_no_problem() {
    let project = Project::with_rust(&["text"]);
    project.settings("");
    allow(&project, "plugins", 0o755);
    let output = project.run(&["doctor"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    let line = |start: &str| output.stdout.lines().find(|line| line.starts_with(start));
    assert_eq!(line("ok       settings"), Some("ok       settings     `ophost.toml`"), "{output}");
    assert_eq!(line("ok       operations"), Some("ok       operations   2 available"));
    assert_eq!(line("ok       records"), Some("ok       records      none yet"));
    assert!(line("ok       versions").is_some_and(|line| line.contains("wasmtime 48.")));
    assert!(output.stdout.contains("no problems, "), "{output}");
}

#[test]
fn files_that_others_can_change_are_warnings_with_a_fix() {
    let project = Project::with_rust(&["text"]);
    project.settings_of_mode("[operations.none]\nlog = \"1KiB\"", 0o666);
    project.share("plugins", 0o775);
    let cache = project.path().join(".ophost/cache");
    fs::create_dir_all(&cache).expect("a directory");
    project.share(".ophost", 0o775);
    allow(&project, ".ophost/cache", 0o755);
    project.add("page", b"<html>");
    let doctor =
        || project.output(project.command(&["doctor", "--json"]).env("TMPDIR", project.path()));
    let output = doctor();
    let group = "set `OPHOST_TRUST=group-writable` to accept it";
    let world = "set `OPHOST_TRUST=world-writable` to accept it";
    let text = "`ophost.toml` is not trusted: every user can write to it (mode 0666)";
    let fix = format!("run `chmod go-w ophost.toml`, or {world}");
    assert_eq!(findings(&output, "settings"), [one("warning", text, &fix)]);
    let text = "`plugins`: its group can write to it (mode 0775)";
    let fix = format!("run `chmod go-w plugins`, or {group}");
    assert_eq!(findings(&output, "plugins"), [one("problem", text, &fix)]);
    let text = format!("the plugins are not trusted: {text}");
    assert_eq!(findings(&output, "operations"), [one("problem", &text, &fix)]);
    let text = "`.ophost`: its group can write to it (mode 0775)";
    let fix = format!("run `chmod go-w .ophost`, or {group}");
    assert_eq!(findings(&output, "data"), [one("warning", text, &fix)]);
    let [(state, text, Some(fix))] = &findings(&output, "cache")[..] else { panic!("{output}") };
    assert_eq!(state, "warning");
    assert!(text.ends_with("`.ophost/cache`: every user has access to it (mode 0755)"), "{text}");
    assert!(fix.starts_with("run `rm -rf .ophost/cache`"), "{fix}");
    assert_eq!(output.code, Some(1));
    allow(&project, "plugins", 0o755);
    let output = doctor();
    let text = "`[operations.none]` is not the name of an operation";
    let settings = findings(&output, "settings");
    assert_eq!(settings[1], one("warning", text, "run `ophost list` to list the names"));
    let text = "2 available; 1 plugin file rejected";
    assert_eq!(
        findings(&output, "operations"),
        [one("warning", text, "run `ophost plugins` to show the reasons")]
    );
    assert_eq!(output.code, Some(0));
}

#[test]
fn number_of_records_is_reported() {
    let project = Project::with_rust(&["text"]);
    project.run(&["run", "slugify", "text=a"]);
    let found = findings(&project.run(&["doctor", "--json"]), "records").remove(0);
    assert_eq!(found.0, "ok");
    assert!(
        found.1.ends_with(", no run in progress; run `ophost store check` to check all records"),
        "{found:?}"
    );
    fs::write(project.path().join(".ophost/store/store.redb"), [7; 10_000])
        .expect("a file of this user");
    let output = project.run(&["doctor", "--json"]);
    let found = findings(&output, "records").remove(0);
    assert_eq!((found.0.as_str(), output.code), ("problem", Some(1)), "{output}");
    assert!(found.2.is_some_and(|fix| fix.contains("ophost ")), "{output}");
}

#[test]
fn store_that_cannot_be_written_is_a_problem() {
    let project = Project::with_rust(&["text"]);
    let run = ["run", "slugify", "text=a"];
    project.run(&run);
    assert_eq!(findings(&project.run(&["doctor", "--json"]), "records")[0].0, "ok");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
    let path = project.path().join(".ophost/store/store.redb");
    let mut bytes = fs::read(&path).expect("a file of this user");
    let name = b"idempotency";
    let offsets: Vec<_> =
        bytes.windows(name.len()).enumerate().filter(|(_, it)| it == name).map(|it| it.0).collect();
    for offset in offsets {
        bytes[offset + name.len() - 1] = b'x';
    }
    fs::write(&path, bytes).expect("a file of this user");
    let output = project.run(&["doctor", "--json"]);
    let found = findings(&output, "records").remove(0);
    assert_eq!((found.0.as_str(), output.code), ("problem", Some(1)), "{output}");
    assert_eq!(found.1, "the store is corrupted at `table idempotency`: missing table");
    let failed = project.run(&run);
    assert!(failed.code == Some(5) && failed.stderr.contains(&found.1), "{failed}");
    assert_eq!(project.run(&["runs", "export"]).stdout.lines().count(), 1);
}

#[test]
fn world_writable_plugin_directory_is_a_problem() {
    let project = Project::with_rust(&["text"]);
    allow(&project, "plugins", 0o777);
    let output = project.run(&["doctor", "--json"]);
    let text = "`plugins`: every user can write to it (mode 0777)";
    let fix = "run `chmod go-w plugins`, or set `OPHOST_TRUST=world-writable` to accept it";
    assert_eq!(findings(&output, "plugins"), [one("problem", text, fix)]);
    let text = format!("the plugins are not trusted: {text}");
    assert_eq!(findings(&output, "operations"), [one("problem", &text, fix)]);
    assert_eq!(output.code, Some(1));
}

#[test]
fn problem_exits_with_failure() {
    let project = Project::with_rust(&["text"]);
    let file = "plugins/text.wasm";
    let output = project.run(&["doctor", "--json", "--plugins", file, "--data", file]);
    assert_eq!(findings(&output, "plugins")[0].0, "problem");
    assert_eq!(findings(&output, "data")[0].0, "problem");
    assert_eq!(output.code, Some(1));
    project.settings("limts = 1");
    let output = project.run(&["doctor", "--json"]);
    let text = "`ophost.toml`, line 1: `limts` is not a setting";
    let expected = [one("problem", text, "did you mean `limits`?")];
    assert_eq!(findings(&output, "settings"), expected);
    assert_eq!((output.code, &output.json()["problems"]), (Some(1), &Value::from(1)));
}
