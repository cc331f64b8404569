//! Non-blocking pipes: commands lose no data.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use serde_json::{Value, json};

use crate::harness::Project;

/// Makes an end of a pipe non-blocking, as another process that shares the pipe may do.
fn non_blocking<E: AsFd>(end: E) -> E {
    ioctl_fionbio(&end, true).expect("a pipe can be non-blocking");
    end
}

/// Reads a pipe to its end, at first so slowly that the pipe is full.
fn read_slowly(mut reader: PipeReader) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let mut part = [0; 8 << 10];
        for round in 0.. {
            if round < 20 {
                thread::sleep(Duration::from_millis(20));
            }
            match reader.read(&mut part).expect("a pipe") {
                0 => break,
                count => all.extend(&part[..count]),
            }
        }
        all
    })
}

/// Runs a command with non-blocking stdout and stderr. Returns both and the exit code.
fn run_nonblocking(mut command: Command) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let (stdout, writer) = io::pipe().expect("a pipe");
    command.stdout(non_blocking(writer));
    let (stderr, writer) = io::pipe().expect("a pipe");
    command.stderr(non_blocking(writer));
    let (stdout, stderr) = (read_slowly(stdout), read_slowly(stderr));
    let status = command.spawn().expect("the command starts").wait().expect("the command ends");
    // `Command` holds the write ends of the pipes too.
    drop(command);
    let all = |reading: JoinHandle<_>| reading.join().expect("a reader");
    (all(stdout), all(stderr), status.code())
}

/// Returns a project with 2 MiB of documents and a run with 2 MB of output.
fn project_with_large_data() -> Project {
    let project = Project::with_rust(&["misbehave"]);
    let text = "text ".repeat(100);
    let line = |number| format!("{{\"_id\":\"{number:04}\",\"text\":\"{text}\"}}\n");
    let lines: String = (0..4_000).map(line).collect();
    std::fs::write(project.path().join("things.jsonl"), lines).expect("a directory");
    let imported = project.run(&["documents", "import", "things", "things.jsonl"]);
    assert_eq!(imported.code, Some(0), "{imported}");
    let input = json!({"value": "value ".repeat(300_000)}).to_string();
    std::fs::write(project.path().join("input.json"), input).expect("a directory");
    let run = ["run", "misbehave.echo", "--input", "@input.json", "--record"];
    assert_eq!(project.run(&run).code, Some(0));
    project
}

#[test]
fn nonblocking_stdout_gets_every_byte() {
    let project = project_with_large_data();
    for arguments in [
        &["documents", "export", "things"][..],
        &["documents", "find", "things", "-n", "1000"],
        &["documents", "find", "things", "-n", "1000", "--json"],
        &["runs", "show", "latest", "--json"],
        &["runs", "show", "latest"],
        &["runs", "export"],
    ] {
        let expected = project.command(arguments).output().expect("the command starts");
        assert!(expected.stdout.len() > 400_000, "{arguments:?}");
        let (stdout, stderr, code) = run_nonblocking(project.command(arguments));
        assert_eq!((stderr, code), (expected.stderr, Some(0)), "{arguments:?}");
        let lengths = (stdout.len(), expected.stdout.len());
        assert!(stdout == expected.stdout, "{arguments:?}: {lengths:?}");
    }
}

#[test]
fn nonblocking_stdout_gets_complete_json() {
    let project = project_with_large_data();
    let run = ["run", "misbehave.echo", "--input", "@input.json", "--json"];
    let (stdout, _, code) = run_nonblocking(project.command(&run));
    let report: Value = serde_json::from_slice(&stdout).expect("JSON");
    assert_eq!((&report["status"], code), (&json!("SUCCESS"), Some(0)));
    assert_eq!(report["output"]["value"], "value ".repeat(300_000));
}

#[test]
fn nonblocking_stderr_gets_every_log_line() {
    let project = Project::with_rust(&["misbehave"]);
    let run = ["run", "misbehave.flood_log", "mib=1", "--verbose"];
    let expected = project.command(&run).output().expect("the command starts");
    let (_, stderr, code) = run_nonblocking(project.command(&run));
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines(&expected.stderr) > 200, "{}", lines(&expected.stderr));
    assert_eq!((lines(&stderr), code), (lines(&expected.stderr), Some(0)));
}

#[test]
fn closed_nonblocking_pipe_is_not_a_failure() {
    let project = project_with_large_data();
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut command = project.command(&["documents", "export", "things"]);
    command.stdout(non_blocking(writer));
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("the command starts");
    drop(command);
    reader.read_exact(&mut [0; 100]).expect("some output");
    thread::sleep(Duration::from_millis(200));
    drop(reader);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!((output.stderr.as_slice(), output.status.code()), (&b""[..], Some(0)));
}

#[test]
fn nonblocking_stdin_is_read_completely() {
    let project = project_with_large_data();
    let lines = std::fs::read_to_string(project.path().join("things.jsonl")).expect("a file");
    let expected = json!({"value": "value ".repeat(100_000)}).to_string();
    let echo = ["run", "misbehave.echo", "--input", "-"];
    let import = ["documents", "import", "others", "-", "--format", "jsonl"];
    for (arguments, input) in [(&echo[..], &expected), (&import, &lines)] {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let mut command = project.command(arguments);
        command.stdin(non_blocking(reader));
        let input = input.clone();
        let writing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            let (first, rest) = input.as_bytes().split_at(1_000);
            writer.write_all(first).expect("a reader");
            thread::sleep(Duration::from_millis(100));
            writer.write_all(rest).expect("a reader");
        });
        let output = project.output(&mut command);
        writing.join().expect("the writer thread");
        assert_eq!(output.code, Some(0), "{output}");
        if arguments == echo {
            assert_eq!(output.stdout.trim_end(), expected);
        }
    }
    let count = |name: &str| project.run(&["documents", "count", name]).stdout;
    assert_eq!(count("others"), count("things"));
}
