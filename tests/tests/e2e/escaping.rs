//! Escaping of hostile text on a terminal: from plugins, documents, files and arguments.

use std::fs;

use e2e::guest::{Described, Operation, describing};
use serde_json::{Value, json};

use crate::harness::Project;
use crate::terminal;

/// Part of every hostile text, which shows that the text was printed.
const MARKER: &str = "hostile";

/// Characters that must be escaped on a terminal. NUL is missing, because an argument cannot
/// contain it.
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
    // The sequence sets the title of the window. The command itself never does that.
    format!("{MARKER}\u{1b}]0;mine\u{7}{}", UNSAFE.iter().collect::<String>())
}

/// Returns a project with hostile text in plugins, documents, runs and file names.
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
    // Compile the plugins now, so that later commands show no compile progress.
    project.run(&["list"]);
    project
}

/// Runs a command on a terminal and returns the output without the escape sequences of the
/// command's own styles and progress bars.
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

/// Returns a description of the problem if the output has unsafe characters or lacks the text.
fn fault(arguments: &[&str], text: &str) -> Option<String> {
    let found: Vec<_> = text.chars().filter(|c| UNSAFE.contains(c)).collect();
    let is_shown = text.contains(MARKER);
    (!found.is_empty() || !is_shown)
        .then(|| format!("{arguments:?}: {found:?}, shown: {is_shown}: {text:?}"))
}

#[test]
fn no_command_prints_control_or_invisible_characters_to_a_terminal() {
    let project = project();
    let text = hostile();
    let file = format!("{text}.jsonl");
    // A control character in the path of a setting is an error, which another test covers.
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
fn json_in_a_pipe_is_exact() {
    let project = project();
    let text = hostile();
    project.run(&["documents", "import", "things", "it.jsonl"]);
    let run = ["run", "misbehave.echo", "--record", "--input", "@input.json"];
    let raw = |arguments: &[&str]| {
        let output = project.command(arguments).output().expect("the command starts");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    // JSON escapes the C0 controls and nothing else.
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
fn json_on_a_terminal_has_the_same_values() {
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
        let piped = project.command(arguments).output().expect("the command starts").stdout;
        let piped: Value = serde_json::from_slice(&piped).expect("JSON");
        assert_eq!(shown, piped, "{arguments:?}");
    }
}

#[test]
fn text_in_any_language_and_emoji_are_not_escaped() {
    let project = Project::with_rust(&["misbehave"]);
    let text = "می\u{200c}خواهم עברית 日本 ❤\u{fe0f}\u{200d}🔥";
    let field = format!("value={text}");
    let shown = on_a_terminal(&project, &["run", "misbehave.echo", &field]);
    assert!(shown.contains(text), "{shown:?}");
}
