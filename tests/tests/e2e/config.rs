//! `ophost.toml`, the environment, and `ophost config show`.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Output, Project, require_root};

/// Returns a setting from `config show --json`: its value and its source.
fn setting(output: &Output, key: &str) -> (Value, Value) {
    let shown = output.json();
    let mut all = shown["settings"].as_array().expect("settings").iter();
    let found = all.find(|row| row["key"] == key).expect("the setting");
    (found["value"].clone(), found["source"].clone())
}

#[test]
fn every_setting_is_shown_with_its_source() {
    let project = Project::new();
    project.settings(
        "plugins = [\"plugins\", \"more\"]\n\n[limits]\ntimeout = \"10s\"\nmax.memory = \"1GiB\"\n\n\
         [operations.slugify]\ntimeout = \"2s\"\nmax = { output = \"1MiB\" }\n",
    );
    let mut show = project.command(&["config", "show", "--data", "here"]);
    insta::assert_snapshot!(project.output(show.env("OPHOST_LOG", "64KiB")), @"
    project  [DIR]
    file     ophost.toml

    plugins                        plugins, more  ophost.toml:1
    data                           here           --data
    cache                          here/cache     --data
    trust                          owner only     default
    record                         declared       default
    limits.timeout                 10s            ophost.toml:4
    limits.memory                  128.0 MiB      default
    limits.output                  8.0 MiB        default
    limits.effects                 64.0 MiB       default
    limits.log                     64.0 KiB       OPHOST_LOG
    limits.max.timeout             1h             default
    limits.max.memory              1.0 GiB        ophost.toml:5
    limits.max.output              64.0 MiB       default
    limits.max.effects             1.0 GiB        default
    limits.max.log                 16.0 MiB       default
    compile.memory                 2.0 GiB        default
    compile.time                   4m             default
    compile.compiler               cranelift      default
    retention.max_age              none           default
    retention.max_runs             none           default
    retention.history_max_age      none           default
    operations.slugify.timeout     2s             ophost.toml:8
    operations.slugify.max.output  1.0 MiB        ophost.toml:9
    ---- stderr
    warning: plugin directory `more` does not exist
    ");
}

#[test]
fn flag_wins_over_variable_and_variable_over_file() {
    let project = Project::new();
    project.settings("data = \"file\"\nlimits.timeout = \"3s\"");
    let show = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["config", "show", "--json"], arguments].concat();
        let mut command = project.command(&arguments);
        project.output(command.envs(variables.iter().copied()))
    };
    let data = |arguments: &[&str], variables: &[(&str, &str)]| {
        setting(&show(arguments, variables), "data")
    };
    let variable = [("OPHOST_DATA", "variable")];
    let flag = json!({"kind": "flag", "name": "--data"});
    assert_eq!(data(&["--data", "flag"], &variable), (json!("flag"), flag));
    let named = json!({"kind": "variable", "name": "OPHOST_DATA"});
    assert_eq!(data(&[], &variable), (json!("variable"), named));
    let line = json!({"kind": "file", "file": "ophost.toml", "line": 1});
    assert_eq!(data(&[], &[]), (json!("file"), line));
    let timeout = setting(&show(&[], &[("OPHOST_TIMEOUT", "1s")]), "limits.timeout");
    assert_eq!(timeout, (json!(1.0), json!({"kind": "variable", "name": "OPHOST_TIMEOUT"})));
    assert_eq!(setting(&show(&[], &[]), "limits.memory").1, json!({"kind": "default"}));
    project.settings("[compile]\ncompiler = \"winch\"");
    let compiler =
        |variables: &[(&str, &str)]| setting(&show(&[], variables), "compile.compiler").0;
    assert_eq!(compiler(&[]), json!("winch"));
    assert_eq!(compiler(&[("OPHOST_COMPILE_COMPILER", "cranelift")]), json!("cranelift"));
}

