//! The files of a plugin directory: accepted and rejected files, and name conflicts.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use e2e::guest::{Described, Operation, describing};
use ophost::{Digest, Host, TrustPolicy};
use serde_json::{Value, json};

use crate::harness::Project;

/// Returns a plugin with one operation.
fn plugin(operation: &str) -> Vec<u8> {
    versioned(operation, "0.1.0")
}

fn versioned(operation: &str, version: &str) -> Vec<u8> {
    let described = Described::new("it").with(Operation::new(operation));
    describing(&Described { version: version.to_owned(), ..described }).expect("a guest")
}

fn text_component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("a component")
}

/// Returns the rejected files with their reasons, as `ophost plugins` shows them.
fn rejected(project: &Project) -> String {
    let listed = project.run(&["plugins", "--json"]).json();
    let states = listed["plugins"].as_array().expect("a list").iter();
    let rejected = states.filter(|state| state["state"] == "rejected");
    let line = |state: &Value| {
        let file = Path::new(state["file"].as_str().expect("a path")).file_name();
        format!(
            "{}: {}\n",
            file.expect("a name").display(),
            state["reason"].as_str().expect("a reason")
        )
    };
    rejected.map(line).collect()
}

/// Returns the rejected files of a project with this single file.
fn rejection(bytes: &[u8]) -> String {
    let project = Project::new();
    project.add("it", bytes);
    rejected(&project)
}

fn with_input_schema(schema: &str) -> Vec<u8> {
    let operation = Operation { input_schema: schema.to_owned(), ..Operation::new("a") };
    describing(&Described::new("it").with(operation)).expect("a guest")
}

#[test]
fn file_that_is_not_a_plugin_is_rejected_with_its_type() {
    insta::assert_snapshot!(rejection(b"<html>"), @"it.wasm: not a WebAssembly file");
    let other = r#"(component (instance $i) (export "shop:cart/api@1.0.0" (instance $i)))"#;
    insta::assert_snapshot!(rejection(&text_component(other)), @"it.wasm: not a plugin: does not export `ophost:plugin/operations@0.1.x`; exports `shop:cart/api@1.0.0`");
    insta::assert_snapshot!(rejection(&text_component("(component)")), @"it.wasm: not a plugin: does not export `ophost:plugin/operations@0.1.x`; exports nothing");
    let younger =
        r#"(component (instance $i) (export "ophost:plugin/operations@0.2.0" (instance $i)))"#;
    insta::assert_snapshot!(rejection(&text_component(younger)), @"it.wasm: built for contract version 0.2.0; this host supports 0.1.x");
    let half = &plugin("a")[..2000];
    insta::assert_snapshot!(rejection(half), @"it.wasm: invalid or unsupported component: unexpected end-of-file (at offset 0x7cf)");
    let wants_files = e2e::guest::wat_component("unknown_import").expect("a guest");
    insta::assert_snapshot!(rejection(&wants_files), @"it.wasm: imports `acme:tools/magic@1.0.0`, which this host does not provide");
}

