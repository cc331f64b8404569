//! `ophost completions`: the candidates that shells get.

use std::fs;
use std::process::Command;

use e2e::guest::{Described, Operation, describing};

use crate::harness::Project;

/// Returns a project with a plugin that compiles quickly, because completion has a timeout.
fn project() -> Project {
    let schema = r##"{
        "properties": {
            "note": {"type": "string", "description": "What else there is to say,\nat length.\n\nMuch more."},
            "kind": {"$ref": "#/$defs/kind", "description": "How it is sold."},
            "gift": {"type": "boolean"},
            "place": {"type": "object", "properties": {"city": {"type": "string"}}},
            "unit.price": {"enum": ["low", "high"]}
        },
        "required": ["kind"],
        "$defs": {"kind": {"oneOf": [{"const": "small"}, {"const": "smart"}, {"const": "large"}]}}
    }"##;
    let sell = Operation {
        input_schema: schema.to_owned(),
        description: "Sells a thing.".to_owned(),
        ..Operation::new("shop.sell")
    };
    let send =
        Operation { description: "Sends a thing.".to_owned(), ..Operation::new("shop.send") };
    let project = Project::new();
    let plugin = Described::new("shop").with(sell).with(send);
    project.add("shop", &describing(&plugin).expect("a guest"));
    project
}

/// Completes the last of `words` like the script for fish does. Each line of the result is a
/// candidate and its description.
fn candidates(project: &Project, words: &[&str]) -> String {
    let mut arguments = vec!["--", "ophost"];
    arguments.extend(words);
    let output = project.output(project.command(&arguments).env("OPHOST_COMPLETE", "fish"));
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    output.stdout
}

#[test]
fn operations_are_completed_with_their_descriptions() {
    let project = project();
    assert_eq!(
        candidates(&project, &["run", "shop"]),
        "shop.sell\tSells a thing.\nshop.send\tSends a thing.\n"
    );
    assert_eq!(candidates(&project, &["describe", "shop.sen"]), "shop.send\tSends a thing.\n");
}

#[test]
fn plugin_files_and_languages_are_completed() {
    let project = project();
    assert_eq!(candidates(&project, &["plugins", "remove", "sh"]), "shop.wasm\n");
    assert_eq!(
        candidates(&project, &["new", "it", "--lang", ""]),
        "rust\npython\ntypescript\njavascript\ngo\nc\ncpp\nzig\n"
    );
}

#[test]
fn fields_and_their_values_are_completed() {
    let project = project();
    let candidates = |words: &[&str]| {
        let all = candidates(&project, &[&["run", "shop.sell"], words].concat());
        all.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        candidates(&[""]),
        "kind=\trequired. How it is sold.\nnote=\tWhat else there is to say, at length.\ngift=\nplace.\nunit\\.price="
    );
    assert_eq!(candidates(&["no"]), "note=\tWhat else there is to say, at length.");
    assert_eq!(candidates(&["note=x", "gift=true", "no"]), "");
    assert_eq!(candidates(&["kind=sm"]), "kind=small\nkind=smart");
    assert_eq!(candidates(&["--timeout", "5s", "kind=la"]), "kind=large");
    assert_eq!(candidates(&["--plugins", "elsewhere", "kind=sm"]), "");
    assert_eq!(candidates(&["gift="]), "gift=true\ngift=false");
    assert_eq!(candidates(&["place.c"]), "place.city=");
    assert_eq!(candidates(&[r"unit\.p"]), r"unit\.price=");
    assert_eq!(candidates(&[r"unit\.price="]), "unit\\.price=low\nunit\\.price=high");
    assert_eq!(candidates(&[r"unit\.price=low", "uni"]), "");
}

#[test]
fn run_ids_and_filter_values_are_completed() {
    let project = project();
    assert_eq!(candidates(&project, &["runs", "show", "la"]), "");
    for _ in 0..2 {
        let run = project.run(&["run", "shop.sell", "kind=small", "--record"]);
        assert_eq!(run.code, Some(0), "{run}");
    }
    let newest = project.run(&["runs", "list", "--json"]).json()["runs"][0].clone();
    let id = newest["id"].as_str().expect("an id");
    for command in ["show", "logs", "changes", "cancel", "wait", "erase", "rerun"] {
        let all = candidates(&project, &["runs", command, ""]);
        let mut lines = all.lines().map(|line| line.split_once('\t').expect("a description"));
        let (latest, description) = lines.next().expect("latest");
        assert_eq!((latest, lines.next()), ("latest", Some((id, description))), "{command}: {all}");
        assert!(description.starts_with("shop.sell SUCCESS 20"), "{description}");
        assert_eq!(lines.filter(|(word, _)| !word.starts_with("--")).count(), 1, "{all}");
    }
    assert_eq!(candidates(&project, &["runs", "list", "--status", "c"]), "cancelled\n");
    assert_eq!(candidates(&project, &["runs", "list", "--failure-kind", "cr"]), "crashed\n");
}