#[test]
fn invalid_setting_stops_every_command_and_its_line_is_named() {
    let project = Project::with_rust(&["text"]);
    project.settings("[limits]\ntimout = \"5s\"\n");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    error: `ophost.toml`, line 2: `limits.timout` is not a setting
    hint: did you mean `timeout`?
    ---- exit 2
    ");
    project.settings("plugins = \"plugins\"");
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=x"]), @r#"
    ---- stderr
    error: `ophost.toml`, line 1: `plugins` is a string, not a list of paths
    hint: write a list of directories, such as `["plugins"]`
    ---- exit 2
    "#);
    project.settings("[limits]\nmemory = \"much\"");
    insta::assert_snapshot!(project.run(&["check", "plugins/text.wasm"]), @"
    ---- stderr
    error: `ophost.toml`, line 2: `limits.memory` is `much`, which is not a size
    hint: write a size such as `64KiB`, `64MiB` or `2GiB`
    ---- exit 2
    ");
    project.settings("[limits");
    insta::assert_snapshot!(project.run(&["build", "plugins"]), @"
    ---- stderr
    error: `ophost.toml`, line 1: unclosed table, expected `]`
    hint: write the file as TOML: https://toml.io
    ---- exit 2
    ");
    project.settings("limits.timeout = \"2h\"");
    insta::assert_snapshot!(project.run(&["plugins"]), @"
    ---- stderr
    error: `ophost.toml`, line 1: `limits.timeout` is 2h, above the maximum of 1h (default)
    hint: lower the limit, or raise the maximum
    ---- exit 2
    ");
    project.settings("[compile]\ncompiler = \"llvm\"");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    error: `ophost.toml`, line 2: `compile.compiler` is `llvm`, which is not a compiler
    hint: use `cranelift` (fast code) or `winch` (compiles fast)
    ---- exit 2
    ");
    project.settings("");
    let mut list = project.command(&["list", "--json"]);
    insta::assert_snapshot!(project.output(list.env("OPHOST_TIMEOUT", "soon")), @r#"
    {"run_id":null,"status":null,"error":{"kind":"config","message":"`OPHOST_TIMEOUT`: `limits.timeout` is `soon`, which is not a duration","hint":"write a duration such as `500ms`, `30s` or `5m`"}}
    ---- exit 2
    "#);
}

#[test]
fn limits_of_the_file_are_enforced() {
    let project = Project::with_rust(&["misbehave"]);
    project.settings(
        "[limits]\ntimeout = \"60s\"\n\
         [operations.\"misbehave.spin\"]\ntimeout = \"200ms\"\nmax.timeout = \"1s\"",
    );
    let spin = project.run(&["run", "misbehave.spin"]);
    assert!(spin.stderr.contains("(timeout): still running after 200ms"), "{spin}");
    insta::assert_snapshot!(project.run(&["run", "misbehave.spin", "--timeout", "2s"]), @"
    ---- stderr
    error: 2s for `timeout` is above the maximum of 1s
    hint: use a lower value, or omit the flag
    ---- exit 4
    ");
    let echo = project.run(&["run", "misbehave.echo", "value=1", "--timeout", "2s"]);
    assert_eq!(echo.code, Some(0), "{echo}");
}

#[test]
fn paths_of_the_file_are_relative_to_its_directory() {
    let project = Project::with_rust(&["text"]);
    fs::rename(project.plugins(), project.path().join("own")).expect("a directory");
    let below = project.path().join("a/b");
    fs::create_dir_all(&below).expect("directories");
    project.settings("plugins = [\"own\"]");
    let output = project.output(project.command(&["list"]).current_dir(&below));
    assert!(output.stdout.contains("slugify"), "{output}");
    let show = project.output(project.command(&["config", "show", "--json"]).current_dir(below));
    assert_eq!(setting(&show, "data").0, json!("[DIR]/.ophost"));
}

#[test]
fn privileged_settings_of_a_group_writable_file_are_ignored() {
    let project = Project::with_rust(&["text"]);
    let text = "[limits]\ntimeout = \"1s\"\nmemory = \"1GiB\"\n\
        [limits.max]\nmemory = \"8GiB\"\noutput = \"8MiB\"\n\
        [operations.slugify.max]\ntimeout = \"2h\"\n";
    project.settings(text);
    project.share("ophost.toml", 0o664);
    let listed = project.run(&["list"]);
    assert!(listed.stdout.contains("slugify"), "{listed}");
    assert!(listed.stderr.contains("its group can write to it (mode 0664); ignored: "), "{listed}");
    project.settings_of_mode(text, 0o646);
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=x"]), @r#"
    {"slug":"x"}
    ---- stderr
    warning: `ophost.toml` is not trusted: every user can write to it (mode 0646); ignored: limits.memory, limits.max.memory, operations.slugify.max.timeout
    hint: run `chmod go-w ophost.toml`, or set `OPHOST_TRUST=world-writable` to accept it
    "#);
    let show = project.run(&["config", "show", "--json"]);
    assert_eq!(setting(&show, "limits.timeout").0, json!(1.0));
    assert_eq!(setting(&show, "limits.max.output").0, json!(8 << 20));
    assert_eq!(setting(&show, "limits.max.memory").1, json!({"kind": "default"}));
    assert_eq!(show.json()["file"]["trusted"], json!(false));
    project.settings_of_mode(text, 0o600);
    assert_eq!(project.run(&["config", "show"]).stderr, "");
}

#[test]
fn privileged_settings_of_another_user_are_ignored() {
    let project = Project::with_rust(&["text"]);
    project.settings("plugins = [\"elsewhere\"]\nlimits.timeout = \"1s\"");
    let other = rustix::fs::Uid::from_raw(65534);
    let file = project.path().join("ophost.toml");
    require_root();
    rustix::fs::chown(&file, Some(other), None).expect("root permissions");
    let show = project.run(&["config", "show", "--json"]);
    assert!(show.stderr.contains("(uid 65534); ignored: plugins"), "{show}");
    let source = json!({"kind": "untrusted", "file": "ophost.toml"});
    assert_eq!(setting(&show, "plugins"), (json!(["elsewhere"]), source));
    assert_eq!(setting(&show, "limits.timeout").0, json!(1.0));
}

#[test]
fn paths_expand_the_home_directory_and_accept_quotes() {
    let project = Project::with_rust(&["text"]);
    let home = project.path().display().to_string();
    let show = |arguments: &[&str], variables: &[(&str, &str)]| {
        let arguments = [&["config", "show", "--json"], arguments].concat();
        let mut command = project.command(&arguments);
        project.output(command.env("HOME", &home).envs(variables.iter().copied()))
    };
    let data = |value| setting(&show(&[], &[("OPHOST_DATA", value)]), "data").0;
    for value in ["~/x", "\"~/x\"\r", "'~/x'"] {
        assert_eq!(data(value), json!("[DIR]/x"), "{value:?}");
    }
    for value in ["./x", "./x\r", "\"./x\"\r", "\"./x\""] {
        assert_eq!(data(value), json!("./x"), "{value:?}");
    }
    assert_eq!(setting(&show(&["--data=~/x"], &[]), "data").0, json!("[DIR]/x"));
    let plugins = |variables: &[(&str, &str)]| setting(&show(&[], variables), "plugins").0;
    let expected = json!(["[DIR]/a", "b"]);
    for value in ["~/a:b", "\"~/a:b\"\r", "\"~/a\":\"b\""] {
        assert_eq!(plugins(&[("OPHOST_PLUGINS", value)]), expected, "{value:?}");
    }
    let limit = show(&[], &[("OPHOST_TIMEOUT", "\"2s\"\r")]);
    assert_eq!(setting(&limit, "limits.timeout").0, json!(2.0));
    project.settings("\u{feff}plugins = [\"~/a\"]\r\ndata = \"~/x\"\r\n");
    assert_eq!(plugins(&[]), json!(["a"]));
    assert_eq!(setting(&show(&[], &[]), "data").1["line"], json!(2));
    assert!(!project.path().join("~").exists());
}

#[test]
fn invalid_path_is_named_with_the_reason() {
    let project = Project::new();
    let mut list = project.command(&["list"]);
    insta::assert_snapshot!(project.output(list.env("OPHOST_DATA", "~ann/x")), @"
    ---- stderr
    error: `OPHOST_DATA`: `data` is `~ann/x`, and only `~` and `~/` are expanded
    hint: write the full path, or `./~ann/x` for a directory with this name
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["list", "--data", "x\r"]), @"
    ---- stderr
    error: `--data`: `data` contains the control character U+000D
    hint: remove the carriage return (U+000D), which ends the lines of Windows files
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["list", "--plugins", "'a'"]), @"
    ---- stderr
    error: `--plugins`: `plugins` is in quotes: `'a'`
    hint: remove the quotes
    ---- exit 2
    ");
    let utf_16: Vec<u8> = "\u{feff}data".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(project.path().join("ophost.toml"), utf_16).expect("a writable directory");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    error: cannot read `ophost.toml`: UTF-16 text, not UTF-8
    ---- exit 2
    ");
}

#[test]
fn settings_file_that_is_not_a_regular_file_is_an_error() {
    let project = Project::new();
    fs::create_dir(project.path().join("ophost.toml")).expect("a directory");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    error: cannot read `ophost.toml`: not a regular file
    ---- exit 2
    ");
}
