//! The behaviours that every language must have.

use serde_json::{Value, json};

use crate::language::Guest;

/// A name, and a check that panics if a guest behaves differently.
pub(crate) type Behaviour = (&'static str, fn(&Guest));

/// All behaviours, in the order of the rows. The first one builds the guest.
pub(crate) const BEHAVIOURS: [Behaviour; 17] = [
    ("build", Guest::build),
    ("describe", describe),
    ("defaults", defaults),
    ("Unicode", unicode),
    ("64-bit integers", integers),
    ("documents", documents),
    ("dry run", dry_run),
    ("log levels", log_levels),
    ("progress", progress),
    ("item errors", item_errors),
    ("declared failure", declared_failure),
    ("exception with its stack", exception),
    ("panic or abort", abort),
    ("timeout", timeout),
    ("memory limit", memory_limit),
    ("new project", Guest::new_project),
    ("text sample", Guest::text_sample),
];

fn describe(guest: &Guest) {
    let echo = guest.ophost(&["describe", "echo", "--json"]).json();
    assert_eq!(echo["description"], "Returns its input.");
    assert_eq!(echo["category"], "languages");
    assert_eq!(echo["tags"], json!(["first", "second"]));
    let schema = &echo["input_schema"];
    assert_eq!(schema["required"], json!(["text"]));
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["text"]["description"], "The text.");
    assert_eq!(schema["properties"]["times"]["default"], 2);
    assert_eq!(schema["properties"]["times"]["maximum"], 3);
    let notes = guest.ophost(&["describe", "change_notes", "--json"]).json();
    assert_eq!(notes["models_out"], json!(["Note"]));
    assert_eq!(notes["async_enabled"], true);
}

fn defaults(guest: &Guest) {
    let run = guest.run("echo", &["text=a"]);
    assert_eq!(run["output"], json!({"text": "a", "times": 2}), "{run}");
    let refused = guest.run("echo", &["text=a", "times=4", "other=1"]);
    assert_eq!(refused["error"]["kind"], "invalid_input", "{refused}");
    assert_eq!(
        refused["error"]["violations"],
        json!([
            {"pointer": "/times", "problem": "expected at most 3, got 4"},
            {"pointer": "/other", "problem": "unknown field"},
        ])
    );
}

fn unicode(guest: &Guest) {
    let text = "Grüße, Ἑλλάς, עברית, 日本語, 👩🏽‍🚀, e\u{301}, \0, \u{2028}, \u{10ffff}, \"\\";
    let input = json!({"text": text});
    let run = guest.run("echo", &["--input", &input.to_string()]);
    assert_eq!(run["output"]["text"], text, "{run}");
}

fn integers(guest: &Guest) {
    for (signed, unsigned) in [(i64::MIN, u64::MAX), (i64::MAX, (1 << 53) + 1)] {
        let input = json!({"signed": signed, "unsigned": unsigned});
        let run = guest.run("integers", &["--input", &input.to_string()]);
        assert_eq!(run["output"], input, "{run}");
    }
}

/// Replaces all notes by three. The note `a` has fields that the model does not have.
fn seed(guest: &Guest) {
    guest.ophost(&["documents", "delete", "notes", "--filter", "{}"]);
    let notes = [
        json!({"_id": "a", "title": "A", "count": 1, "colour": "red", "place": {"shelf": [1]}}),
        json!({"_id": "b", "title": "B", "count": 5}),
        json!({"_id": "c", "title": "C", "count": 9}),
    ];
    guest.write("notes.jsonl", &notes.map(|note| note.to_string()).join("\n"));
    let import = guest.ophost(&["documents", "import", "notes", "notes.jsonl"]);
    assert_eq!(import.code, Some(0), "{import}");
}

/// Returns the stored notes, without the ids of notes that an operation has created.
fn stored(guest: &Guest) -> Vec<Value> {
    let found = guest.ophost(&["documents", "find", "notes", "--sort", "count", "--json"]);
    let mut found = found.json()["documents"].as_array().expect("documents").clone();
    for note in &mut found {
        if note["title"] == "new" {
            note.as_object_mut().expect("a document").remove("_id");
        }
    }
    found
}