#[test]
fn file_names_are_completed() {
    let project = project();
    fs::write(project.path().join("notes.txt"), "").expect("a file");
    assert_eq!(candidates(&project, &["run", "shop.sell", "note=@no"]), "note=@notes.txt\n");
    assert_eq!(candidates(&project, &["run", "shop.sell", "--input", "@no"]), "@notes.txt\n");
}

#[test]
fn directory_names_with_control_characters_are_not_completed() {
    let project = project();
    for name in ["some where", "some\u{1b}[31mred", "some\u{202e}one", "some\u{e0041}tag"] {
        fs::create_dir(project.path().join(name)).expect("a directory");
    }
    assert_eq!(candidates(&project, &["list", "--data", "some"]), "some where/\n");
}

#[test]
fn errors_during_completion_are_silent() {
    let project = project();
    project.add("page", b"<html>");
    project.settings_of_mode("plugins = [\"elsewhere\"]", 0o666);
    assert_eq!(candidates(&project, &["run", "shop.sell", "no"]), "");
    project.settings_of_mode("limits.memory = \"1GiB\"", 0o666);
    assert_eq!(candidates(&project, &["run", "shop.sell", "no"]).lines().count(), 1);
    project.settings("nonsense");
    assert_eq!(candidates(&project, &["run", "shop.sell", "no"]), "");
    project.settings("");
    assert_eq!(candidates(&project, &["run", "nothing_like_it", "no"]), "");
    let mut unknown = project.command(&["--", "ophost", ""]);
    let output = project.output(unknown.env("OPHOST_COMPLETE", "tcsh"));
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
}

#[test]
fn field_names_that_a_shell_would_interpret_are_not_completed() {
    let project = Project::new();
    let schema = r#"{"properties": {"$(reboot)": {}, "x;reboot": {}, "\u3164": {}, "ok": {
        "enum": ["`x`", "a b", "\u3164x", "fine"], "description": "\u001b[31mred"
    }}}"#;
    let operation = Operation { input_schema: schema.to_owned(), ..Operation::new("a") };
    project.add("it", &describing(&Described::new("it").with(operation)).expect("a guest"));
    let candidates = |word| {
        let all = candidates(&project, &["run", "a", word]);
        all.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(candidates(""), "ok=\t\\u{1b}[31mred");
    assert_eq!(candidates("ok="), "ok=fine");
}

#[test]
fn completion_script_exists_for_every_shell() {
    let project = Project::new();
    for (shell, word) in [
        ("bash", "complete -o nospace"),
        ("zsh", "#compdef ophost"),
        ("fish", "complete --keep-order"),
        ("elvish", "edit:completion:arg-completer[ophost]"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let output = project.run(&["completions", shell]);
        let names_the_variable = output.stdout.contains("OPHOST_COMPLETE");
        assert!(output.stdout.contains(word) && names_the_variable, "{output}");
        assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)));
    }
}

/// Calls the completion function like bash does: with words split at `=`, and the part of the
/// word that the completion replaces.
#[test]
fn bash_completes_fields_although_it_splits_words_at_the_equals_sign() {
    let project = project();
    let script = project.run(&["completions", "bash"]).stdout;
    let json = project.run(&["completions", "bash", "--json"]).json();
    assert_eq!((&json["shell"], json["script"].as_str()), (&"bash".into(), Some(script.as_str())));
    let tries = r#"
        try() {
            COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDS=("${@:3}") COMPREPLY=()
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _clap_complete_ophost ophost "$2" ""
            printf '<%s>' "${COMPREPLY[@]}"; echo
        }
        try "ophost run shop.sel" shop.sel ophost run shop.sel
        try "ophost run shop.sell ki" ki ophost run shop.sell ki
        try "ophost run shop.sell kind=" "" ophost run shop.sell kind =
        try "ophost run shop.sell  kind=la" la ophost run shop.sell kind = la
        try "ophost run shop.sell kind=small no" no ophost run shop.sell kind = small no
        try "ophost run shop.sell un" un ophost run shop.sell un
        try 'ophost run shop.sell unit\\.price=' "" ophost run shop.sell 'unit\\.price' =
    "#;
    let file = project.path().join("try.bash");
    fs::write(&file, format!("{script}\n{tries}")).expect("a file");
    let mut bash = Command::new("bash");
    bash.arg("--norc").arg(file).current_dir(project.path()).env_remove("OPHOST_PLUGINS");
    insta::assert_snapshot!(project.output(&mut bash), @r"
    <shop.sell >
    <kind=>
    <small><smart><large>
    <large >
    <note=>
    <unit\\.price=>
    <low><high>
    ");
}
