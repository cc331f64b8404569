//! A store that is read-only, removed, replaced or empty: messages name the cause and do not call
//! an intact store corrupted.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use e2e::guest::{Described, Operation, describing};
use serde_json::Value;

use crate::harness::{OPHOST, Output, Project, require_mount_namespace};

/// The user that runs commands if root would bypass the permissions.
const NOBODY: u32 = 65534;

/// Returns a project with two documents and three recorded runs. The store needs recovery, as
/// after every command.
fn used_project() -> Project {
    let project = Project::new();
    let plugin = Described::new("it").with(Operation::new("it.works"));
    project.add("it", &describing(&plugin).expect("a guest"));
    fs::write(project.path().join("things.jsonl"), "{\"n\": 1}\n{\"n\": 2}\n").expect("a file");
    assert_eq!(project.run(&["documents", "import", "things", "things.jsonl"]).code, Some(0));
    for _ in 0..2 {
        assert_eq!(project.run(&["run", "it.works", "--record"]).code, Some(0));
    }
    project
}

fn store_file(project: &Project) -> std::path::PathBuf {
    project.path().join(".ophost/store/store.redb")
}

/// Commands that only read [`used_project`].
const READ_COMMANDS: &str = r#"
"$0" runs list --json | grep -o '"operation_name"' | wc -l
"$0" runs show latest --json | grep -c '"SUCCESS"'
"$0" runs export | wc -l
"$0" runs stats --json | grep -o '"SUCCESS":[0-9]*'
"$0" documents collections --json | grep -c things
"$0" documents find things | wc -l
"$0" documents count things
"$0" documents export things | wc -l
"$0" store check
"$0" run it.works --no-record
"$0" store backup copy.redb 2>&1
rm -f copy.redb
"#;

/// The output of [`READ_COMMANDS`].
const READ_OUTPUT: &str = "3\n1\n3\n\"SUCCESS\":2\n\"SUCCESS\":1\n1\n2\n2\n2\nno problems found\n{}\ncopied to `copy.redb`\n";

/// Runs a script in a mount namespace in which the data directory is read-only.
fn on_a_read_only_mount(project: &Project, script: &str) -> Output {
    require_mount_namespace();
    let data = project.path().join(".ophost");
    let mount = r#"mount --bind "$OPHOST_DATA" "$OPHOST_DATA" && mount -o remount,bind,ro "$OPHOST_DATA" || exit 77
"#;
    let script = format!("{mount}{script}");
    let arguments = ["--map-root-user", "--mount", "sh", "-c", &script, OPHOST];
    project.output(project.program("unshare", &arguments).env("OPHOST_DATA", data))
}

/// Returns a program that runs as a user without special permissions, who owns the project. If
/// the tests run as root, this is another user, else the current one.
pub(crate) fn as_plain_user(project: &Project, program: &str, arguments: &[&str]) -> Command {
    if !rustix::process::geteuid().is_root() {
        return project.program(program, arguments);
    }
    give(project.path());
    let id = NOBODY.to_string();
    let user = ["--reuid", &id, "--regid", &id, "--clear-groups", program];
    project.program("setpriv", &[&user[..], arguments].concat())
}

fn give(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).expect("root may give files away");
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            give(&entry.expect("an entry").path());
        }
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("a file of this user");
}

