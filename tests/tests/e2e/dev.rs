//! `ophost dev`: rebuilds and runs a Rust plugin when its source changes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::Project;

/// Maximum time to wait for a line, on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A project with a plugin in `greet`, whose operation reads and writes a document.
fn plugin() -> Project {
    let project = Project::new();
    let directory = project.path().join("greet");
    fs::create_dir_all(directory.join("src")).expect("a directory");
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sdk = top.join("guest-sdk").canonicalize().expect("the SDK");
    let manifest = format!(
        "[package]\nname = \"greet\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [lib]\ncrate-type = [\"cdylib\"]\n\n\
         [dependencies]\nophost-sdk = {{ path = \"{}\" }}\n\n[workspace]\n",
        sdk.display()
    );
    fs::write(directory.join("Cargo.toml"), manifest).expect("a file");
    // The versions of the workspace are compiled already.
    fs::copy(top.join("Cargo.lock"), directory.join("Cargo.lock")).expect("a file");
    write_source(&project, "hello");
    project
}

fn write_source(project: &Project, greeting: &str) {
    let source = format!(
        "use ophost_sdk::{{model, operation, plugin}};\n\n\
         #[model]\nstruct Name {{\n    name: String,\n}}\n\n\
         #[model]\nstruct Greeting {{\n    text: String,\n}}\n\n\
         /// Greets.\n#[operation(category = \"test\")]\n\
         fn greet(input: Name) -> Greeting {{\n    \
         Greeting {{ text: format!(\"{greeting}, {{}}\", input.name) }}\n}}\n\n\
         plugin!(greet);\n"
    );
    fs::write(project.path().join("greet/src/lib.rs"), source).expect("a file");
}

/// Returns the target directory of this build, which has the compiled dependencies.
fn target() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    directory.to_owned()
}

/// A running `ophost dev`.
struct Dev {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Dev {
    fn start(project: &Project, arguments: &[&str]) -> Self {
        let mut command = project.command(&[&["dev", "greet"][..], arguments].concat());
        command.env("CARGO_TARGET_DIR", target()).env("CARGO_NET_OFFLINE", "true");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command starts");
        let stdout: ChildStdout = child.stdout.take().expect("a pipe");
        let stderr: ChildStderr = child.stderr.take().expect("a pipe");
        Self { child, stdout: lines(stdout), stderr: lines(stderr) }
    }

    /// Waits for a line of stdout that contains a text.
    fn wait_for(&self, text: &str) -> String {
        wait_for(&self.stdout, text)
    }

    /// Waits until the command waits for a change.
    fn wait_until_watching(&self) {
        wait_for(&self.stderr, "watching `greet`");
    }

    /// Sends a signal, and returns the exit code.
    fn end(mut self, signal: Signal) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), signal).expect("a running process");
        self.child.wait().expect("the command ends").code()
    }
}

fn lines(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        let read = BufReader::new(stream).lines().map_while(Result::ok);
        read.map(|line| sender.send(line)).take_while(Result::is_ok).count()
    });
    lines
}

fn wait_for(lines: &Receiver<String>, text: &str) -> String {
    let mut seen = Vec::new();
    loop {
        match lines.recv_timeout(TIMEOUT) {
            Ok(line) if line.contains(text) => return line,
            Ok(line) => seen.push(line),
            Err(error) => panic!("no `{text}` ({error}) in:\n{}", seen.join("\n")),
        }
    }
}

#[test]
fn each_change_is_built_and_shows_the_difference() {
    let project = plugin();
    let dev = Dev::start(&project, &["greet", "name=Ann"]);
    assert_eq!(dev.wait_for("run 1"), "run 1: SUCCESS");
    assert_eq!(dev.wait_for("hello"), "{\"text\":\"hello, Ann\"}");
    dev.wait_until_watching();

    write_source(&project, "good day");
    assert_eq!(dev.wait_for("run 2"), "run 2: SUCCESS");
    assert_eq!(dev.wait_for("- "), "  - output.text: \"hello, Ann\"");
    assert_eq!(dev.wait_for("+ "), "  + output.text: \"good day, Ann\"");
    dev.wait_until_watching();

    // The text ends the string literal.
    write_source(&project, "broken\"");
    wait_for(&dev.stderr, "error: cannot compile `greet`");
    dev.wait_until_watching();

    write_source(&project, "good day");
    assert_eq!(dev.wait_for("run 3"), "run 3: SUCCESS, no difference");
    dev.wait_until_watching();
    assert_eq!(dev.end(Signal::INT), Some(130));
}

#[test]
fn cases_run_after_each_change_of_source_or_case() {
    let project = plugin();
    fs::create_dir(project.path().join("greet/cases")).expect("a directory");
    let write_case = |text: &str| {
        let case = format!(
            "{{\"operation\": \"greet\", \"cases\": [{{\"name\": \"a name\", \
             \"input\": {{\"name\": \"Ann\"}}, \"output\": {{\"text\": \"{text}\"}}}}]}}"
        );
        fs::write(project.path().join("greet/cases/greet.json"), case).expect("a file");
    };
    write_case("hello, Ann");
    let dev = Dev::start(&project, &[]);
    assert_eq!(dev.wait_for("test "), "test greet: a name ... ok");
    dev.wait_until_watching();
    write_case("hello, Bob");
    dev.wait_for("+ text: \"hello, Ann\"");
    assert!(dev.wait_for("test result").contains("FAILED. 0 passed; 1 failed"));
    dev.wait_until_watching();
    assert_eq!(dev.end(Signal::TERM), Some(130));
}

#[test]
fn sigterm_ends_a_running_build() {
    let project = plugin();
    // The build script waits, and cargo waits for it.
    let script = "fn main() {\n    \
        std::fs::write(\"../pid\", std::process::id().to_string()).unwrap();\n    \
        std::thread::sleep(std::time::Duration::from_secs(600));\n}\n";
    fs::write(project.path().join("greet/build.rs"), script).expect("a file");
    let dev = Dev::start(&project, &["greet", "name=Ann"]);
    wait_for(&dev.stderr, "building");
    let file = project.path().join("pid");
    let started = Instant::now();
    let pid = loop {
        match fs::read_to_string(&file).ok().and_then(|pid| pid.parse().ok()) {
            Some(pid) => break Pid::from_raw(pid).expect("a process"),
            None => thread::sleep(Duration::from_millis(50)),
        }
        assert!(started.elapsed() < TIMEOUT, "the build script did not start");
    };
    assert_eq!(dev.end(Signal::TERM), Some(130));
    let started = Instant::now();
    while rustix::process::test_kill_process(pid).is_ok() {
        assert!(started.elapsed() < TIMEOUT, "the build script is still running");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn invalid_directory_or_input_ends_the_command() {
    let project = Project::new();
    insta::assert_snapshot!(project.run(&["dev", "missing"]), @"
    ---- stderr
    error: `missing` is not a directory
    hint: pass the directory of a plugin; `ophost new` creates one
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["dev", "plugins"]), @"
    ---- stderr
    error: no `Cargo.toml`, `pyproject.toml`, `package.json`, `go.mod` or `plugin.toml` in `plugins`
    hint: pass the directory of a plugin; `ophost new` creates one
    ---- exit 2
    ");
    insta::assert_snapshot!(project.run(&["dev", "plugins", "greet", "--input", "-"]), @"
    ---- stderr
    error: stdin can be read only once, but each run reads the input
    hint: write stdin to a file, and use the file
    ---- exit 2
    ");
}
