//! `ophost run`: arguments, input and output.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Output, Project};
use crate::terminal;

#[test]
fn stdout_has_only_the_output() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=Hello, World!"]), @r#"{"slug":"hello-world"}"#);
}

#[test]
fn field_is_read_from_a_file() {
    let project = Project::with_rust(&["text"]);
    std::fs::write(project.path().join("notes.txt"), "one two\nthree\n").unwrap();
    insta::assert_snapshot!(project.run(&["run", "word_count", "text=@notes.txt"]), @r#"{"words":3,"lines":2,"characters":14,"most_frequent":[]}"#);
    insta::assert_snapshot!(project.run(&["run", "word_count", "text=@missing.txt"]), @r#"
    ---- stderr
    error: cannot read `missing.txt`: No such file or directory (os error 2)
    hint: to pass a text that begins with `@`, use JSON: `field:='"@text"'`
    ---- exit 2
    "#);
}

#[test]
fn complete_input_is_json_a_file_or_stdin() {
    let project = Project::with_rust(&["misbehave"]);
    let echo = |input: &str| project.run(&["run", "misbehave.echo", "--input", input]).json();
    assert_eq!(echo(r#"{"value": [1, null]}"#), json!({"value": [1, null]}));
    std::fs::write(project.path().join("input.json"), r#"{"value": "file"}"#).unwrap();
    assert_eq!(echo("@input.json"), json!({"value": "file"}));
    let arguments = ["run", "misbehave.echo", "--input", "-"];
    let mut child =
        project.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(br#"{"value": "stdin"}"#).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"value\":\"stdin\"}\n");
}

/// Encodes a text as UTF-16LE.
fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Runs `misbehave.echo` with these bytes as stdin.
fn echo_stdin(project: &Project, arguments: &[&str], bytes: &[u8]) -> Output {
    std::fs::write(project.path().join("stdin"), bytes).expect("a directory");
    let stdin = std::fs::File::open(project.path().join("stdin")).expect("a file");
    project.output(project.command(&[&["run", "misbehave.echo"], arguments].concat()).stdin(stdin))
}

#[test]
fn byte_order_mark_is_removed() {
    let project = Project::with_rust(&["misbehave"]);
    let write = |name: &str, text: &str| {
        std::fs::write(project.path().join(name), text).expect("a directory");
    };
    write("whole.json", "\u{feff}{\"value\": \"ä\"}");
    write("value.json", "\u{feff}\"ä\"");
    write("value.txt", "\u{feff}ä");
    let expected = json!({"value": "ä"});
    for arguments in
        [&["--input", "@whole.json"][..], &["value:=@value.json"], &["value=@value.txt"]]
    {
        let run = project.run(&[&["run", "misbehave.echo"], arguments].concat());
        assert_eq!(run.json(), expected, "{arguments:?}");
    }
    for (arguments, file) in [
        (&["--input", "-"][..], "whole.json"),
        (&["value:=@-"], "value.json"),
        (&["value=@-"], "value.txt"),
    ] {
        let bytes = std::fs::read(project.path().join(file)).expect("a file");
        assert_eq!(echo_stdin(&project, arguments, &bytes).json(), expected, "{arguments:?}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_reported_with_a_conversion_command() {
    let project = Project::with_rust(&["misbehave"]);
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(project.path().join(name), bytes).expect("a directory");
    };
    write("marked.json", &utf16("\u{feff}{\"value\": 1}"));
    write("bare.json", &utf16("{\"value\": 1}"));
    write("latin 1.txt", b"one\ncaf\xe9\n");
    let run = |arguments: &[&str]| project.run(&[&["run", "misbehave.echo"], arguments].concat());
    insta::assert_snapshot!(run(&["--input", "@marked.json"]), @"
    ---- stderr
    error: `marked.json` is UTF-16 text, not UTF-8
    hint: run `iconv -f UTF-16 -t UTF-8 marked.json` to convert the text
    ---- exit 2
    ");
    insta::assert_snapshot!(run(&["value:=@bare.json"]), @"
    ---- stderr
    error: `bare.json` is UTF-16LE text, not UTF-8
    hint: run `iconv -f UTF-16LE -t UTF-8 bare.json` to convert the text
    ---- exit 2
    ");
    insta::assert_snapshot!(run(&["value=@latin 1.txt"]), @"
    ---- stderr
    error: `latin 1.txt` is not UTF-8 text: byte 0xe9 in line 2
    hint: run `iconv -f ENCODING -t UTF-8 'latin 1.txt'` with the encoding of the text, such as WINDOWS-1252
    ---- exit 2
    ");
    let marked = std::fs::read(project.path().join("marked.json")).expect("a file");
    insta::assert_snapshot!(echo_stdin(&project, &["--input", "-"], &marked), @"
    ---- stderr
    error: `stdin` is UTF-16 text, not UTF-8
    hint: run `iconv -f UTF-16 -t UTF-8` to convert the text
    ---- exit 2
    ");
}

#[test]
fn invalid_json_is_reported_with_a_valid_alternative() {
    let project = Project::with_rust(&["misbehave"]);
    let run = |arguments: &[&str]| project.run(&[&["run", "misbehave.echo"], arguments].concat());
    insta::assert_snapshot!(run(&["--input", r#"{"value": NaN}"#]), @"
    ---- stderr
    error: `--input` is not JSON: unexpected `NaN` at line 1 column 11
    hint: use `null`, or omit the field; JSON has no NaN and no Infinity
    ---- exit 2
    ");
    insta::assert_snapshot!(run(&["--input", r#"{"value": [1, -Infinity]}"#]), @"
    ---- stderr
    error: `--input` is not JSON: unexpected `-Infinity` at line 1 column 15
    hint: use `null`, or omit the field; JSON has no NaN and no Infinity
    ---- exit 2
    ");
    insta::assert_snapshot!(run(&["--input", r#"{"value": None}"#]), @"
    ---- stderr
    error: `--input` is not JSON: unexpected `None` at line 1 column 11
    hint: use `null` for a missing value
    ---- exit 2
    ");
    insta::assert_snapshot!(run(&["value:=hello"]), @"
    ---- stderr
    error: `value` is not JSON: unexpected `hello` at line 1 column 1
    hint: use `field=value` for text; `field:=json` requires JSON
    ---- exit 2
    ");
    std::fs::write(project.path().join("it.json"), "{\"value\": [\n  True]}").expect("a directory");
    insta::assert_snapshot!(run(&["--input", "@it.json"]), @"
    ---- stderr
    error: `it.json` is not JSON: unexpected `True` at line 2 column 3
    hint: use lower case: `true` or `false`
    ---- exit 2
    ");
    insta::assert_snapshot!(echo_stdin(&project, &["--input", "-"], b"{'value': 1}"), @"
    ---- stderr
    error: `stdin` is not JSON: key must be a string at line 1 column 2
    hint: put text and keys in double quotes
    ---- exit 2
    ");
}

#[test]
fn all_violations_of_an_input_are_reported_and_nothing_runs() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["run", "slugify", "txt=x", "max_length=0"]), @"
    ---- stderr
    error: the input of `slugify` breaks its schema in 3 places
      /max_length: expected at least 1, got 0
      /txt: unknown field; did you mean `text`?
      /text: missing, but required
    hint: run `ophost describe slugify` to show the input schema
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=x", "max_length=many"]), @"
    ---- stderr
    error: `max_length` must be integer or null
    hint: run `ophost describe NAME` to show the type of each field
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["run", "slugify", "text"]), @"
    ---- stderr
    error: `text` is not a field: expected `=` after a name
    hint: use `field=value`, `field:=json` or `field=@file`, or `--input` for the whole input
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["run", "slugify", "--input", r#"{"text":"a","text":"b"}"#]), @r#"
    ---- stderr
    error: `--input` is not JSON: duplicate field `text` at line 1 column 23
    ---- exit 2
    "#);
}

#[test]
fn declared_failure_is_shown_with_code_and_details() {
    let project = Project::with_rust(&["misbehave"]);
    let fail = |kind: &str| {
        project.run(&["run", "misbehave.fail", kind, "message=no such job", "code=not-found"])
    };
    insta::assert_snapshot!(fail("kind=error"), @r#"
    ---- stderr
    error: operation `misbehave.fail` failed (not-found): no such job
      {"input":{"kind":"error","message":"no such job","code":"not-found"}}
      caused by: the input requests a failure
    ---- exit 1
    "#);
    insta::assert_snapshot!(fail("kind=retryable"), @r#"
    ---- stderr
    error: operation `misbehave.fail` failed (not-found): no such job
      {"input":{"kind":"retryable","message":"no such job","code":"not-found"}}
      caused by: the input requests a failure
    hint: retry later
    ---- exit 1
    "#);
}

#[test]
fn panic_is_shown_with_location_and_backtrace() {
    let project = Project::with_rust(&["misbehave"]);
    let output = project.run(&["run", "misbehave.panic", "message=boom"]);
    let lines: Vec<_> = output.stderr.lines().collect();
    assert!(
        lines[0].starts_with("error: operation `misbehave.panic` failed (trap): panicked at "),
        "{output}"
    );
    assert!(lines[0].ends_with(": boom"), "{output}");
    assert_eq!(lines[1], "  at misbehave::outcomes::panic_with");
    assert_eq!((output.stdout.as_str(), output.code), ("", Some(1)));
}

#[test]
fn json_prints_the_envelope_also_on_failure() {
    let project = Project::with_rust(&["text", "misbehave"]);
    let output = project.run(&["run", "--json", "slugify", "text=Hello"]);
    let envelope = output.json();
    assert_eq!(envelope["status"], "SUCCESS");
    assert_eq!(envelope["output"], json!({"slug": "hello"}));
    assert_eq!(envelope["run_id"].as_str().map(str::len), Some(36));
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)));

    let output =
        project.run(&["run", "--json", "misbehave.fail", "kind=permanent", "message=no", "code=x"]);
    let envelope = output.json();
    assert_eq!(envelope["status"], "FAILED");
    assert_eq!(envelope["error"]["kind"], "error");
    assert_eq!(envelope["error"]["code"], "x");
    assert_eq!(envelope["error"]["retryable"], false);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(1)));
}

#[test]
fn json_prints_why_a_run_did_not_start() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["run", "--json", "slugify"]), @r#"
    {"run_id":null,"status":null,"error":{"kind":"invalid_input","message":"the input of `slugify` breaks its schema in 1 place","violations":[{"pointer":"/text","problem":"missing, but required"}],"hint":"run `ophost describe slugify` to show the input schema"}}
    ---- exit 2
    "#);
    insta::assert_snapshot!(project.run(&["run", "--json", "nothing_like_it"]), @r#"
    {"run_id":null,"status":null,"error":{"kind":"no_such_operation","message":"no operation named `nothing_like_it`","hint":"run `ophost list` to list the operations"}}
    ---- exit 3
    "#);
}

#[test]
fn verbose_shows_the_log_during_the_run() {
    let project = Project::with_rust(&["misbehave"]);
    let quiet = project.run(&["run", "misbehave.flood_log", "mib=1"]);
    assert_eq!(quiet.stderr, "");
    let verbose = project.run(&["run", "-v", "misbehave.flood_log", "mib=1"]);
    assert!(verbose.stderr.lines().count() > 500, "{}", verbose.stderr.len());
    assert_eq!(verbose.code, Some(0));
}

#[test]
fn item_errors_are_listed_and_the_run_succeeds() {
    let project = Project::with_rust(&["misbehave"]);
    insta::assert_snapshot!(project.run(&["run", "misbehave.item_errors", "count=2"]), @r#"
    {"count":2}
    ---- stderr
    warning: 2 items failed
      0 "item 0": item 0 is broken
      1 "item 1": item 1 is broken
    "#);
}

#[test]
fn guest_context_has_user_channel_and_flags() {
    let project = Project::with_rust(&["misbehave"]);
    let arguments = [
        "run",
        "misbehave.context",
        "--user",
        "ann",
        "--channel",
        "cron",
        "--dry-run",
        "--test-mode",
    ];
    let context = project.run(&arguments).json();
    assert_eq!(context["user_id"], "ann");
    assert_eq!(context["channel"], "cron");
    assert_eq!((&context["dry_run"], &context["test_mode"]), (&json!(true), &json!(true)));
    assert_eq!(context["verbose"], false);
    assert_eq!(project.run(&["run", "misbehave.context"]).json()["channel"], "cli");
}

#[test]
fn closed_pipe_is_not_a_failure() {
    let project = Project::with_rust(&["text"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let arguments = ["run", "slugify", "text=x"];
    let status = project.command(&arguments).stdout(writer).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn closed_pipe_does_not_hide_a_failure() {
    let project = Project::with_rust(&["misbehave"]);
    let closed = |arguments: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = project.command(arguments);
        command.stdout(writer).stderr(Stdio::null()).status().unwrap().code()
    };
    assert_eq!(closed(&["run", "--json", "misbehave.panic", "message=x"]), Some(1));
    assert_eq!(closed(&["run", "--json", "misbehave.panic"]), Some(2));
    assert_eq!(closed(&["check", "--json", "plugins/none.wasm"]), Some(2));
    project.add("page", b"<html>");
    assert_eq!(closed(&["check", "--json", "plugins/page.wasm"]), Some(1));
}

#[test]
fn sizes_need_a_unit() {
    let project = Project::with_rust(&["text"]);
    for (size, message) in [("5", "missing unit; expected"), ("x", "invalid size; expected")] {
        let output = project.run(&["run", "slugify", "text=x", "--memory", size]);
        let start = format!("error: invalid value '{size}' for '--memory <SIZE>': {message}");
        assert!(output.stderr.starts_with(&start) && output.code == Some(2), "{output}");
    }
}

#[test]
fn dry_run_is_announced() {
    let project = Project::with_rust(&["text"]);
    let run = ["run", "slugify", "text=x", "--dry-run"];
    let message = "DRY RUN: no change was committed; would have changed no document\n";
    assert_eq!(project.run(&run).stderr, message);
    let (text, code) = terminal::run(project.command(&run), 80);
    assert!(text.contains("DRY RUN") && code == Some(0), "{text}");
}

#[test]
fn usage_error_is_printed_as_json() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["run", "--json", "--nope"]), @r#"
    {"run_id":null,"status":null,"error":{"kind":"usage","message":"unexpected argument '--nope' found","hint":"run `ophost help` to list the commands"}}
    ---- exit 2
    "#);
}

/// A command line may contain text from an untrusted source.
#[test]
fn usage_error_escapes_control_characters() {
    let project = Project::new();
    let title = "\u{1b}]0;mine\u{7}";
    for arguments in [
        &["runs", "list", "--status"][..],
        &["runs", "list", "--since"],
        &["runs", "list", "--limit"],
        &["runs"],
        &[],
        &["list"],
    ] {
        for word in [title.to_owned(), format!("--{title}"), format!("--{title}=1")] {
            let command = project.command(&[arguments, &[word.as_str()]].concat());
            let (text, code) = terminal::run(command, 80);
            assert_eq!(code, Some(2), "{text:?}");
            assert!(!text.contains("\u{1b}]") && !text.contains('\u{7}'), "{text:?}");
            assert!(text.contains("error"), "{text:?}");
        }
    }
}
