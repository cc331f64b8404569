//! Text of plugins, documents, files and arguments on a terminal: whatever stands in it, a
//! terminal neither acts on it nor hides it.

use std::fs;

use e2e::guest::{Described, Operation, describing};
use serde_json::{Value, json};

use crate::harness::Project;
use crate::terminal;

/// Stands in every text, so that a text is seen to have been shown.
const SHOWN: &str = "hostile";

/// What must not reach a terminal as it is, but for NUL: an argument cannot hold it.
const UNSAFE: [char; 23] = [
    '\u{7}',
    '\u{1b}',
    '\u{7f}',
    '\u{85}',
    '\u{9b}',
    '\u{ad}',
    '\u{34f}',
    '\u{61c}',
    '\u{200b}',
    '\u{200e}',
    '\u{2028}',
    '\u{2029}',
    '\u{202e}',
    '\u{2062}',
    '\u{2067}',
    '\u{206f}',
    '\u{3164}',
    '\u{feff}',
    '\u{fffa}',
    '\u{e0001}',
    '\u{e0041}',
    '\u{e007f}',
    '\u{e0100}',
];

fn hostile() -> String {
    // A window's title is set, which is not what the command itself does.
    format!("{SHOWN}\u{1b}]0;mine\u{7}{}", UNSAFE.iter().collect::<String>())
}

/// Returns a project whose plugins, documents, runs and files all have hostile text.
fn project() -> Project {
    let project = Project::with_rust(&["misbehave"]);
    let text = hostile();
    let schema = json!({"description": text, "properties": {(text.as_str()): {
        "description": text, "default": text, "enum": [text], "examples": [text],
    }}});
    let operation = Operation {
        description: text.clone(),
        input_schema: schema.to_string(),
        output_schema: schema.to_string(),
        ..Operation::new("evil")
    };
    let plugin = Described::new("evil").with(operation);
    project.add("evil", &describing(&plugin).expect("a guest"));
    project.add(&text, b"no component");
    let document = json!({"_id": text.replace(char::is_control, ""), (text.as_str()): [text]});
    let line = format!("{document}\n");
    for name in ["it.jsonl", &format!("{text}.jsonl")] {
        fs::write(project.path().join(name), &line).expect("a directory");
    }
    fs::write(
        project.path().join("input.json"),
        json!({"value": {(text.as_str()): text}}).to_string(),
    )
    .expect("a directory");
    fs::write(
        project.path().join("fail.json"),
        json!({"kind": "error", "message": text, "code": "a"}).to_string(),
    )
    .expect("a directory");
    // What is compiled now is not shown being compiled later.
    project.run(&["list"]);
    project
}

/// Runs a command on a terminal, and returns what that gets, without the styles and the bars of
/// the command itself.
fn on_a_terminal(project: &Project, arguments: &[&str]) -> String {
    let (text, _) = terminal::run(project.command(arguments), 100);
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic()).expect("the end of a sequence");
        rest = &after[end + 1..];
    }
    plain + rest
}

/// Returns what is wrong with what a command shows, if anything is.
fn fault(arguments: &[&str], text: &str) -> Option<String> {
    let found: Vec<_> = text.chars().filter(|c| UNSAFE.contains(c)).collect();
    let is_shown = text.contains(SHOWN);
    (!found.is_empty() || !is_shown)
        .then(|| format!("{arguments:?}: {found:?}, shown: {is_shown}: {text:?}"))
}