#[test]
fn invalid_description_is_rejected_with_its_location() {
    insta::assert_snapshot!(rejection(&with_input_schema(r#"{"properties": {"a": {"minimum": "x"}}}"#)), @r#"it.wasm: the input schema of `a` is not a valid schema at `/properties/a/minimum`: "x" is not of type "number""#);
    insta::assert_snapshot!(rejection(&with_input_schema(r#"{"properties": {"a": {"type": "integer", "default": "x"}}}"#)), @r#"it.wasm: the input schema of `a` is not a valid schema at `/properties/a`: the default violates its own schema: "x" is not of type "integer""#);
    let unknown = Operation::new("a").annotated("ophost.magic", "1");
    let unknown = describing(&Described::new("it").with(unknown)).expect("a guest");
    insta::assert_snapshot!(rejection(&unknown), @"it.wasm: invalid description: unknown annotation `ophost.magic`");
}

#[test]
fn special_files_are_rejected_without_blocking() {
    let project = Project::with_rust(&["text"]);
    let plugins = project.plugins();
    let outside = project.path().join("outside.wasm");
    fs::write(&outside, plugin("outside")).expect("a writable directory");
    symlink(&outside, plugins.join("link-out.wasm")).expect("a link");
    symlink("text.wasm", plugins.join("link-in.wasm")).expect("a link");
    symlink("nowhere", plugins.join("link-nowhere.wasm")).expect("a link");
    fs::hard_link(plugins.join("text.wasm"), plugins.join("twin.wasm")).expect("a link");
    fs::create_dir(plugins.join("directory.wasm")).expect("a directory");
    rustix::fs::mkfifoat(rustix::fs::CWD, plugins.join("fifo.wasm"), rustix::fs::Mode::RUSR)
        .expect("a pipe");
    project.add("open", &plugin("open"));
    let everybody = fs::Permissions::from_mode(0o666);
    fs::set_permissions(plugins.join("open.wasm"), everybody).expect("a file");
    let large = fs::File::create(plugins.join("large.wasm")).expect("a file");
    large.set_len((64 << 20) + 1).expect("a sparse file");
    insta::assert_snapshot!(rejected(&project).replace(&project.path().display().to_string(), "[DIR]"), @"
    directory.wasm: not a regular file
    fifo.wasm: not a regular file
    large.wasm: larger than 64.0 MiB
    link-in.wasm: the same file as `plugins/text.wasm`
    link-nowhere.wasm: cannot be read: No such file or directory (os error 2)
    link-out.wasm: symbolic link points outside the plugin directory: `[DIR]/outside.wasm`
    open.wasm: every user can write to it (mode 0666)
    twin.wasm: the same file as `plugins/text.wasm`
    ");
    let listed = project.run(&["run", "slugify", "text=a b"]);
    assert_eq!(listed.stdout, "{\"slug\":\"a-b\"}\n");
}

#[test]
fn world_writable_plugin_directory_is_not_read() {
    let project = Project::with_rust(&["text"]);
    fs::set_permissions(project.plugins(), fs::Permissions::from_mode(0o777))
        .expect("a file of this user");
    insta::assert_snapshot!(project.run(&["list"]), @"
    ---- stderr
    error: the plugins are not trusted: `plugins`: every user can write to it (mode 0777)
    hint: run `chmod go-w plugins`, or set `OPHOST_TRUST=world-writable` to accept it
    ---- exit 4
    ");
}

#[test]
fn plugin_directory_that_is_listed_twice_is_read_once() {
    let project = Project::with_rust(&["text"]);
    let again = project.path().join("./plugins");
    let again = again.to_str().expect("UTF-8");
    let listed = project.run(&["list", "--plugins", "plugins", "--plugins", again, "--json"]);
    assert_eq!(listed.json()["operations"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed.json()["rejected"], json!([]));
}

#[test]
fn operation_name_stays_with_the_file_that_registered_it() {
    let project = Project::new();
    project.add("second", &plugin("same"));
    assert_eq!(rejected(&project), "");
    project.add("first", &versioned("same", "9.9.9"));
    insta::assert_snapshot!(rejected(&project), @"first.wasm: the name `same` belongs to `plugins/second.wasm`");
    // A new version of the file keeps the name.
    project.add("second", &versioned("same", "0.2.0"));
    insta::assert_snapshot!(rejected(&project), @"first.wasm: the name `same` belongs to `plugins/second.wasm`");
    let known = project.run(&["describe", "same", "--json"]).json();
    assert_eq!(known["plugin"]["version"], "0.2.0");
    // The rejected file gets the name when the owner is removed.
    fs::remove_file(project.plugins().join("second.wasm")).expect("a file");
    assert_eq!(rejected(&project), "");
    let known = project.run(&["describe", "same", "--json"]).json();
    assert_eq!(known["plugin"]["version"], "9.9.9");
}

#[test]
fn new_files_with_the_same_operation_name_are_all_rejected() {
    let project = Project::new();
    for file in ["a", "b", "c"] {
        project.add(file, &versioned("same", file));
    }
    project.add("other", &plugin("other"));
    insta::assert_snapshot!(rejected(&project), @"
    a.wasm: `same` is also declared by `plugins/b.wasm`, and neither file registered it before
    b.wasm: `same` is also declared by `plugins/a.wasm`, and neither file registered it before
    c.wasm: `same` is also declared by `plugins/a.wasm`, and neither file registered it before
    ");
    insta::assert_snapshot!(rejected(&project), @"
    a.wasm: `same` is also declared by `plugins/b.wasm`, and neither file registered it before
    b.wasm: `same` is also declared by `plugins/a.wasm`, and neither file registered it before
    c.wasm: `same` is also declared by `plugins/a.wasm`, and neither file registered it before
    ");
}

#[test]
fn known_file_wins_a_name_conflict_with_a_new_file() {
    let project = Project::new();
    project.add("z-known", &plugin("a"));
    assert_eq!(rejected(&project), "");
    let grown = Described::new("it").with(Operation::new("a")).with(Operation::new("b"));
    project.add("z-known", &describing(&grown).expect("a guest"));
    project.add("newcomer", &plugin("b"));
    insta::assert_snapshot!(rejected(&project), @"newcomer.wasm: the name `b` belongs to `plugins/z-known.wasm`");
}

#[test]
fn aliases_follow_the_rules_of_operation_names() {
    let project = Project::new();
    let operation = Operation::new("long.name").annotated("ophost.aliases", r#"["ln"]"#);
    project.add("it", &describing(&Described::new("it").with(operation)).expect("a guest"));
    let report = project.run(&["run", "ln", "--json"]).json();
    assert_eq!((&report["operation"], &report["status"]), (&json!("long.name"), &json!("SUCCESS")));
    project.add("newcomer", &plugin("ln"));
    insta::assert_snapshot!(rejected(&project), @"newcomer.wasm: the name `ln` belongs to `plugins/it.wasm`");
    let wrong = Operation::new("a").annotated("ophost.aliases", r#"["a"]"#);
    insta::assert_snapshot!(rejection(&describing(&Described::new("it").with(wrong)).expect("a guest")), @"it.wasm: invalid description: the plugin declares the operation `a` twice");
    let wrong = Operation::new("a").annotated("ophost.aliases", r#""b""#);
    insta::assert_snapshot!(rejection(&describing(&Described::new("it").with(wrong)).expect("a guest")), @"it.wasm: invalid description: the annotation `ophost.aliases` is not a list of at most 16 names");
}

#[test]
fn list_shows_180_operations_and_20_rejected_files() {
    let project = Project::new();
    for number in 0..180 {
        project.add(&format!("good{number}"), &plugin(&format!("good.op{number}")));
    }
    for number in 0..20 {
        project.add(&format!("bad{number}"), b"\0asm\x0d\0\x01\0 and so on");
    }
    let listed = project.run(&["list", "--json"]).json();
    assert_eq!(listed["operations"].as_array().map(Vec::len), Some(180));
    assert_eq!(listed["rejected"].as_array().map(Vec::len), Some(20));
}

#[test]
fn run_inspects_only_the_file_of_its_operation() {
    let project = Project::with_rust(&["text"]);
    project.add("other", &plugin("other"));
    settle();
    assert_eq!(project.run(&["list"]).code, Some(0));
    project.add("other", &versioned("other", "0.2.0"));
    let entries = || fs::read_dir(project.path().join(".ophost/cache")).expect("a cache").count();
    let before = entries();
    assert_eq!(project.run(&["run", "slugify", "text=a b"]).stdout, "{\"slug\":\"a-b\"}\n");
    assert_eq!(entries(), before, "the other file was compiled");
    assert_eq!(project.run(&["list"]).code, Some(0));
    assert_eq!(entries(), before + 1);
}

/// Waits until the timestamps of the files are old enough to detect a change.
fn settle() {
    std::thread::sleep(Duration::from_millis(2_100));
}

#[test]
fn change_within_the_timestamp_granularity_is_detected() {
    let project = Project::new();
    let (one, two) = (versioned("same", "0.1.0"), versioned("same", "0.2.0"));
    assert_eq!(one.len(), two.len());
    let file = project.plugins().join("it.wasm");
    let time = fs::metadata(project.path()).and_then(|status| status.modified()).expect("a time");
    for (content, version) in [(&one, "0.1.0"), (&two, "0.2.0"), (&one, "0.1.0")] {
        fs::write(&file, content).expect("a writable directory");
        fs::File::options()
            .append(true)
            .open(&file)
            .and_then(|it| it.set_modified(time))
            .expect("a file of this user");
        let known = project.run(&["describe", "same", "--json"]).json();
        assert_eq!(known["plugin"]["version"], version);
    }
}

#[test]
fn plugin_files_with_extreme_timestamps_are_usable() {
    let project = Project::new();
    project.add("it", &versioned("same", "0.1.0"));
    let file = project.plugins().join("it.wasm");
    // After 2262 and before 1678 the nanoseconds since 1970 do not fit into 64 bits.
    let year = Duration::from_secs(365 * 24 * 3600);
    let far = [1, 100, 290, 400, 8_000, 100_000].map(|years| year * years);
    let epoch = SystemTime::UNIX_EPOCH;
    let early = far.iter().map(|span| epoch.checked_sub(*span));
    let times = far.iter().map(|span| epoch.checked_add(*span)).chain(early);
    for time in times.map(|time| time.expect("a time of the system")) {
        let opened = fs::File::options().append(true).open(&file).expect("a file of this user");
        opened.set_modified(time).expect("a file system that takes or bounds it");
        for arguments in [&["list"][..], &["run", "same"], &["run", "same"]] {
            let output = project.run(arguments);
            assert_eq!(output.code, Some(0), "{time:?}: {output}");
        }
    }
}

/// A library for `LD_PRELOAD` that sets the clock to 1965 for callers of the C library.
const CLOCK: &str = "#include <time.h>\n#include <unistd.h>\n#include <sys/syscall.h>\n\
int clock_gettime(clockid_t id, struct timespec *now) {\n\
    int result = syscall(SYS_clock_gettime, id, now);\n\
    if (id == CLOCK_REALTIME) now->tv_sec = -157766400;\n\
    return result;\n\
}\n";

#[test]
fn commands_work_with_a_clock_before_1970() {
    let project = Project::with_rust(&["text", "misbehave"]);
    let (source, library) = (project.path().join("clock.c"), project.path().join("clock.so"));
    fs::write(&source, CLOCK).expect("a writable directory");
    let compiled = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(compiled.expect("the C compiler that links Rust").success());
    let early = |arguments: &[&str]| {
        let output = project.output(project.command(arguments).env("LD_PRELOAD", &library));
        assert_eq!(output.code, Some(0), "{arguments:?}: {output}");
        output
    };
    early(&["list"]);
    early(&["run", "slugify", "text=A b", "--record", "--verbose"]);
    // This operation reads the clock.
    early(&["run", "misbehave.context", "--record"]);
    fs::write(project.path().join("things.jsonl"), "{\"n\": 1}\n").expect("a file");
    early(&["documents", "import", "things", "things.jsonl"]);
    let run = early(&["runs", "show", "latest", "--json"]).json();
    assert!(run["created_at"].as_str().is_some_and(|time| time.starts_with("1970-01-01")), "{run}");
    early(&["runs", "list", "--since", "2h"]);
    early(&["store", "check"]);
    assert_eq!(project.run(&["store", "check"]).code, Some(0));
}

/// The digest always belongs to the loaded content, even if the file is replaced during the load.
#[tokio::test]
async fn file_that_is_replaced_during_a_read_is_one_complete_version() {
    let project = Project::new();
    let versions = ["0.1.0", "0.2.0"].map(|version| (version, versioned("same", version)));
    project.add("it", &versions[0].1);
    let (file, other) = (project.plugins().join("it.wasm"), project.path().join("next"));
    let content = versions.clone();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let swapping = std::thread::spawn(move || {
        let mut swaps = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let (_, bytes) = &content[swaps % 2];
            if swaps % 3 == 0 {
                fs::write(&file, bytes).expect("a writable file");
            } else {
                fs::write(&other, bytes).expect("a writable file");
                fs::rename(&other, &file).expect("one file system");
            }
            swaps += 1;
        }
        swaps
    });
    let mut seen = 0;
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        let host = Host::builder().plugins(project.plugins()).data(project.path().join("data"));
        let host = host.build().await.expect("a host");
        let catalog = host.catalog();
        let Some(known) = catalog.get("same") else { continue };
        let version = versions.iter().find(|(version, _)| *version == known.version);
        let (_, bytes) = version.expect("one of the two");
        assert_eq!(known.digest, Digest::sha256(bytes));
        seen += 1;
    }
    drop(stop);
    let swaps = swapping.join().expect("no panic");
    assert!(seen > 10 && swaps > 10, "seen {seen} times in {swaps} swaps");
}

#[test]
fn operation_of_a_rejected_file_is_reported_with_the_reason() {
    let project = Project::new();
    for file in ["a", "b"] {
        project.add(file, &versioned("same", file));
    }
    insta::assert_snapshot!(project.run(&["run", "same"]), @"
    ---- stderr
    error: `same` is in `plugins/a.wasm`, which was rejected: `same` is also declared by `plugins/b.wasm`, and neither file registered it before
    hint: run `ophost plugins` to show the reason
    ---- exit 3
    ");
}

#[test]
fn plugin_directory_outside_the_project_causes_a_warning() {
    let project = Project::with_rust(&["text"]);
    fs::create_dir(project.path().join(".ophost")).expect("a directory");
    let inner = project.path().join("inner");
    fs::create_dir_all(inner.join("plugins")).expect("a directory");
    let mut command = project.command(&["run", "slugify", "text=a b", "--no-record"]);
    insta::assert_snapshot!(project.output(command.current_dir(&inner)), @r#"
    {"slug":"a-b"}
    ---- stderr
    warning: `plugins` in this directory is ignored: the project directory is `[DIR]`
    hint: run `touch ophost.toml` to make this directory a project
    "#);
    insta::assert_snapshot!(project.run(&["list", "--plugins", "missing"]), @"
    ---- stderr
    warning: plugin directory `missing` does not exist
    No operations. Run `ophost new NAME` to create a plugin, or copy a component into the plugin directory.
    ");
}

#[tokio::test]
async fn world_writable_trust_reads_world_writable_plugins() {
    let project = Project::new();
    project.add("it", &plugin("a"));
    for path in [project.plugins(), project.plugins().join("it.wasm")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("a file of this user");
    }
    let builder = || Host::builder().plugins(project.plugins());
    assert!(builder().build().await.is_err());
    let host =
        builder().trust(TrustPolicy::default().world_writable()).build().await.expect("a host");
    assert!(host.catalog().get("a").is_some());
}