#[test]
fn store_on_a_read_only_mount_is_read() {
    let project = used_project();
    let before = fs::read(store_file(&project)).expect("a store");
    let output = on_a_read_only_mount(&project, READ_COMMANDS);
    assert_eq!((output.stdout.as_str(), output.code), (READ_OUTPUT, Some(0)), "{output}");
    let record = r#""$0" run it.works --record; echo "exit $?""#;
    insta::assert_snapshot!(on_a_read_only_mount(&project, record), @"
    exit 5
    ---- stderr
    error: the run had no effect, because its record cannot be written: the store is read-only: Read-only file system (os error 30)
    hint: mount the file system writable, or use another data directory (`--data`); or use `--no-record`
    ");
    assert!(before == fs::read(store_file(&project)).expect("a store"), "the store was written");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn store_without_write_permission_is_read() {
    let project = used_project();
    let store = store_file(&project);
    mode(&store, 0o444);
    let output = project.output(&mut as_plain_user(&project, "sh", &["-c", READ_COMMANDS, OPHOST]));
    assert_eq!((output.stdout.as_str(), output.code), (READ_OUTPUT, Some(0)), "{output}");
    let record =
        project.output(&mut as_plain_user(&project, OPHOST, &["run", "it.works", "--record"]));
    insta::assert_snapshot!(record, @"
    ---- stderr
    error: the run had no effect, because its record cannot be written: the store is read-only: Permission denied (os error 13)
    hint: run `ophost doctor` to check the permissions of the data directory; or use `--no-record`
    ---- exit 5
    ");
    mode(&store, 0o200);
    let read = project.output(&mut as_plain_user(&project, OPHOST, &["runs", "list"]));
    insta::assert_snapshot!(read, @"
    ---- stderr
    error: cannot use the store: Permission denied (os error 13)
    hint: run `ophost doctor` to check the permissions of the data directory
    ---- exit 5
    ");
}

#[test]
fn run_is_stopped_when_its_record_cannot_be_written() {
    let project = Project::with_rust(&["misbehave"]);
    assert_eq!(project.run(&["run", "misbehave.steps", "steps:=1", "--record"]).code, Some(0));
    mode(&store_file(&project), 0o444);
    let spin = ["run", "misbehave.spin", "--record", "--timeout", "60s"];
    let started = std::time::Instant::now();
    let output = project.output(&mut as_plain_user(&project, OPHOST, &spin));
    assert!(started.elapsed().as_secs() < 30, "the guest ran on");
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: the run had no effect, because its record cannot be written: the store is read-only: Permission denied (os error 13)
    hint: run `ophost doctor` to check the permissions of the data directory; or use `--no-record`
    ---- exit 5
    ");
}

#[test]
fn store_in_use_is_read_on_a_read_only_mount() {
    let project = Project::with_rust(&["misbehave"]);
    assert_eq!(project.run(&["run", "misbehave.steps", "steps:=1", "--record"]).code, Some(0));
    // The command with the running run started outside of the mount.
    let mut running = project
        .command(&["run", "misbehave.spin", "--record", "--timeout", "60s"])
        .spawn()
        .expect("the command starts");
    let is_running =
        || project.run(&["runs", "list", "--status", "running"]).stdout.contains("spin");
    let waited = std::time::Instant::now();
    while !is_running() && waited.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let output = on_a_read_only_mount(&project, r#""$0" runs list --json"#);
    running.kill().expect("a running child");
    running.wait().expect("a terminated process");
    let runs: Value = output.json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2), "{output}");
}

/// Starts a recorded run of two seconds and returns when its record is RUNNING.
fn start_two_second_run(project: &Project, more: &[&str]) -> (Child, BufReader<ChildStderr>) {
    let arguments = ["run", "misbehave.steps", "steps:=200", "--record", "--verbose"];
    let mut command = project.command(&[&arguments[..], more].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("log of step") {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("a text") > 0, "the run has ended early");
    }
    // The guest starts before its record is written.
    while !project.run(&["runs", "list", "--status", "running"]).stdout.contains("steps") {
        assert!(child.try_wait().expect("a child").is_none(), "the run has ended early");
    }
    (child, stderr)
}

fn rest(child: Child, mut stderr: BufReader<ChildStderr>) -> Output {
    let mut errors = String::new();
    stderr.read_to_string(&mut errors).expect("a text");
    let output = child.wait_with_output().expect("the command ends");
    let errors = errors.lines().filter(|line| !line.contains("log of step"));
    Output {
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: errors.map(|line| format!("{line}\n")).collect(),
        code: output.status.code(),
    }
}

#[test]
fn run_whose_store_is_removed_or_replaced_reports_an_error() {
    let project = Project::with_rust(&["misbehave"]);
    assert_eq!(project.run(&["run", "misbehave.steps", "steps:=1", "--no-record"]).code, Some(0));
    let (child, stderr) = start_two_second_run(&project, &[]);
    fs::remove_dir_all(project.path().join(".ophost/store")).expect("a directory of this user");
    insta::assert_snapshot!(rest(child, stderr), @r#"
    ---- stderr
    output: {"count":200}
    error: run [RUN] ended, but its end cannot be recorded: the store was removed or replaced while it was in use
    hint: run `ophost runs list` to list the runs of the current store
    ---- exit 5
    "#);
    assert!(!project.path().join(".ophost/store").exists(), "a new store was created");

    let (child, stderr) = start_two_second_run(&project, &["--json"]);
    fs::remove_dir_all(project.path().join(".ophost")).expect("a directory of this user");
    // Another command creates a new store.
    assert_eq!(project.run(&["run", "misbehave.steps", "steps:=1", "--record"]).code, Some(0));
    let output = rest(child, stderr);
    assert_eq!(output.code, Some(5), "{output}");
    let report = output.json();
    assert_eq!(report["status"], Value::Null);
    assert_eq!(report["output"]["count"], 200);
    assert_eq!(report["error"]["kind"], "store");
    assert_eq!(report["error"]["retryable"], false);
    assert!(report["run_id"].is_string(), "{report}");
    let runs = project.run(&["runs", "list", "--json"]).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs}");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n");
}

#[test]
fn empty_store_file_is_corrupted_and_not_replaced() {
    let project = used_project();
    fs::write(store_file(&project), "").expect("a file of this user");
    for arguments in [&["runs", "list"][..], &["store", "check"], &["run", "it.works", "--record"]]
    {
        let output = project.run(arguments);
        assert_eq!(output.code, Some(5), "{output}");
        let message = "the store is corrupted at `store.redb`: empty file";
        assert!(output.stderr.contains(message), "{output}");
    }
    assert_eq!(fs::read(store_file(&project)).expect("a file"), b"", "the file was changed");
    fs::remove_file(store_file(&project)).expect("a file of this user");
    assert_eq!(project.run(&["run", "it.works", "--record"]).code, Some(0));
    let left = fs::read_dir(project.path().join(".ophost/store")).expect("a directory");
    let left: Vec<_> = left.map(|it| it.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

#[test]
fn operation_that_changes_documents_does_not_run_on_a_read_only_store() {
    let project = Project::with_rust(&["ledger"]);
    assert_eq!(project.run(&["run", "ledger.bump"]).code, Some(0));
    mode(&store_file(&project), 0o444);
    let run = |more: &str| {
        let arguments = ["run", "ledger.bump", more];
        project.output(&mut as_plain_user(&project, OPHOST, &arguments))
    };
    insta::assert_snapshot!(run("--no-record"), @"
    ---- stderr
    error: `ledger.bump` was not run, because its document changes cannot be committed: the store is read-only: Permission denied (os error 13)
    hint: run `ophost doctor` to check the permissions of the data directory
    ---- exit 5
    ");
    insta::assert_snapshot!(run("--record"), @"
    ---- stderr
    error: the run had no effect, because its record cannot be written: the store is read-only: Permission denied (os error 13)
    hint: run `ophost doctor` to check the permissions of the data directory
    ---- exit 5
    ");
    let doctor = project.output(&mut as_plain_user(&project, OPHOST, &["doctor", "--json"])).json();
    let fixes: Vec<_> = doctor["findings"].as_array().expect("findings").iter().collect();
    let records = fixes.iter().find(|it| it["check"] == "records").expect("a finding");
    assert_eq!(records["fix"], "run `chmod u+rw .ophost/store/store.redb`", "{doctor}");
}

#[test]
fn symbolic_link_in_place_of_the_store_is_an_error_with_a_hint() {
    let project = used_project();
    let elsewhere = project.path().join("elsewhere.redb");
    fs::rename(store_file(&project), &elsewhere).expect("a file of this user");
    std::os::unix::fs::symlink(&elsewhere, store_file(&project)).expect("a directory of this user");
    insta::assert_snapshot!(project.run(&["runs", "list"]), @"
    ---- stderr
    error: cannot use the store: `.ophost/store/store.redb` must not be a symbolic link
    hint: replace the link by the file, or set the data directory to the one of the file (`data` in `ophost.toml`, or `--data`)
    ---- exit 5
    ");
}
