//! Pipes that another process made non-blocking: nothing of what goes through them is lost.

use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::io::ioctl_fionbio;
use serde_json::{Value, json};

use crate::harness::Project;

/// Makes an end of a pipe non-blocking: as whoever else has it may do.
fn non_blocking<E: AsFd>(end: E) -> E {
    ioctl_fionbio(&end, true).expect("a pipe can be non-blocking");
    end
}

/// Reads all of a pipe, after it has been full for a while.
fn slowly(mut reader: PipeReader) -> JoinHandle<Vec<u8>> {
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

/// Returns what a command prints to non-blocking pipes, stdout and stderr, and how it ends.
fn printed(mut command: Command) -> (Vec<u8>, Vec<u8>, Option<i32>) {
    let (stdout, writer) = io::pipe().expect("a pipe");
    command.stdout(non_blocking(writer));
    let (stderr, writer) = io::pipe().expect("a pipe");
    command.stderr(non_blocking(writer));
    let (stdout, stderr) = (slowly(stdout), slowly(stderr));
    let status = command.spawn().expect("it starts").wait().expect("it ends");
    // It has ends of the pipes, too.
    drop(command);
    let all = |reading: JoinHandle<_>| reading.join().expect("it reads");
    (all(stdout), all(stderr), status.code())
}

/// Returns a project with documents of two mebibytes, and as many bytes in the output of a run.
fn with_much() -> Project {
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
fn stdout_that_does_not_block_gets_every_byte() {
    let project = with_much();
    for arguments in [
        &["documents", "export", "things"][..],
        &["documents", "find", "things", "-n", "1000"],
        &["documents", "find", "things", "-n", "1000", "--json"],
        &["runs", "show", "latest", "--json"],
        &["runs", "show", "latest"],
        &["runs", "export"],
    ] {
        let expected = project.command(arguments).output().expect("it starts");
        assert!(expected.stdout.len() > 400_000, "{arguments:?}");
        let (stdout, stderr, code) = printed(project.command(arguments));
        assert_eq!((stderr, code), (expected.stderr, Some(0)), "{arguments:?}");
        let lengths = (stdout.len(), expected.stdout.len());
        assert!(stdout == expected.stdout, "{arguments:?}: {lengths:?}");
    }
}

#[test]
fn the_json_of_a_run_is_whole_where_stdout_does_not_block() {
    let project = with_much();
    let run = ["run", "misbehave.echo", "--input", "@input.json", "--json"];
    let (stdout, _, code) = printed(project.command(&run));
    let report: Value = serde_json::from_slice(&stdout).expect("JSON");
    assert_eq!((&report["status"], code), (&json!("SUCCESS"), Some(0)));
    assert_eq!(report["output"]["value"], "value ".repeat(300_000));
}

#[test]
fn stderr_that_does_not_block_gets_every_line_of_a_log() {
    let project = Project::with_rust(&["misbehave"]);
    let run = ["run", "misbehave.flood_log", "mib=1", "--verbose"];
    let expected = project.command(&run).output().expect("it starts");
    let (_, stderr, code) = printed(project.command(&run));
    let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
    assert!(lines(&expected.stderr) > 200, "{}", lines(&expected.stderr));
    assert_eq!((lines(&stderr), code), (lines(&expected.stderr), Some(0)));
}

#[test]
fn a_reader_that_goes_away_is_no_failure_where_stdout_does_not_block() {
    let project = with_much();
    let (mut reader, writer) = io::pipe().expect("a pipe");
    let mut command = project.command(&["documents", "export", "things"]);
    command.stdout(non_blocking(writer));
    let child = command.stderr(std::process::Stdio::piped()).spawn().expect("it starts");
    drop(command);
    reader.read_exact(&mut [0; 100]).expect("some output");
    thread::sleep(Duration::from_millis(200));
    drop(reader);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.stderr.as_slice(), output.status.code()), (&b""[..], Some(0)));
}

#[test]
fn stdin_that_does_not_block_is_read_to_its_end() {
    let project = with_much();
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
        writing.join().expect("it writes");
        assert_eq!(output.code, Some(0), "{output}");
        if arguments == echo {
            assert_eq!(output.stdout.trim_end(), expected);
        }
    }
    let count = |name: &str| project.run(&["documents", "count", name]).stdout;
    assert_eq!(count("others"), count("things"));
}
