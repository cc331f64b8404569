//! `ophost documents`, and documents in a corrupted or copied store.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{OPHOST, Output, Project};
use crate::terminal;

/// Runs a command with `--json`.
fn json_of(project: &Project, arguments: &[&str]) -> Value {
    project.run(&[arguments, &["--json"]].concat()).json()
}

/// Writes a file of the project.
fn write(project: &Project, name: &str, content: impl AsRef<[u8]>) {
    fs::write(project.path().join(name), content).expect("a writable directory");
}

/// Writes a file with this content and imports it.
fn import(project: &Project, name: &str, content: &str, more: &[&str]) -> Output {
    write(project, name, content);
    project.run(&[&["documents", "import", "things", name], more].concat())
}

/// Returns a project with one collection, `things`.
fn with_things(lines: &str) -> Project {
    let project = Project::new();
    let imported = import(&project, "things.jsonl", lines, &[]);
    assert_eq!(imported.code, Some(0), "{imported}");
    project
}

/// Returns the documents of `things`, one per line.
fn things(project: &Project) -> String {
    project.run(&["documents", "find", "things", "-n", "1000"]).stdout
}

fn latest(project: &Project) -> Value {
    json_of(project, &["runs", "show", "latest"])
}

#[test]
fn reading_an_empty_project_finds_nothing_and_creates_no_store() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["documents", "collections"]), @"
    ---- stderr
    No documents. Run an operation that writes documents, or `ophost documents import`.
    ");
    insta::assert_snapshot!(project.run(&["documents", "find", "things"]), @"
    ---- stderr
    No document matches.
    ");
    insta::assert_snapshot!(project.run(&["documents", "get", "things", "a"]), @"
    ---- stderr
    error: document `a` does not exist in `things`
    hint: run `ophost documents find things` to list the documents
    ---- exit 3
    ");
    insta::assert_snapshot!(project.run(&["documents", "count", "things"]), @"0");
    insta::assert_snapshot!(project.run(&["documents", "export", "things"]), @"");
    let missing = json_of(&project, &["documents", "get", "things", "a"]);
    assert_eq!(missing["error"]["kind"], "no_such_document");
    assert!(!project.path().join(".ophost/store").exists());
}

#[test]
fn all_import_formats_give_the_same_documents() {
    let expected = "{\"_id\":\"a\",\"n\":1,\"zip\":\"01234\",\"ok\":true}\n\
                    {\"_id\":\"b\",\"n\":-2.5,\"zip\":\"1e3\",\"ok\":false}\n";
    let list = "[{\"_id\":\"a\",\"n\":1,\"zip\":\"01234\",\"ok\":true},\n \
                {\"_id\":\"b\",\"n\":-2.5,\"zip\":\"1e3\",\"ok\":false}]";
    let rows = "_id,n,zip,ok\r\na,1,01234,true\r\nb,-2.5,1e3,false\r\n";
    let files =
        [("it.jsonl", expected), ("it.NDJSON", expected), ("it.json", list), ("it.csv", rows)];
    let marked = files.map(|(name, content)| (name, format!("\u{feff}{content}")));
    for (name, content) in
        files.map(|(name, content)| (name, content.to_owned())).iter().chain(&marked)
    {
        let project = Project::new();
        let imported = import(&project, name, content, &[]);
        assert_eq!(imported.stdout, "{\"put\":2,\"skipped\":0}\n", "{name}: {imported}");
        assert_eq!(things(&project), expected, "{name}");
    }
}

#[test]
fn csv_column_has_one_type() {
    let content = "\
_id,price,zip,ok,exact,mixed,none
10.00,10.00,1234,true,9007199254740993,1,
1e5,9.99,01234,false,18446744073709551615,true,
007,-0,,,-0.50,,
";
    let project = Project::new();
    let imported = import(&project, "it.csv", content, &[]);
    assert_eq!(imported.code, Some(0), "{imported}");
    insta::assert_snapshot!(things(&project), @r#"
    {"_id":"007","price":-0.0,"exact":-0.5}
    {"_id":"10.00","price":10.0,"zip":"1234","ok":true,"exact":9007199254740993,"mixed":"1"}
    {"_id":"1e5","price":9.99,"zip":"01234","ok":false,"exact":18446744073709551615,"mixed":"true"}
    "#);
    // `10.00` in the file matches as a number.
    let few = project.run(&["documents", "count", "things", r#"{"price": {"$gt": 9}}"#]);
    assert_eq!(few.stdout, "2\n");
    let all_text = import(&project, "it.csv", content, &["--text", "--existing", "replace"]);
    assert_eq!(all_text.code, Some(0));
    insta::assert_snapshot!(things(&project), @r#"
    {"_id":"007","price":"-0","exact":"-0.50"}
    {"_id":"10.00","price":"10.00","zip":"1234","ok":"true","exact":"9007199254740993","mixed":"1"}
    {"_id":"1e5","price":"9.99","zip":"01234","ok":"false","exact":"18446744073709551615","mixed":"true"}
    "#);
}

#[test]
fn csv_column_with_an_inexact_number_is_text() {
    for cell in ["01234", "+1", " 7", "18446744073709551616", "null", "NaN", "1.5.2", "\"1\n\""] {
        let project = Project::new();
        import(&project, "it.csv", &format!("it\n7\n{cell}\n8\n"), &[]);
        let texts = ["documents", "count", "things", r#"{"it": {"$gte": ""}}"#];
        assert_eq!(project.run(&texts).stdout, "3\n", "{cell}: {}", things(&project));
    }
}

#[test]
fn import_from_stdin_needs_a_format() {
    let project = Project::new();
    let piped = |more: &[&str]| {
        let arguments = [&["documents", "import", "things", "-"], more].concat();
        let mut command = project.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        // A command that reads no stdin may have exited before the write.
        child.stdin.take().expect("a pipe").write_all(b"n,_id\n1,a\n").ok();
        let output = child.wait_with_output().expect("the command ends");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let (code, message) = piped(&[]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(message, @"
    error: cannot import `-`: unknown file extension
    hint: use `--format`
    ");
    assert_eq!(piped(&["--format", "csv"]), (Some(0), String::new()));
    assert_eq!(things(&project), "{\"_id\":\"a\",\"n\":1}\n");
    assert_eq!(latest(&project)["input_dump"]["source"], "-");
}

#[test]
fn id_option_selects_the_id_and_keeps_the_field() {
    let project = Project::new();
    let content = "number,name\n007,Bond\n8,Other\n";
    assert_eq!(import(&project, "it.csv", content, &["--id", "number"]).code, Some(0));
    insta::assert_snapshot!(things(&project), @r#"
    {"_id":"007","number":"007","name":"Bond"}
    {"_id":"8","number":"8","name":"Other"}
    "#);
    insta::assert_snapshot!(import(&project, "it.csv", content, &["--id", "nr"]), @"
    ---- stderr
    error: cannot import `it.csv`: line 2: the field `nr` is missing
    ---- exit 2
    ");
    assert_eq!(import(&project, "it.jsonl", "{\"_id\":12}\n{\"n\":1}\n", &[]).code, Some(0));
    let get = |id| project.run(&["documents", "get", "things", id]).stdout;
    assert_eq!(get("12"), "{\"_id\":\"12\"}\n");
    assert_eq!(project.run(&["documents", "count", "things"]).stdout, "4\n");
}

#[test]
fn documents_of_mongoexport_match_extended_json_filters() {
    let project = with_things(
        r#"{"_id":{"$oid":"65F0C0FFEE0123456789abcd"},"at":{"$date":"2024-01-31T12:00:00Z"},"n":{"$numberLong":"9"}}
{"_id":{"$oid":"65f0c0ffee0123456789abce"},"at":{"$date":{"$numberLong":"1706702400001"}},"n":10}
{"_id":{"$uuid":"73FFD264-44b3-4c69-90e8-e7d1dfc035d4"},"at":{"$date":"2023-01-31T12:00:00.5+01:00"},"n":{"$numberDouble":"2.5"}}
"#,
    );
    insta::assert_snapshot!(things(&project), @r#"
    {"_id":"65f0c0ffee0123456789abcd","at":"2024-01-31T12:00:00.000Z","n":9}
    {"_id":"65f0c0ffee0123456789abce","at":"2024-01-31T12:00:00.001Z","n":10}
    {"_id":"73ffd264-44b3-4c69-90e8-e7d1dfc035d4","at":"2023-01-31T11:00:00.500Z","n":2.5}
    "#);
    for (filter, count) in [
        (r#"{"_id": {"$oid": "65f0c0ffee0123456789ABCD"}}"#, "1\n"),
        (r#"{"_id": {"$in": [{"$uuid": "73ffd264-44b3-4c69-90e8-e7d1dfc035d4"}]}}"#, "1\n"),
        (r#"{"at": {"$gt": {"$date": "2024-01-31T13:00:00+01:00"}}}"#, "1\n"),
        (r#"{"at": {"$lt": {"$date": {"$numberLong": "1706702400000"}}}}"#, "1\n"),
        (r#"{"n": {"$gte": {"$numberLong": "9"}}}"#, "2\n"),
    ] {
        assert_eq!(
            project.run(&["documents", "count", "things", filter]).stdout,
            count,
            "{filter}"
        );
    }
    let malformed = import(&project, "it.jsonl", "{\"a\":[{\"$date\":\"soon\"}]}\n", &[]);
    insta::assert_snapshot!(malformed, @"
    ---- stderr
    error: cannot import `it.jsonl`: line 1: at $.a[0].$date: this Extended JSON type requires a time such as 2024-01-31T12:00:00Z, of the years 0 to 9999
    hint: use `--plain-json` to keep names that begin with `$`
    ---- exit 2
    ");
    let unknown = import(&project, "it.jsonl", "{\"a\":{\"$where\":1}}\n", &[]);
    insta::assert_snapshot!(unknown, @"
    ---- stderr
    error: cannot import `it.jsonl`: line 1: at $.a.$where: unknown Extended JSON type
    hint: use `--plain-json` to keep names that begin with `$`
    ---- exit 2
    ");
}

#[test]
fn bulk_delete_with_nested_operators_deletes_nothing() {
    let project = Project::with_rust(&["jobs"]);
    write(&project, "jobs.jsonl", "{\"title\":\"Keep me\"}\n{\"title\":\"Other\"}\n");
    assert_eq!(project.run(&["documents", "import", "jobs", "jobs.jsonl"]).code, Some(0));
    for filter in [
        r#"{"title": {"$nin": [{"$regex": "^Keep"}]}}"#,
        r#"{"title": {"$ne": {"$regex": "^Keep"}}}"#,
        r#"{"title": {"$not": {"$in": [{"$regex": "^Keep"}]}}}"#,
        r#"{"$nor": [{"title": {"$eq": [{"$regex": "^Keep"}]}}]}"#,
        r#"{"$nor": [{"title": {"a": {"$regex": "^Keep"}}}]}"#,
    ] {
        let deleted = project.run(&["run", "bulk_delete_jobs", &format!("filters={filter}")]);
        let output = deleted.json();
        assert_eq!(output["success"], false, "{filter}: {deleted}");
        let message = output["message"].as_str().unwrap_or_default();
        assert!(message.contains("$regex"), "{filter}: {deleted}");
        let counted = project.run(&["documents", "count", "jobs", filter]);
        assert_eq!(counted.code, Some(2), "{filter}: {counted}");
        assert_eq!(project.run(&["documents", "count", "jobs"]).stdout, "2\n");
    }
}

#[test]
fn existing_option_fails_replaces_or_skips_duplicate_ids() {
    let project = with_things("{\"_id\":\"a\",\"n\":1}\n");
    let content = "{\"_id\":\"b\",\"n\":2}\n{\"_id\":\"a\",\"n\":2}\n";
    insta::assert_snapshot!(import(&project, "it.jsonl", content, &[]), @"
    ---- stderr
    error: operation `ophost.import` failed (exists): document 2 (`a`): the document already exists
    ---- exit 1
    ");
    assert_eq!(things(&project), "{\"_id\":\"a\",\"n\":1}\n", "all or nothing");
    assert_eq!(latest(&project)["failure_kind"], "error");
    let skip = ["--existing", "skip"];
    assert_eq!(import(&project, "it.jsonl", content, &skip).stdout, "{\"put\":1,\"skipped\":1}\n");
    assert_eq!(things(&project), "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":2}\n");
    let replace = ["--existing", "replace"];
    assert_eq!(
        import(&project, "it.jsonl", content, &replace).stdout,
        "{\"put\":2,\"skipped\":0}\n"
    );
    assert_eq!(things(&project), "{\"_id\":\"a\",\"n\":2}\n{\"_id\":\"b\",\"n\":2}\n");
    // A document that is replaced by an equal one is not counted as updated.
    assert_eq!(latest(&project)["changes"]["updated"], 1);
    let twice = "{\"_id\":\"x\"}\n{\"_id\":\"x\"}\n";
    let twice = import(&project, "it.jsonl", twice, &[]);
    assert!(twice.stderr.contains("document 2 (`x`): document 1 has the same id\n"), "{twice}");
}

#[test]
fn dry_run_of_an_import_shows_the_documents() {
    let project = Project::new();
    let content = "{\"_id\":\"a\",\"n\":1}\n";
    insta::assert_snapshot!(import(&project, "it.jsonl", content, &["--dry-run"]), @r#"
    {"put":1,"skipped":0}
    ---- stderr
    DRY RUN: no change was committed; would have created 1 document
    + things/a
        + n: 1
    "#);
    let report = json_of(&project, &["documents", "import", "things", "it.jsonl", "--dry-run"]);
    assert_eq!(report["change_set"][0]["after"], json!({"n": 1}));
    assert_eq!(
        (things(&project).as_str(), &latest(&project)["metadata"]["dry_run"]),
        ("", &json!(true))
    );
}

#[test]
fn import_is_recorded_as_a_run() {
    let project = with_things("{\"_id\":\"a\",\"n\":1}\n");
    let import = ["documents", "import", "things", "things.jsonl", "--existing", "replace"];
    let flow = "00000000-0000-4000-8000-000000000001";
    let more = ["--user", "ann", "--prefect-flow-run-id", flow];
    let report = json_of(&project, &[&import[..], &more].concat());
    let run = latest(&project);
    assert_eq!((&run["id"], &run["operation_name"]), (&report["run_id"], &json!("ophost.import")));
    assert_eq!(run["actor"], json!({"user_id": "ann", "channel": "cli"}));
    assert_eq!(run["prefect_flow_run_id"], flow);
    let input = json!({
        "collection": "things",
        "documents": 1,
        "existing": "replace",
        "source": "things.jsonl",
    });
    assert_eq!((&run["input_dump"], &run["component_digest"]), (&input, &Value::Null));
    let listed = json_of(&project, &["runs", "list", "--operation", "ophost.import"]);
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(2));
    let first = listed["runs"][1]["id"].as_str().expect("an id");
    insta::assert_snapshot!(project.run(&["runs", "changes", first]), @"
    + things/a
        + n: 1
    ");
    let created = json!({"collection": "things", "document_id": "a", "change": "created"});
    assert_eq!(json_of(&project, &["runs", "show", first])["result_refs"], json!([created]));
    insta::assert_snapshot!(project.run(&["runs", "rerun", first]), @"
    ---- stderr
    error: run [RUN] was an import, and its file is not stored; use `ophost documents import`
    hint: run `ophost runs show [RUN]` to show the run
    ---- exit 2
    ");
    assert_eq!(project.run(&["run", "ophost.import"]).code, Some(3));
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn one_invalid_document_imports_nothing_and_its_position_is_named() {
    let project = Project::new();
    let import_error = |name: &str, content: &str| {
        let output = import(&project, name, content, &[]);
        assert_eq!((output.stdout.as_str(), output.code), ("", Some(2)), "{output}");
        output.stderr
    };
    let lines =
        |line: &str| import_error("it.jsonl", &format!("{{\"n\":1}}\n\n{line}\n{{\"n\":2}}\n"));
    let deep = format!("{}1{}", "{\"a\":".repeat(65), "}".repeat(65));
    let deepest = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    let bad = [
        "{bad",
        "[1]",
        "null",
        "{\"a\":1e400}",
        "{\"a\":18446744073709551616}",
        "{\"a\":-9223372036854775809}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":\"\\ud800\"}",
        "{}{}",
        "{\"_id\":\"\"}",
        "{\"_id\":\"a\\u0000\"}",
        "{\"_id\":null}",
        "{\"_id\":{\"a\":1}}",
        &format!("{{\"_id\":\"{}\"}}", "i".repeat(256)),
        &deep,
        &deepest,
        &large,
    ];
    let all: String = bad.iter().map(|line| lines(line)).collect();
    insta::assert_snapshot!(all, @r"
    error: cannot import `it.jsonl`: line 3: not JSON: key must be a string at column 2
    error: cannot import `it.jsonl`: line 3: expected an object
    error: cannot import `it.jsonl`: line 3: expected an object
    error: cannot import `it.jsonl`: line 3: not JSON: number out of range at column 10
    error: cannot import `it.jsonl`: line 3: not JSON: the integer 18446744073709551616 needs more than 64 bits
    error: cannot import `it.jsonl`: line 3: not JSON: the integer -9223372036854775809 needs more than 64 bits
    error: cannot import `it.jsonl`: line 3: not JSON: duplicate field `a` at column 13
    error: cannot import `it.jsonl`: line 3: not JSON: unexpected end of hex escape at column 13
    error: cannot import `it.jsonl`: line 3: not JSON: trailing characters at column 3
    error: cannot import `it.jsonl`: line 3: `` is not a document id: 1 to 255 bytes, no control characters
    error: cannot import `it.jsonl`: line 3: `a\u{0}` is not a document id: 1 to 255 bytes, no control characters
    error: cannot import `it.jsonl`: line 3: the id is neither text nor a number
    error: cannot import `it.jsonl`: line 3: the id is an object
    error: cannot import `it.jsonl`: line 3: `iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii [256 bytes, cut]` is not a document id: 1 to 255 bytes, no control characters
    error: cannot import `it.jsonl`: line 3: the body has more than 64 levels
    error: cannot import `it.jsonl`: line 3: not JSON: recursion limit exceeded at column 636
    error: cannot import `it.jsonl`: line 3: the body is larger than 1 MiB
    ");
    let others = [
        import_error("it.json", "[{}, 2]"),
        import_error("it.json", "[{},\n{\"a\": 1e400}]"),
        import_error("it.json", "{}\n1"),
        import_error("it.csv", "a,b\n1,2\n3\n"),
        import_error("it.csv", "a,b\n1,\"2\n3,4\n"),
        import_error("it.csv", "a,a\n1,2\n"),
        import_error("it.txt", "{}"),
    ];
    insta::assert_snapshot!(others.join(""), @"
    error: cannot import `it.json`: document 2: expected an object
    error: cannot import `it.json`: not JSON: number out of range at line 2 column 11
    error: cannot import `it.json`: not JSON: trailing characters at line 2 column 1
    error: cannot import `it.csv`: line 3: expected 2 cells, found 1
    error: cannot import `it.csv`: line 2: the file ends within quotes that start here
    error: cannot import `it.csv`: two columns have the name `a`
    hint: rename them in the order of the columns with `--rename 'a=a1' --rename 'a=a2'`
    error: cannot import `it.txt`: unknown file extension
    hint: use `--format`
    ");
    write(&project, "it.jsonl", b"{\"n\":1}\n{\"n\":\"\xff\"}\n");
    let bytes = project.run(&["documents", "import", "things", "it.jsonl"]);
    assert!(bytes.code == Some(2) && bytes.stderr.contains("UTF-8"), "{bytes}");
    assert_eq!(project.run(&["documents", "import", "things", "none.csv"]).code, Some(2));
    assert_eq!(things(&project), "");
    assert!(!project.path().join(".ophost/store").exists(), "a run was recorded");
}

#[test]
fn import_is_limited_by_the_maximum_effects() {
    let document = format!("{{\"_id\":\"a\",\"text\":\"{}\"}}\n", "x".repeat(2500));
    let project = with_things(&document);
    project.settings("[limits]\neffects = \"2500B\"\n[limits.max]\neffects = \"2500B\"");
    let large = import(&project, "it.jsonl", "{\"a\":1}\n{\"a\":2}\n", &[]);
    insta::assert_snapshot!(large, @"
    ---- stderr
    error: cannot import `it.jsonl`: the documents up to line 2 are larger than 2.4 KiB, the maximum that one run may write (limit `effects`)
    hint: use `--batch 10000` to import 10000 documents per run, or raise `effects` in `[limits.max]` of the settings
    ---- exit 2
    ");
    // Replaced documents count as well.
    let more = import(&project, "it.csv", "_id,text\na,b\n", &["--existing", "replace"]);
    insta::assert_snapshot!(more, @"
    ---- stderr
    error: operation `ophost.import` failed (effects): the documents exceed the limit of document changes
    hint: raise the maximum in `[limits.max]` of the settings
    ---- exit 1
    ");
    assert_eq!(latest(&project)["failure_kind"], "effects");
    assert_eq!(things(&project), document);
}

#[test]
fn export_can_be_imported_again() {
    let lines = "{\"_id\":\"a\",\"big\":9007199254740993,\"most\":18446744073709551615,\
                 \"least\":-9223372036854775808,\"f\":0.1,\"tiny\":5e-324}\n\
                 {\"_id\":\"é\\\"\",\"z\":null,\"a\":{\"b\":[1,[],{}]},\"text\":\"\\u0001\\n\"}\n";
    let project = with_things(lines);
    let exported = project.run(&["documents", "export", "things"]);
    assert_eq!(exported.stdout, lines);
    let message = project.run(&["documents", "export", "things", "-o", "out.jsonl"]);
    insta::assert_snapshot!(message, @"
    ---- stderr
    2 documents in `out.jsonl`
    ");
    assert_eq!(fs::read_to_string(project.path().join("out.jsonl")).expect("a file"), lines);
    let again = project.run(&["documents", "import", "others", "out.jsonl"]);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(project.run(&["documents", "export", "others"]).stdout, lines);
    insta::assert_snapshot!(project.run(&["documents", "export", "things", "-o", "out.jsonl"]), @"
    ---- stderr
    error: cannot write `out.jsonl`: File exists (os error 17)
    hint: the file exists and is not overwritten; choose another name
    ---- exit 2
    ");
    let some = project.run(&["documents", "export", "things", "{\"z\":{\"$exists\":true}}"]).stdout;
    assert_eq!(some.lines().count(), 1);
    let file = json_of(&project, &["documents", "export", "things", "-o", "more.jsonl"]);
    assert_eq!(file, json!({"file": "more.jsonl", "documents": 2}));
}

#[test]
fn failed_export_leaves_no_file() {
    let document = json!({"text": "x".repeat(900 << 10)}).to_string();
    let project = with_things(&format!("{document}\n").repeat(8));
    let mut limited = project.program("sh", &[]);
    // The unit is 512 or 1,024 bytes, depending on the shell. A write beyond the limit raises
    // SIGXFSZ.
    let script = "ulimit -f 4096; exec \"$0\" documents export things -o it.jsonl";
    limited.args(["-c", script, OPHOST]);
    insta::assert_snapshot!(project.output(&mut limited), @"
    ---- stderr
    error: cannot write `it.jsonl`: the file is too large (RLIMIT_FSIZE, or the limit of the file system)
    hint: raise `ulimit -f`
    ---- exit 5
    ");
    let names = fs::read_dir(project.path()).expect("a directory");
    let names = names.map(|entry| entry.expect("an entry").file_name().into_string());
    let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
    names.sort();
    assert_eq!(names, [".ophost", "plugins", "things.jsonl"]);
    assert_eq!(
        project.run(&["documents", "export", "things", "-o", "it.jsonl"]).stderr,
        "8 documents in `it.jsonl`\n"
    );
    let missing = project.run(&["documents", "export", "things", "-o", "none/it.jsonl"]);
    assert_eq!(missing.code, Some(2), "{missing}");
}

#[test]
fn progress_bar_of_a_complete_export_has_a_total() {
    let lines: String = (0..500).map(|number| format!("{{\"n\":{number}}}\n")).collect();
    let project = with_things(&lines);
    let export = |name: &str, filter: &[&str]| {
        let export = ["documents", "export", "things", "-o", name];
        let (text, code) = terminal::run(project.command(&[&export, filter].concat()), 100);
        assert_eq!(code, Some(0), "{text}");
        text
    };
    let all = export("all.jsonl", &[]);
    assert!(all.contains("/500 "), "{all}");
    let some = export("some.jsonl", &["{\"n\":{\"$lt\":100}}"]);
    assert!(some.contains("100 documents") && !some.contains("/500 "), "{some}");
}

#[test]
fn documents_commands_print_json() {
    let project = with_things("{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":2}\n");
    insta::assert_snapshot!(project.run(&["documents", "collections"]), @"things  2");
    insta::assert_snapshot!(project.run(&["documents", "collections", "--json"]), @r#"{"collections":[{"collection":"things","documents":2}]}"#);
    insta::assert_snapshot!(project.run(&["documents", "get", "things", "a"]), @r#"{"_id":"a","n":1}"#);
    insta::assert_snapshot!(project.run(&["documents", "get", "things", "a", "--json"]), @r#"{"collection":"things","id":"a","revision":1,"body":{"n":1}}"#);
    insta::assert_snapshot!(project.run(&["documents", "count", "things", "--json"]), @r#"{"count":2}"#);
    insta::assert_snapshot!(project.run(&["documents", "find", "things", "{\"n\":2}", "--json"]), @r#"{"documents":[{"_id":"b","n":2}],"next":null}"#);
}

#[test]
fn pages_return_each_document_once_in_order() {
    let lines: String =
        (0..25).map(|n| format!("{{\"_id\":\"{n:02}\",\"n\":{}}}\n", n % 7)).collect();
    let project = with_things(&lines);
    let find =
        ["documents", "find", "things", "{\"n\":{\"$lt\":5}}", "--sort", "-n,_id", "-n", "6"];
    let (mut seen, mut pages, mut next) = (Vec::new(), 0, None);
    loop {
        let after = next.as_ref().map_or(vec![], |next: &String| vec!["--after", next.as_str()]);
        let page = json_of(&project, &[&find[..], &after].concat());
        seen.extend(page["documents"].as_array().expect("a list").clone());
        pages += 1;
        match page["next"].as_str() {
            Some(cursor) => next = Some(cursor.to_owned()),
            None => break,
        }
    }
    let key =
        |it: &Value| (-it["n"].as_i64().expect("n"), it["_id"].as_str().expect("id").to_owned());
    assert!(seen.is_sorted_by_key(key), "{seen:?}");
    assert_eq!((seen.len(), pages), (19, 4));
    let message = project.run(&find).stderr;
    assert!(message.starts_with("More documents exist; use `--after "), "{message}");
    let cursor = next.expect("there were several pages");
    let other = project.run(&["documents", "find", "things", "--after", &cursor]);
    insta::assert_snapshot!(other, @"
    ---- stderr
    error: the cursor belongs to another query; collection, filter and order must be the same
    hint: omit `--after`, or use the collection, filter and `--sort` of the previous page
    ---- exit 2
    ");
}

#[test]
fn missing_collection_is_reported_on_a_terminal_and_misspelt_names_everywhere() {
    let project = with_things("{\"_id\":\"a\"}");
    for command in ["count", "find", "export"] {
        let look = |name| terminal::run(project.command(&["documents", command, name]), 100);
        let (text, code) = look("thing");
        let message = "collection `thing` does not exist; did you mean `things`?";
        assert!(text.contains(message) && code == Some(0), "{command}: {text}");
        let (text, _) = look("otherwise");
        let message = "collection `otherwise` does not exist";
        assert!(text.contains(message) && !text.contains("did you mean"), "{command}: {text}");
        assert!(!look("things").0.contains("no collection"));
        let piped = |name| project.run(&["documents", command, name]).stderr;
        assert!(piped("thing").contains("did you mean `things`?"), "{}", piped("thing"));
        assert!(!piped("otherwise").contains("no collection"), "{}", piped("otherwise"));
    }
    let json = project.run(&["documents", "find", "thing", "--json"]);
    assert!(json.stderr.contains("did you mean `things`?"), "{json}");
    assert_eq!(json.json(), json!({"documents": [], "next": null}));
}

#[test]
fn get_and_import_suggest_the_name_of_a_misspelt_collection() {
    let project = with_things("{\"_id\":\"a\"}");
    insta::assert_snapshot!(project.run(&["documents", "get", "thing", "a"]), @"
    ---- stderr
    error: document `a` does not exist in `thing`
    hint: did you mean the collection `things`?
    ---- exit 3
    ");
    let import = |to| project.run(&["documents", "import", to, "things.jsonl", "--dry-run"]).stderr;
    let message = "warning: `thing` is a new collection; did you mean `things`?\n";
    assert!(import("thing").starts_with(message), "{}", import("thing"));
    assert!(!import("things").contains("new collection"), "{}", import("things"));
    assert!(!import("things2").contains("new collection"), "{}", import("things2"));
    assert!(!import("otherwise").contains("new collection"), "{}", import("otherwise"));
}

#[test]
fn values_of_all_types_have_a_total_order() {
    let values = [
        "true",
        "[1]",
        "{\"a\":1}",
        "\"a\"",
        "9007199254740993",
        "9007199254740992.0",
        "-1",
        "null",
        "false",
    ];
    let lines = values
        .iter()
        .enumerate()
        .map(|(id, value)| format!("{{\"_id\":\"{id}\",\"v\":{value}}}\n"));
    let lines = lines.chain(["{\"_id\":\"none\"}\n".to_owned()]).collect::<String>();
    let project = with_things(&lines);
    let sorted = |sort: &str| project.run(&["documents", "find", "things", "--sort", sort]).stdout;
    insta::assert_snapshot!(sorted("v"), @r#"
    {"_id":"7","v":null}
    {"_id":"none"}
    {"_id":"6","v":-1}
    {"_id":"1","v":[1]}
    {"_id":"5","v":9007199254740992.0}
    {"_id":"4","v":9007199254740993}
    {"_id":"3","v":"a"}
    {"_id":"2","v":{"a":1}}
    {"_id":"8","v":false}
    {"_id":"0","v":true}
    "#);
    let (up, down) = (sorted("v,_id"), sorted("-v,-_id"));
    // A list sorts by its smallest item, in descending order by its largest. Here it has one item.
    assert!(up.lines().rev().eq(down.lines()), "{up}{down}");
}

#[test]
fn integers_are_compared_exactly() {
    let project = with_things(
        "{\"_id\":\"a\",\"n\":9007199254740993}\n{\"_id\":\"b\",\"n\":18446744073709551615}\n",
    );
    let count = |filter: &str| project.run(&["documents", "count", "things", filter]).stdout;
    assert_eq!(count("{\"n\":9007199254740993}"), "1\n");
    assert_eq!(count("{\"n\":9007199254740992}"), "0\n");
    assert_eq!(count("{\"n\":9007199254740992.0}"), "0\n");
    assert_eq!(count("{\"n\":{\"$gt\":9007199254740992}}"), "2\n");
    assert_eq!(count("{\"n\":18446744073709551615}"), "1\n");
    assert_eq!(count("{\"n\":{\"$lt\":18446744073709551615}}"), "1\n");
}

/// The first line of the message states the problem in one sentence.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn invalid_queries_are_usage_errors_with_a_reason() {
    let project = with_things("{\"_id\":\"a\",\"n\":1}\n");
    let deep = format!("{}{{}}{}", "{\"$and\":[".repeat(100), "]}".repeat(100));
    let deeper = format!("{}{{}}{}", "{\"$and\":[".repeat(60), "]}".repeat(60));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10));
    let (id, long) = ("i".repeat(256), "c".repeat(65));
    let questions: [&[&str]; 32] = [
        &["find", ""],
        &["find", "a/b"],
        &["find", "../a"],
        &["find", "Things"],
        &["find", &long],
        &["export", "a b"],
        &["count", "1a"],
        &["get", "things", ""],
        &["get", "things", "a\u{1b}[31m"],
        &["get", "things", &id],
        &["get", "a/b", "a"],
        &["import", "a/b", "things.jsonl"],
        &["find", "things", "{"],
        &["find", "things", "[]"],
        &["find", "things", "{\"n\":1,\"n\":2}"],
        &["find", "things", "{\"n\":1e400}"],
        &["find", "things", "{\"n\":18446744073709551616}"],
        &["find", "things", "{\"$where\":\"1\"}"],
        &["find", "things", "{\"n\":{\"$gte2\":1}}"],
        &["find", "things", "{\"n\":{\"$gt\":1,\"m\":2}}"],
        &["find", "things", "{\"n\":{\"$in\":1}}"],
        &["find", "things", "{\"n\":{\"$regex\":\"(\"}}"],
        &["find", "things", "{\"\":1}"],
        &["count", "things", &deep],
        &["count", "things", &deeper],
        &["export", "things", &large],
        &["find", "things", "--sort", ""],
        &["find", "things", "--sort", "a..b"],
        &["find", "things", "--sort", "a,b,c,d,e,f,g,h,i"],
        &["find", "things", "-n", "0"],
        &["find", "things", "-n", "1001"],
        &["find", "things", "--after", "zz"],
    ];
    let mut message = String::new();
    for question in questions {
        let output = project.run(&[&["documents"], question].concat());
        assert_eq!((output.stdout.as_str(), output.code), ("", Some(2)), "{output}");
        let line = output.stderr.lines().next().expect("a line");
        assert!(line.len() < 600, "{} bytes", line.len());
        message.push_str(&format!("{line}\n"));
        let json = json_of(&project, &[&["documents"], question].concat());
        assert_eq!(json["error"]["kind"], "usage", "{json}");
    }
    insta::assert_snapshot!(message, @r#"
    error: invalid value '' for '<COLLECTION>': `` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value 'a/b' for '<COLLECTION>': `a/b` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value '../a' for '<COLLECTION>': `../a` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value 'Things' for '<COLLECTION>': `Things` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value 'ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc' for '<COLLECTION>': `ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value 'a b' for '<COLLECTION>': `a b` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value '1a' for '<COLLECTION>': `1a` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value '' for '<ID>': `` is not a document id: 1 to 255 bytes, no control characters
    error: invalid value 'a' for '<ID>': `a` is not a document id: 1 to 255 bytes, no control characters
    error: invalid value 'iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii [256 bytes, cut]' for '<ID>': `iiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiiii [256 bytes, cut]` is not a document id: 1 to 255 bytes, no control characters
    error: invalid value 'a/b' for '<COLLECTION>': `a/b` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value 'a/b' for '<COLLECTION>': `a/b` is not a collection name: lower case letters, digits and `_`, in parts joined by dots or dashes, a letter first, at most 64 bytes
    error: invalid value '{' for '[FILTER]': at $: not JSON: EOF while parsing an object at line 1 column 1
    error: invalid value '[]' for '[FILTER]': at $: expected an object, found a list
    error: invalid value '{"n":1,"n":2}' for '[FILTER]': at $: not JSON: duplicate field `n` at line 1 column 13
    error: invalid value '{"n":1e400}' for '[FILTER]': at $: not JSON: number out of range at line 1 column 10
    error: invalid value '{"n":18446744073709551616}' for '[FILTER]': at $: not JSON: the integer 18446744073709551616 needs more than 64 bits
    error: invalid value '{"$where":"1"}' for '[FILTER]': at $.$where: unknown operator; expected one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $and, $or, $nor, $not, $exists, $regex, $options, $size, $elemMatch
    error: invalid value '{"n":{"$gte2":1}}' for '[FILTER]': at $.n.$gte2: unknown operator; did you mean $gte?
    error: invalid value '{"n":{"$gt":1,"m":2}}' for '[FILTER]': at $.n: cannot mix fields and operators, which begin with $, in one object
    error: invalid value '{"n":{"$in":1}}' for '[FILTER]': at $.n.$in: expected a list, found a number
    error: invalid value '{"n":{"$regex":"("}}' for '[FILTER]': at $.n.$regex: invalid pattern: unclosed group
    error: invalid value '{"":1}' for '[FILTER]': at $.: the path `` has an empty part
    error: invalid value '{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$ [1102 bytes, cut]' for '[FILTER]': at $: not JSON: recursion limit exceeded at line 1 column 576
    error: invalid value '{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$and":[{"$ [662 bytes, cut]' for '[FILTER]': at $: the filter has more than 64 levels
    error: invalid value '{"a":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx [65544 bytes, cut]' for '[FILTER]': at $: the filter is larger than 64 KiB
    error: invalid value '' for '--sort <FIELD,-FIELD>': the path `` has an empty part
    error: invalid value 'a..b' for '--sort <FIELD,-FIELD>': the path `a..b` has an empty part
    error: cannot sort by 9 fields: the maximum is 8
    error: invalid value '0' for '--limit <COUNT>': 0 is not in 1..=1000
    error: invalid value '1001' for '--limit <COUNT>': 1001 is not in 1..=1000
    error: invalid cursor; pass `next` of the previous page unchanged
    "#);
}

#[test]
fn help_lists_the_filter_operators() {
    let project = Project::new();
    let help = project.run(&["documents", "--help"]).stdout;
    for word in ["$elemMatch", "ophost documents import jobs jobs.csv --id number", "collections"] {
        assert!(help.contains(word), "{help}");
    }
    let import = project.run(&["documents", "import", "--help"]).stdout;
    assert!(import.contains("possible values: fail, replace, skip"), "{import}");
}

#[test]
fn collections_are_completed() {
    let project = with_things("{\"_id\":\"a\"}\n");
    for (line, expected) in [
        (&["documents", "find", "th"][..], "things\t1 document\n"),
        (&["documents", "get", "th"], "things\t1 document\n"),
        (&["documents", "import", "th"], "things\t1 document\n"),
        (&["documents", "export", "x"], ""),
        (&["documents", "count", "--data", "elsewhere", "th"], ""),
    ] {
        let mut command = project.command(&[&["--", "ophost"], line].concat());
        let output = project.output(command.env("OPHOST_COMPLETE", "fish"));
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), (expected, ""), "{line:?}");
    }
}

/// Creates a data directory with this store file.
fn store_of(project: &Project, name: &str, content: &[u8]) {
    let directory = project.path().join(name).join("store");
    fs::create_dir_all(&directory).expect("a directory");
    for directory in [directory.parent().expect("the data directory"), &directory] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
            .expect("a file of this user");
    }
    fs::write(directory.join("store.redb"), content).expect("a file");
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(path).expect("a file")
}

#[test]
fn backup_and_salvage_copy_the_documents() {
    let project = with_things("{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"n\":2}\n");
    for command in ["backup", "salvage"] {
        let file = format!("{command}.redb");
        let copied = project.run(&["store", command, &file]);
        assert_eq!(copied.code, Some(0), "{copied}");
        store_of(&project, command, &read(project.path().join(&file)));
        let on = |arguments: &[&str]| project.run(&[arguments, &["--data", command]].concat());
        assert_eq!(on(&["documents", "export", "things"]).stdout, things(&project));
        assert_eq!(on(&["runs", "changes", "latest"]).stdout.lines().count(), 4);
        assert_eq!(on(&["store", "check"]).stdout, "no problems found\n");
        let more = on(&["documents", "import", "things", "things.jsonl", "--existing", "skip"]);
        assert_eq!(more.stdout, "{\"put\":0,\"skipped\":2}\n");
        assert_eq!(on(&["store", "check"]).stdout, "no problems found\n");
    }
}

/// A text that the store does not compress, so that its bytes can be found in the file.
const MARK: &str = "qZ7kXw9vJ3mPqZ1uHs8e";

/// Creates one copy of the store for each occurrence of [`MARK`], with one bit flipped there.
/// Returns the names of the data directories.
fn corrupted_copies(project: &Project) -> Vec<String> {
    let intact = read(project.path().join(".ophost/store/store.redb"));
    let offsets = intact.windows(MARK.len()).enumerate();
    let offsets = offsets.filter(|(_, bytes)| *bytes == MARK.as_bytes()).map(|(offset, _)| offset);
    let corrupt = |(number, offset): (usize, usize)| {
        let mut bytes = intact.clone();
        bytes[offset] ^= 1;
        let name = format!("damaged{number}");
        store_of(project, &name, &bytes);
        name
    };
    offsets.enumerate().map(corrupt).collect()
}

#[test]
fn corrupted_document_is_named_and_never_shown_and_the_others_are_salvaged() {
    let project =
        with_things(&format!("{{\"_id\":\"bad\",\"t\":\"{MARK}\"}}\n{{\"_id\":\"good\"}}\n"));
    let good = "{\"_id\":\"good\"}\n";
    let (mut documents, mut changes) = (0, 0);
    for data in corrupted_copies(&project) {
        let on = |arguments: &[&str]| project.run(&[arguments, &["--data", &data]].concat());
        let check = on(&["store", "check"]);
        let bad = on(&["documents", "get", "things", "bad"]);
        assert_eq!(on(&["documents", "get", "things", "good"]).stdout, good);
        if bad.code == Some(5) {
            documents += 1;
            insta::allow_duplicates! {
                insta::assert_snapshot!(bad, @"
                ---- stderr
                error: the store is corrupted at `document things/bad`: checksum mismatch
                hint: `ophost store check` lists all corruption; `ophost store salvage FILE` copies the intact data
                ---- exit 5
                ");
                insta::assert_snapshot!(check, @"
                the store is corrupted at `document things/bad`: checksum mismatch
                ---- exit 1
                ");
            }
            for command in ["find", "count", "export"] {
                assert_eq!(on(&["documents", command, "things"]).code, Some(5));
            }
            assert_eq!(on(&["documents", "find", "things", "{\"_id\":\"good\"}"]).stdout, good);
        } else if check.code == Some(1) {
            changes += 1;
            insta::allow_duplicates!(insta::assert_snapshot!(check, @"
            the store is corrupted at `change 1 of things/bad`: checksum mismatch
            ---- exit 1
            "));
            let diff = on(&["runs", "changes", "latest"]);
            assert!(diff.code == Some(5) && diff.stdout.is_empty(), "{diff}");
        }
        if check.code == Some(1) {
            assert_salvageable(&project, &data, bad.code == Some(5));
        }
    }
    assert!(documents > 0 && changes > 0, "{documents} documents, {changes} changes");
}

/// The checksum of a value does not cover its key.
#[test]
fn scan_fails_if_a_corrupted_key_hides_documents() {
    let project = Project::with_rust(&["jobs"]);
    let line = |number| format!("{{\"_id\":\"j{number:04}\",\"status\":\"new\"}}\n");
    write(&project, "jobs.jsonl", (0..1000).map(line).collect::<String>());
    let imported = project.run(&["documents", "import", "jobs", "jobs.jsonl"]);
    assert_eq!(imported.code, Some(0), "{imported}");
    let intact = read(project.path().join(".ophost/store/store.redb"));
    let mut hidden = 0;
    for number in [100, 500, 900] {
        // The key of a document, and not of its history.
        let key = format!("o\x04jobsj{number:04}");
        let offsets = intact.windows(key.len()).enumerate();
        for (offset, _) in offsets.filter(|(_, bytes)| *bytes == key.as_bytes()) {
            let mut bytes = intact.clone();
            bytes[offset + 3] ^= 0x80;
            store_of(&project, "damaged", &bytes);
            let on =
                |arguments: &[&str]| project.run(&[arguments, &["--data", "damaged"]].concat());
            let counted = on(&["documents", "count", "jobs"]);
            let filtered = on(&["documents", "count", "jobs", "{\"status\":\"new\"}"]);
            let exported = on(&["documents", "export", "jobs"]);
            let deleted = on(&["run", "bulk_delete_jobs", "filters={\"status\":\"new\"}"]);
            let codes = [&counted, &filtered, &exported].map(|it| it.code);
            hidden += 1;
            assert_eq!(codes, [Some(5), Some(5), Some(5)], "{counted}{filtered}{exported}");
            for output in [&counted, &filtered, &exported] {
                assert!(output.stderr.contains("the store is corrupted at "), "{output}");
            }
            assert_eq!(deleted.json()["success"], false, "{deleted}");
            assert!(deleted.stdout.contains("the store is corrupted at "), "{deleted}");
        }
    }
    assert!(hidden >= 3, "{hidden}");
}

#[test]
fn commands_that_skip_a_corrupted_run_exit_with_failure() {
    let project = Project::with_rust(&["misbehave"]);
    for text in [MARK, "good"] {
        let value = format!("value={text}");
        let run = ["run", "misbehave.echo", &value, "--record", "--verbose"];
        assert_eq!(project.run(&run).code, Some(0));
    }
    let intact = project.run(&["runs", "export"]);
    assert_eq!((intact.stdout.lines().count(), intact.code), (2, Some(0)));
    let mut skipped = 0;
    let exported = corrupted_copies(&project).into_iter().map(|data| {
        let export = project.run(&["runs", "export", "--data", &data]);
        let is_whole = !export.stderr.contains("skipping");
        let expected = if is_whole { (2, Some(0)) } else { (1, Some(1)) };
        assert_eq!((export.stdout.lines().count(), export.code), expected, "{export}");
        if is_whole {
            return true;
        }
        // All commands skip the same runs, except that a corrupted log affects only the export.
        let on = |arguments: &[&str]| project.run(&[arguments, &["--data", &data]].concat());
        let [list, stats] = ["list", "stats"].map(|command| on(&["runs", command]));
        let json = ["list", "stats"].map(|command| on(&["runs", command, "--json"]));
        let corrupted = json.each_ref().map(|it| it.json()["corrupted"].as_array().map(Vec::len));
        assert_eq!(corrupted[0], corrupted[1], "{list}{stats}");
        let code = if corrupted[0] == Some(0) { Some(0) } else { Some(1) };
        assert_eq!(
            [&list, &stats, &json[0], &json[1]].map(|it| it.code),
            [code; 4],
            "{list}{stats}"
        );
        for output in [&list, &stats] {
            assert_eq!(output.stderr.contains("skipping"), code == Some(1), "{output}");
            assert!(output.stdout.contains("misbehave.echo"), "{output}");
        }
        let check = on(&["store", "check"]);
        let lines: Vec<_> = check.stdout.lines().collect();
        let distinct: std::collections::BTreeSet<_> = lines.iter().collect();
        assert!(!lines.is_empty() && lines.len() == distinct.len(), "{check}");
        skipped += usize::from(code == Some(1));
        false
    });
    assert!(exported.filter(|is_whole| !is_whole).count() > 0, "no run was corrupted");
    assert!(skipped > 0, "no row was corrupted");
}

#[test]
fn panic_over_a_corrupted_store_is_reported_as_corruption() {
    let project = with_things("{}\n");
    let intact = read(project.path().join(".ophost/store/store.redb"));
    // Makes the name of a table invalid UTF-8. Most occurrences are in pages that are not in use.
    let names = intact.windows(11).enumerate().filter(|(_, bytes)| *bytes == b"idempotency");
    let mut panics = 0;
    for (offset, _) in names {
        let mut bytes = intact.clone();
        bytes[offset] = 0xff;
        store_of(&project, "damaged", &bytes);
        for command in [&["store", "check"][..], &["store", "salvage", "it"], &["runs", "list"]] {
            let output = project.run(&[command, &["--data", "damaged"]].concat());
            if output.stderr.contains("`Result::unwrap()`") {
                panics += 1;
                assert_ne!(
                    command[1], "salvage",
                    "salvage must not use the code that panics: {output}"
                );
                assert_eq!(output.code, Some(5), "{output}");
                assert!(output.stderr.starts_with("error: the store is corrupted at "), "{output}");
                assert_eq!(output.stderr.lines().count(), 2, "{output}");
            }
        }
        fs::remove_file(project.path().join("it")).ok();
    }
    assert!(panics >= 2, "{panics}");
}

#[test]
fn rerun_warns_that_a_corrupted_run_may_have_been_a_rerun() {
    let project = Project::with_rust(&["misbehave"]);
    let run = ["run", "misbehave.echo", "value=a", "--record", "--max-output", "1B"];
    assert_eq!(project.run(&run).code, Some(1));
    let edit = format!("value={MARK}");
    assert_eq!(project.run(&["runs", "rerun", "latest", "--edit", &edit]).code, Some(0));
    let again = |data: &str| project.run(&["runs", "rerun", "--status", "failed", "--data", data]);
    assert!(again(".ophost").stderr.starts_with("1 run skipped: already rerun\n"));
    let messages: Vec<_> =
        corrupted_copies(&project).iter().map(|data| again(data).stderr).collect();
    let is_warning = |message: &&String| {
        let expected = "warning: skipping a corrupted run; the run it may have rerun is still selected: the store is";
        message.starts_with(expected)
            && message.contains("error: cannot ask for confirmation of 1 run")
    };
    assert!(messages.iter().filter(is_warning).count() > 0, "{messages:?}");
}

/// Salvages a corrupted store and checks the result: it is sound, and lost data is reported as lost.
fn assert_salvageable(project: &Project, data: &str, is_document: bool) {
    let file = format!("{data}.redb");
    let salvaged = project.run(&["store", "salvage", &file, "--data", data]);
    // The exit code shows that data was lost.
    assert_eq!(salvaged.code, Some(1), "{salvaged}");
    let message = salvaged.stderr;
    let counts = if is_document {
        "recovered 1 run and 1 document, 1 problem\n"
    } else {
        "recovered 1 run and 2 documents, 1 problem\n"
    };
    assert!(message.ends_with(counts), "{message}");
    let data = format!("{data}-salvaged");
    store_of(project, &data, &read(project.path().join(&file)));
    let on = |arguments: &[&str]| project.run(&[arguments, &["--data", &data]].concat());
    assert_eq!(on(&["store", "check"]).stdout, "no problems found\n");
    let found = on(&["documents", "find", "things"]).stdout;
    assert_eq!(found.lines().count(), if is_document { 1 } else { 2 });
    assert_eq!(on(&["runs", "changes", "latest"]).code, Some(if is_document { 0 } else { 5 }));
    // The next commit gets a new revision.
    on(&["documents", "import", "others", "things.jsonl"]);
    assert_eq!(latest_of(project, &data)["changes"]["revision"], 2);
    assert_eq!(on(&["store", "check"]).stdout, "no problems found\n");
}

fn latest_of(project: &Project, data: &str) -> Value {
    json_of(project, &["runs", "show", "latest", "--data", data])
}
