//! `ophost documents import`: batches, large files, and files of spreadsheets and other tools.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Output, Project};

/// Writes a file with this content and imports it.
fn import(project: &Project, name: &str, content: impl AsRef<[u8]>, more: &[&str]) -> Output {
    fs::write(project.path().join(name), content).expect("a writable directory");
    project.run(&[&["documents", "import", "things", name], more].concat())
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project.run(&[arguments, &["--json"]].concat()).json()
}

/// Returns the documents of `things` without their ids, one per line.
fn things(project: &Project) -> String {
    let found = project.run(&["documents", "find", "things", "-n", "1000"]).stdout;
    let line = |line: &str| {
        let mut document: serde_json::Map<String, Value> =
            serde_json::from_str(line).expect("an object");
        document.shift_remove("_id");
        format!("{}\n", Value::Object(document))
    };
    found.lines().map(line).collect()
}

fn count(project: &Project) -> String {
    project.run(&["documents", "count", "things"]).stdout.trim_end().to_owned()
}

fn lines(count: usize) -> String {
    (1..=count).map(|number| format!("{{\"_id\":\"{number:03}\",\"n\":{number}}}\n")).collect()
}

#[test]
fn batches_are_runs_with_one_parent() {
    let project = Project::new();
    let report = import(&project, "it.jsonl", lines(25), &["--batch", "10", "--json"]).json();
    assert_eq!(report["output"], json!({"put": 25, "skipped": 0, "batches": 3}));
    assert_eq!(report["changes"]["created"], 25);
    let parent = report["run_id"].as_str().expect("an id");
    let listed = json_of(&project, &["runs", "list", "--parent", parent]);
    let runs = listed["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 3);
    let batches = runs.iter().rev().zip([(1, 10), (11, 10), (21, 5)]);
    for (run, (first, documents)) in batches {
        assert_eq!(run["parent_run_id"], parent);
        let id = run["id"].as_str().expect("an id");
        let shown = json_of(&project, &["runs", "show", id]);
        assert_eq!(
            (&shown["parent_run_id"], &shown["status"]),
            (&json!(parent), &json!("SUCCESS"))
        );
        assert_eq!(shown["input_dump"]["first_document"], first);
        assert_eq!(shown["input_dump"]["documents"], documents);
        assert_eq!(shown["changes"]["created"], documents);
        let text = project.run(&["runs", "show", id]).stdout;
        assert!(text.contains(&format!("parent    {parent}")), "{text}");
    }
    let shown = json_of(&project, &["runs", "show", parent]);
    assert_eq!(
        (&shown["input_dump"]["batch_size"], &shown["parent_run_id"]),
        (&json!(10), &Value::Null)
    );
    assert_eq!(count(&project), "25");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn import_continues_after_the_batches_before_a_failure() {
    let project = Project::new();
    let mut content = lines(25);
    content = content.replace("{\"_id\":\"024\",\"n\":24}", "{bad");
    let failed = import(&project, "it.jsonl", &content, &["--batch", "10"]);
    insta::assert_snapshot!(failed, @"
    ---- stderr
    error: operation `ophost.import` failed (error): cannot import `it.jsonl`: line 24: not JSON: key must be a string at column 2
    hint: the documents up to line 20 are imported; use `--skip 20` to continue
    ---- exit 2
    ");
    assert_eq!(count(&project), "20");
    let parent = json_of(&project, &["runs", "show", "latest"]);
    assert_eq!(parent["status"], "SUCCESS", "the latest run is not the second batch");
    let parent = parent["parent_run_id"].as_str().expect("an id").to_owned();
    let parent = json_of(&project, &["runs", "show", &parent]);
    assert_eq!(parent["status"], "FAILED");
    let log = parent["log_entries"][0]["message"].as_str().expect("a text");
    assert!(log.contains("use `--skip 20` to continue"), "{log}");
    let rest = import(&project, "it.jsonl", lines(25), &["--batch", "10", "--skip", "20"]);
    assert_eq!(rest.stdout, "{\"put\":5,\"skipped\":0,\"batches\":1}\n", "{rest}");
    assert_eq!(count(&project), "25");
    let first = import(&project, "it.jsonl", "{bad\n", &["--batch", "10"]);
    insta::assert_snapshot!(first, @"
    ---- stderr
    error: cannot import `it.jsonl`: line 1: not JSON: key must be a string at column 2
    ---- exit 2
    ");
}

#[test]
fn batch_with_a_duplicate_id_is_rejected_replaced_or_skipped() {
    let project = Project::new();
    let content = format!("{}{}", lines(4), lines(1));
    let by =
        |more: &[&str]| import(&project, "it.jsonl", &content, &[&["--batch", "2"], more].concat());
    let dry = by(&["--dry-run"]);
    insta::assert_snapshot!(dry, @r#"
    {"put":5,"skipped":0,"batches":3,"dry_run":true}
    ---- stderr
    DRY RUN: nothing was stored; the import would have created 5 documents
    "#);
    assert_eq!(count(&project), "0");
    insta::assert_snapshot!(by(&[]), @"
    ---- stderr
    error: operation `ophost.import` failed (exists): batch from line 5 to line 5: document 5 (`001`): the document already exists
    hint: the documents up to line 4 are imported; use `--skip 4` to continue
    ---- exit 1
    ");
    assert_eq!(count(&project), "4");
    let skipped = by(&["--existing", "skip"]);
    assert_eq!(skipped.stdout, "{\"put\":0,\"skipped\":5,\"batches\":3}\n");
    let replaced = by(&["--existing", "replace", "--id", "n"]);
    assert_eq!(replaced.stdout, "{\"put\":5,\"skipped\":0,\"batches\":3}\n");
    assert_eq!(count(&project), "8");
}

#[test]
fn every_format_is_imported_in_batches() {
    let array = format!("[{}]", lines(5).trim_end().replace('\n', ",\n"));
    let rows = "n,zip\n1,01\n2,10\n3,11\n4,12\n5,x\n";
    for (name, content) in [("it.json", &*array), ("it.csv", rows), ("it.jsonl", &lines(5))] {
        let project = Project::new();
        let imported = import(&project, name, content, &["--batch", "2", "--skip", "1"]);
        assert_eq!(
            imported.stdout, "{\"put\":4,\"skipped\":0,\"batches\":2}\n",
            "{name}: {imported}"
        );
        let numbers = ["documents", "count", "things", r#"{"n": {"$gte": 2}}"#];
        assert_eq!(project.run(&numbers).stdout, "4\n", "{name}");
        // A column has one type in all batches, even if the values of one batch fit another type.
        let numbers = ["documents", "count", "things", r#"{"zip": {"$gte": 0}}"#];
        assert_eq!(project.run(&numbers).stdout, "0\n", "{name}");
    }
    let project = Project::new();
    fs::write(project.path().join("it.csv"), rows).expect("a writable directory");
    let piped = |more: &str| {
        let script = format!("cat it.csv | \"$0\" documents import things - --format csv {more}");
        project.output(project.program("sh", &[]).args(["-c", &script, crate::harness::OPHOST]))
    };
    assert_eq!(piped("").stdout, "{\"put\":5,\"skipped\":0}\n");
    insta::assert_snapshot!(piped("--batch 2"), @"
    ---- stderr
    error: cannot import `-`: the type of a column depends on all its values, but stdin can be read only once
    hint: use `--text` to import all values as text, or import from a file
    ---- exit 2
    ");
    assert_eq!(piped("--batch 2 --text").stdout, "{\"put\":5,\"skipped\":0,\"batches\":3}\n");
}

/// Starts an import from a pipe.
fn piped(project: &Project, more: &[&str]) -> Child {
    let import = ["documents", "import", "things", "-", "--format", "jsonl"];
    let mut command = project.command(&[&import, more].concat());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the command starts")
}

/// Returns the peak memory of a running process, in MiB. `None` if the process has ended.
fn peak_memory(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") >> 10)
}

#[test]
fn import_in_batches_needs_little_memory() {
    let project = Project::new();
    let mut child = piped(&project, &["--batch", "10000"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let part = "{\"a\":1}\n".repeat(50_000);
    for _ in 0..4 {
        stdin.write_all(part.as_bytes()).expect("a reader");
    }
    // The command has read everything except the content of the pipe, and waits for more.
    let peak = peak_memory(&child).expect("a running process");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(stdout, "{\"put\":200000,\"skipped\":0,\"batches\":20}\n");
    // An import of all documents in one run takes 200 MiB.
    assert!(peak < 150, "{peak} MiB");
}

#[test]
fn endless_input_ends_at_the_limit_with_a_hint() {
    let project = Project::new();
    let mut child = piped(&project, &[]);
    let mut stdin = child.stdin.take().expect("a pipe");
    let part = "{\"a\":1}\n".repeat(10_000);
    let mut peak = 0;
    while stdin.write_all(part.as_bytes()).is_ok() {
        peak = peak_memory(&child).unwrap_or_default().max(peak);
    }
    let output = child.wait_with_output().expect("the command ends");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    insta::assert_snapshot!(stderr, @"
    error: cannot import `-`: the documents up to line 522503 are larger than 1.0 GiB, the maximum that one run may write (limit `effects`)
    hint: use `--batch 10000` to import 10000 documents per run, or raise `effects` in `[limits.max]` of the settings
    ");
    assert_eq!(output.status.code(), Some(2));
    assert!((1..300).contains(&peak), "{peak} MiB");
    assert!(!project.path().join(".ophost/store").exists(), "a run was recorded");
    project.settings("[limits]\neffects = \"100KB\"\n[limits.max]\neffects = \"100KB\"");
    for (name, content) in [
        ("it.csv", format!("a\n{}", "1\n".repeat(1000))),
        ("it.json", format!("[{}1]", "{},".repeat(1000))),
        ("it.jsonl", "{}\n".repeat(1000)),
        ("it.jsonl", "\n".repeat(200_000)),
    ] {
        for more in [&[][..], &["--batch", "500"]] {
            let large = import(&project, name, &content, more);
            if content.starts_with('\n') && !more.is_empty() {
                assert_eq!(large.stdout, "{\"put\":0,\"skipped\":0,\"batches\":0}\n");
                continue;
            }
            assert_eq!(large.code, Some(2), "{name}: {large}");
            assert!(large.stderr.contains("`effects` in `[limits.max]`"), "{name}: {large}");
            assert!(large.stderr.contains("--batch"), "{name}: {large}");
        }
    }
}

#[test]
fn signal_stops_an_import_that_waits_for_input() {
    for (more, message) in [
        (&[][..], "cancelled: nothing was imported\n"),
        (&["--json"], ""),
        (
            &["--batch", "2"],
            "hint: the documents up to line 2 are imported; use `--skip 2` to continue\n",
        ),
    ] {
        let project = Project::new();
        let mut child = piped(&project, more);
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(lines(3).as_bytes()).expect("a reader");
        let expected = if more.contains(&"--batch") { "2" } else { "0" };
        while !project.path().join(".ophost/store").exists() && expected == "2" {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        while count(&project) != expected {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        // The command handles signals only after it has started to read.
        std::thread::sleep(std::time::Duration::from_millis(500));
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::INT).expect("a running process");
        let output = child.wait_with_output().expect("the command ends");
        assert_eq!(output.status.code(), Some(130));
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(stderr.ends_with(message), "{stderr}");
        if more == ["--json"] {
            let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            assert_eq!(
                (&report["error"]["kind"], &report["run_id"]),
                (&json!("cancelled"), &Value::Null)
            );
            assert_eq!(stderr, "");
        }
        drop(stdin);
    }
}

#[test]
fn import_names_no_resume_position_if_the_store_is_removed() {
    let project = Project::new();
    let mut child = piped(&project, &["--batch", "2"]);
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lines(3).as_bytes()).expect("a reader");
    while !project.path().join(".ophost/store").exists() || count(&project) != "2" {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    fs::remove_dir_all(project.path().join(".ophost/store")).expect("a directory of this user");
    stdin.write_all(b"{}\n").expect("a reader");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(5));
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(stderr.contains("import the file again without `--skip`"), "{stderr}");
    assert!(!stderr.contains("to continue"), "{stderr}");
}

#[test]
fn csv_delimiter_is_detected_or_set() {
    let expected = "{\"name\":\"Müller\",\"price\":\"1,5\",\"n\":1}\n{\"name\":\"a;b|c\",\"price\":\"2\",\"n\":2}\n";
    let with = |delimiter: &str| {
        ["name", "price", "n"].join(delimiter)
            + "\r\n"
            + &["Müller", "\"1,5\"", "1"].join(delimiter)
            + "\r\n"
            + &["\"a;b|c\"", "2", "2"].join(delimiter)
    };
    for (name, content, more) in [
        ("it.csv", with(","), &[][..]),
        ("it.csv", with(";"), &[]),
        ("it.csv", with("\t"), &[]),
        ("it.tsv", with("\t"), &[]),
        ("it.csv", with("|"), &[]),
        ("it.csv", with("^"), &["--delimiter", "^"]),
        ("it.csv", with("\t"), &["--delimiter", "tab"]),
        ("it.csv", format!("sep=;\r\n{}", with(";")), &[]),
        ("it.csv", format!("\u{feff}sep=^\n{}", with("^")), &[]),
        ("it.csv", format!("\u{feff}{}", with(";").replace("\"1,5\"", "1,5")), &[]),
    ] {
        let project = Project::new();
        let imported = import(&project, name, &content, more);
        assert_eq!(imported.code, Some(0), "{content:?}: {imported}");
        assert_eq!(things(&project), expected, "{content:?}");
    }
    let project = Project::new();
    let lines = import(&project, "it.csv", "sep=;\na;b\n1;2\n3\n", &[]);
    assert!(lines.stderr.contains("line 4: expected 2 cells, found 1"), "{lines}");
    insta::assert_snapshot!(import(&project, "it.csv", "a,b;c\n1,2;3\n", &[]), @"
    ---- stderr
    error: cannot import `it.csv`: the delimiter may be `,` or `;`
    hint: use `--delimiter` to set the delimiter
    ---- exit 2
    ");
    insta::assert_snapshot!(import(&project, "it.csv", "a\n", &["--delimiter", "ab"]), @"
    ---- stderr
    error: invalid value 'ab' for '--delimiter <CHAR>': expected one ASCII character or `tab`

    For more information, try '--help'.
    ---- exit 2
    ");
}

#[test]
fn other_encodings_are_read_or_reported_with_line_and_column() {
    let project = Project::new();
    let latin = b"name;n\nM\xfcller;1\n";
    insta::assert_snapshot!(import(&project, "it.csv", latin, &[]), @"
    ---- stderr
    error: cannot import `it.csv`: line 2, column 2: these bytes are not UTF-8 text
    hint: set the encoding of the file, such as `--encoding windows-1252`
    ---- exit 2
    ");
    insta::assert_snapshot!(import(&project, "it.jsonl", b"{}\n{\"a\":\"\xff\"}\n", &[]), @"
    ---- stderr
    error: cannot import `it.jsonl`: line 2, column 7: these bytes are not UTF-8 text
    hint: set the encoding of the file, such as `--encoding windows-1252`
    ---- exit 2
    ");
    insta::assert_snapshot!(import(&project, "it.csv", b"a\0;\0b\0\n\0", &[]), @"
    ---- stderr
    error: cannot import `it.csv`: the file has NUL bytes, as in UTF-16 text
    hint: use `--encoding utf-16` for UTF-16
    ---- exit 2
    ");
    let utf_32: Vec<_> =
        "\u{feff}a;b\n1;2\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    insta::assert_snapshot!(import(&project, "it.csv", utf_32, &[]), @"
    ---- stderr
    error: cannot import `it.csv`: UTF-32 text is not supported
    hint: convert the file with `iconv -f UTF-32 -t UTF-8`
    ---- exit 2
    ");
    insta::assert_snapshot!(import(&project, "it.csv", latin, &["--encoding", "latin-5000"]), @"
    ---- stderr
    error: invalid value 'latin-5000' for '--encoding <NAME>': unknown encoding; use a name such as utf-8, utf-16 or windows-1252

    For more information, try '--help'.
    ---- exit 2
    ");
    assert_eq!(count(&project), "0");
    let text = "name;n\nMüller;1\n";
    let utf_16: Vec<_> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked = [b"\xff\xfe", &utf_16[..]].concat();
    for (content, more) in [
        (&latin[..], &["--encoding", "windows-1252"][..]),
        (latin, &["--encoding", "latin1"]),
        (&utf_16, &["--encoding", "utf-16"]),
        (&marked, &[]),
        (text.as_bytes(), &["--encoding", "utf-8"]),
    ] {
        let project = Project::new();
        let imported = import(&project, "it.csv", content, more);
        assert_eq!(imported.code, Some(0), "{more:?}: {imported}");
        assert_eq!(things(&project), "{\"name\":\"Müller\",\"n\":1}\n", "{more:?}");
    }
}

#[test]
fn field_names_that_no_filter_can_use_are_rejected_with_a_hint() {
    let project = Project::new();
    let frame = ",a.b,$c,d\n0,1,2,3\n";
    insta::assert_snapshot!(import(&project, "it.csv", frame, &[]), @"
    ---- stderr
    error: cannot import `it.csv`: a filter cannot use the names of these columns: column 1 (empty), column 2 (`a.b`), column 3 (`$c`)
    hint: rename with `--rename '=index' --rename 'a.b=a_b' --rename '$c=c'`, or drop a column with `--drop NAME`
    ---- exit 2
    ");
    let renames = ["--rename", "=index", "--rename", "a.b=a_b", "--rename", "$c=c"];
    assert_eq!(import(&project, "it.csv", frame, &renames).code, Some(0));
    assert_eq!(things(&project), "{\"index\":0,\"a_b\":1,\"c\":2,\"d\":3}\n");
    let project = Project::new();
    let dropped = ["--drop", "", "--drop", "a.b", "--rename", "$c=_id"];
    let imported = import(&project, "it.csv", frame, &dropped);
    assert_eq!(imported.code, Some(0), "{imported}");
    assert_eq!(project.run(&["documents", "find", "things"]).stdout, "{\"_id\":\"2\",\"d\":3}\n");
    insta::assert_snapshot!(import(&project, "it.csv", frame, &["--rename", "x=y"]), @"
    ---- stderr
    error: cannot import `it.csv`: column `x` does not exist
    hint: use one of the columns ``, `a.b`, `$c`, `d`
    ---- exit 2
    ");
    insta::assert_snapshot!(import(&project, "it.csv", frame, &["--rename", "d=a.b"]), @"
    ---- stderr
    error: invalid value 'd=a.b' for '--rename <OLD=NEW>': a filter cannot use the field name `a.b`

    For more information, try '--help'.
    ---- exit 2
    ");
    let document = "{\"a.b\":1,\"$c\":{\"e.f\":2},\"_id\":\"x\"}\n";
    insta::assert_snapshot!(import(&project, "it.jsonl", document, &[]), @"
    ---- stderr
    error: cannot import `it.jsonl`: line 1: a filter cannot use these field names: `a.b`, `$c`
    hint: rename with `--rename 'a.b=a_b' --rename '$c=c'`, drop a field with `--drop`, or keep all with `--plain-json`
    ---- exit 2
    ");
    let renames = ["--rename", "a.b=ab", "--drop", "$c"];
    assert_eq!(import(&project, "it.jsonl", document, &renames).code, Some(0));
    let get = |id| project.run(&["documents", "get", "things", id]).stdout;
    assert_eq!(get("x"), "{\"_id\":\"x\",\"ab\":1}\n");
    // An export with such names can be imported again.
    let plain = "{\"_id\":\"y\",\"a.b\":{\"$date\":\"x\"},\"\":1}\n";
    assert_eq!(import(&project, "it.jsonl", plain, &["--plain-json"]).code, Some(0));
    assert_eq!(get("y"), plain);
}

#[test]
fn id_option_uses_the_field_name_of_the_file() {
    let csv = "_id,n\nx,1\n";
    let jsonl = "{\"_id\":\"x\",\"n\":1}\n";
    for (name, content) in [("it.csv", csv), ("it.jsonl", jsonl)] {
        for (more, found) in [
            (&["--id", "n", "--drop", "n"][..], "{\"_id\":\"1\"}\n"),
            (&["--rename", "n=m", "--id", "n"], "{\"_id\":\"1\",\"m\":1}\n"),
            (&["--rename", "n=m", "--id", "m"], "{\"_id\":\"1\",\"m\":1}\n"),
        ] {
            let project = Project::new();
            let imported = import(&project, name, content, more);
            assert_eq!(imported.code, Some(0), "{name} {more:?}: {imported}");
            let documents = project.run(&["documents", "find", "things"]).stdout;
            assert_eq!(documents, found, "{name} {more:?}");
        }
    }
    let project = Project::new();
    for (name, content) in [("it.csv", "_id,n\nx,\n"), ("it.jsonl", "{\"_id\":\"x\"}\n")] {
        for more in [&["--id", "n", "--drop", "n"][..], &["--id", "n"]] {
            let rejected = import(&project, name, content, more);
            assert!(rejected.stderr.contains("the field `n` is missing"), "{rejected}");
            assert_eq!(rejected.code, Some(2), "{rejected}");
        }
    }
}

#[test]
fn read_errors_of_host_and_file_are_distinguished() {
    let project = Project::new();
    fs::create_dir(project.path().join("it.jsonl")).expect("a writable directory");
    let import = |file| project.run(&["documents", "import", "things", file, "--format", "jsonl"]);
    assert_eq!((import("it.jsonl").code, import("missing").code), (Some(2), Some(2)));
    // Reading the memory at address 0 fails with EIO.
    insta::assert_snapshot!(import("/proc/self/mem"), @"
    ---- stderr
    error: cannot import `/proc/self/mem`: cannot read the file: Input/output error (os error 5)
    hint: check `dmesg` for errors of the disk or its connection, and back up the data
    ---- exit 5
    ");
}

#[test]
fn concatenated_json_objects_are_documents() {
    let project = Project::new();
    let content = "{\"n\": 1}\n{\n  \"n\": 2\n}\n{\"n\": 3}\n";
    assert_eq!(import(&project, "it.json", content, &[]).stdout, "{\"put\":3,\"skipped\":0}\n");
    assert_eq!(things(&project), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
}