#[test]
fn no_command_shows_a_terminal_what_it_would_act_on_or_hide() {
    let project = project();
    let text = hostile();
    let file = format!("{text}.jsonl");
    // Paths of settings have no control characters: those are an error of their own.
    let path: String = text.chars().filter(|c| !c.is_control()).collect();
    let user = format!("--user={text}");
    let tag = format!("--tag={text}");
    let recorded = ["--record", "--verbose", &user, &tag, "--input"];
    let put = project.run(&["documents", "import", "things", "it.jsonl"]);
    assert_eq!(put.code, Some(0), "{put}");
    let commands = [
        &["runs", "changes", "latest"][..],
        &["runs", "changes", "latest", "--json"],
        &["list"],
        &["list", "--json"],
        &["list", "--category", &text],
        &["describe", "evil"],
        &["describe", "evil", "--json"],
        &["describe", &text],
        &["plugins"],
        &["plugins", "--json"],
        &["check", &text],
        &["check", &text, "--json"],
        &["config", "show", "--data", &path],
        &["config", "show", "--data", &path, "--json"],
        &["doctor", "--plugins", &path],
        &["doctor", "--plugins", &path, "--json"],
        &["build", &text],
        &["documents", "import", "things", &file],
        &["documents", "import", "things", &file, "--json"],
        &["documents", "find", "things"],
        &["documents", "find", "things", "--json"],
        &["documents", "export", "things"],
        &["documents", "export", "things", "-o", &text],
        &["documents", "count", &text],
        &["documents", "find", "things", &text],
        &[&["run", "misbehave.echo"], &recorded[..], &["@input.json"]].concat(),
        &[&["run", "misbehave.echo", "--json"], &recorded[..], &["@input.json"]].concat(),
        &["runs", "show", "latest"],
        &["runs", "show", "latest", "--json"],
        &[&["run", "misbehave.fail"], &recorded[..], &["@fail.json"]].concat(),
        &[&["run", "misbehave.fail", "--json"], &recorded[..], &["@fail.json"]].concat(),
        &["runs", "list"],
        &["runs", "list", "--json"],
        &["runs", "show", "latest"],
        &["runs", "export"],
        &["runs", "list", "--since", &text],
        &["runs", "show", &text],
        &["run", &text],
        &["run", "evil", &text],
        &["run", "evil", "--input", &text],
        &["store", "backup", &text],
        &["shim", "prefect", "-o", &format!("{text}/{text}")],
        &[&text],
        &["list", "--", &text],
        &["runs", "list", &format!("--{text}")],
    ];
    let faults = commands.iter().filter_map(|it| fault(it, &on_a_terminal(&project, it)));
    let faults: Vec<_> = faults.collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

#[test]
fn json_in_a_pipe_stays_exact() {
    let project = project();
    let text = hostile();
    project.run(&["documents", "import", "things", "it.jsonl"]);
    let run = ["run", "misbehave.echo", "--record", "--input", "@input.json"];
    let raw = |arguments: &[&str]| {
        let output = project.command(arguments).output().expect("it starts");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    // JSON itself escapes C0, and nothing else.
    let exact: String = text.chars().filter(|c| !c.is_ascii_control()).collect();
    let expected = json!(text).to_string();
    for arguments in [
        &run[..],
        &["documents", "export", "things"],
        &["documents", "find", "things"],
        &["documents", "find", "things", "--json"],
        &["runs", "export"],
        &["runs", "show", "latest", "--json"],
        &["describe", "evil", "--json"],
    ] {
        let printed = raw(arguments);
        assert!(printed.contains(&expected), "{arguments:?}: {exact} in {printed:?}");
    }
    let found: Value =
        serde_json::from_str(&raw(&["documents", "export", "things"])).expect("JSON");
    assert_eq!(found[&text], json!([text]));
}

#[test]
fn json_on_a_terminal_is_the_same_json() {
    let project = project();
    project.run(&["documents", "import", "things", "it.jsonl"]);
    for arguments in [
        &["documents", "export", "things"][..],
        &["documents", "find", "things", "--json"],
        &["describe", "evil", "--json"],
        &["runs", "export"],
    ] {
        let shown = on_a_terminal(&project, arguments);
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        let piped = project.command(arguments).output().expect("it starts").stdout;
        let piped: Value = serde_json::from_slice(&piped).expect("JSON");
        assert_eq!(shown, piped, "{arguments:?}");
    }
}

#[test]
fn text_of_languages_and_emoji_is_shown_as_it_is() {
    let project = Project::with_rust(&["misbehave"]);
    let text = "می\u{200c}خواهم עברית 日本 ❤\u{fe0f}\u{200d}🔥";
    let field = format!("value={text}");
    let shown = on_a_terminal(&project, &["run", "misbehave.echo", &field]);
    assert!(shown.contains(text), "{shown:?}");
}