fn documents(guest: &Guest) {
    seed(guest);
    let run = guest.run("change_notes", &["minimum=1"]);
    assert_eq!(run["output"]["changed"], json!(["b", "a"]), "{run}");
    assert_eq!(run["output"]["total"], 3, "{run}");
    assert_eq!(run["changes"]["updated"], 2, "{run}");
    assert_eq!(
        stored(guest),
        [
            json!({"title": "new", "count": 0}),
            json!({"_id": "a", "title": "A", "count": 11, "colour": "red", "place": {"shelf": [1]}}),
            json!({"_id": "b", "title": "B", "count": 15}),
        ]
    );
}

fn dry_run(guest: &Guest) {
    seed(guest);
    let before = stored(guest);
    let run = guest.run("change_notes", &["minimum=2", "--dry-run"]);
    assert_eq!(
        (&run["dry_run"], &run["output"]["changed"]),
        (&json!(true), &json!(["b"])),
        "{run}"
    );
    let changes = run["change_set"].as_array().expect("changes");
    let mut changes: Vec<_> = changes.iter().map(|change| &change["change"]).collect();
    changes.sort_by_key(|change| change.to_string());
    assert_eq!(changes, ["created", "deleted", "updated"], "{run}");
    assert_eq!(stored(guest), before);
}

fn log_levels(guest: &Guest) {
    let run = guest.run("log_levels", &[]);
    let log = run["log"].as_array().expect("a log").iter();
    let log: Vec<_> = log.map(|entry| (&entry["level"], &entry["message"])).collect();
    let expected = [
        ("TRACE", "a trace"),
        ("DEBUG", "a debug"),
        ("INFO", "an info"),
        ("WARN", "a warn"),
        ("ERROR", "an error"),
    ];
    let expected = expected.map(|(level, message)| (json!(level), json!(message)));
    assert!(log.into_iter().eq(expected.iter().map(|(level, message)| (level, message))), "{run}");
}

fn progress(guest: &Guest) {
    let text = guest.terminal(&["run", "report_progress"]);
    assert!(text.contains("1/4") && text.contains("a quarter"), "{text}");
}

fn item_errors(guest: &Guest) {
    let run = guest.run("add_item_errors", &[]);
    let errors = run["item_errors"].as_array().expect("item errors").iter();
    let errors: Vec<_> =
        errors.map(|error| json!([error["index"], error["item"], error["error"]])).collect();
    assert_eq!(
        errors,
        [json!([0, "first", "the first is broken"]), json!([2, "third", "the third is broken"])]
    );
}

fn declared_failure(guest: &Guest) {
    let error = &guest.run("fail", &[])["error"];
    assert_eq!(error["retryable"], false, "{error}");
    assert_eq!(error["message"], "nothing is left");
    assert_eq!(error["code"], "no-stock");
    assert_eq!(error["details"], json!({"left": 0}));
}

fn exception(guest: &Guest) {
    let error = &guest.run("raise", &[])["error"];
    assert_eq!(error["kind"], "error", "{error}");
    assert_contains(error, guest.language.exception);
}

fn abort(guest: &Guest) {
    let error = &guest.run("abort", &[])["error"];
    assert_eq!(error["kind"], "trap", "{error}");
    assert_contains(error, guest.language.abort);
}

/// Checks that the message or the traceback contains each text.
fn assert_contains(error: &Value, texts: &[&str]) {
    let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let all = [part("message"), part("traceback")].join("\n");
    for text in texts {
        assert!(all.contains(text), "no `{text}` in {all}");
    }
}

fn timeout(guest: &Guest) {
    let error = &guest.run("spin", &["--timeout", "500ms"])["error"];
    assert_eq!(error["kind"], "timeout", "{error}");
}

fn memory_limit(guest: &Guest) {
    let run = guest.run("allocate", &["--memory", "48MiB"]);
    assert_eq!(run["error"]["kind"], "memory", "{run}");
    assert_eq!(run["error"]["message"], "memory exceeds the limit of 48.0 MiB");
    assert!(run["usage"]["peak_memory"].as_u64() <= Some(48 << 20), "{run}");
}
