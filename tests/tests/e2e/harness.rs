//! A project directory with plugins, and commands that ignore the settings of the machine.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGINT, SIGTERM};
use tempfile::TempDir;

/// The command under test.
pub(crate) const OPHOST: &str = env!("CARGO_BIN_EXE_ophost-under-test");

/// Prefixes of variables that change the behaviour of the command. They are removed, because a
/// workflow system may run the tests.
const REMOVED_PREFIXES: [&str; 10] = [
    "AIRFLOW",
    "BAGGAGE",
    "DAGSTER",
    "GITHUB",
    "KUBERNETES",
    "OPHOST",
    "PREFECT",
    "TRACEPARENT",
    "TRACESTATE",
    "WM_",
];

/// A group id that is not in `/etc/group`.
pub(crate) const SHARED_GROUP: u32 = 54_399;

/// Fails the test if it does not run as root.
pub(crate) fn require_root() {
    let is_root = rustix::process::geteuid().is_root();
    assert!(is_root, "this test changes the owner of files: run it as root");
}

/// Fails the test if it cannot mount file systems in a user namespace.
pub(crate) fn require_mount_namespace() {
    let script = ["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    let output = Command::new("unshare").args(script).output().expect("`unshare` of util-linux");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "this test needs unprivileged user namespaces: allow them or run it as root: {stderr}"
    );
}

/// Restores the default action of the signals that tests send. If a shell runs the tests in the
/// background, they ignore SIGINT, and the commands inherit that.
fn restore_signals() {
    static RESTORED: Once = Once::new();
    RESTORED.call_once(|| {
        let status = fs::read_to_string("/proc/self/status").expect("the status of this process");
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("a mask");
        let mask = u64::from_str_radix(mask.trim(), 16).expect("hexadecimal digits");
        for signal in [SIGINT, SIGTERM] {
            if mask & 1 << (signal - 1) != 0 {
                // `exec` resets a handler to the default action in children.
                let received = Arc::new(AtomicBool::new(false));
                signal_hook::flag::register(signal, received).expect("a handler");
            }
        }
    });
}

/// A project in a temporary directory, which is removed at the end of the test.
pub(crate) struct Project {
    directory: TempDir,
}

impl Project {
    /// Returns a project without plugins.
    pub(crate) fn new() -> Self {
        restore_signals();
        let directory = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir(directory.path().join("plugins")).expect("a plugin directory");
        Self { directory }
    }

    /// Returns a project with components that were built from Rust, for example `text`.
    pub(crate) fn with_rust(names: &[&str]) -> Self {
        let project = Self::new();
        for name in names {
            let bytes = fs::read(rust_guest(name)).expect("a built guest");
            project.add(name, &bytes);
        }
        project
    }

    /// Returns a project with guests written as text.
    pub(crate) fn with_wat(names: &[&str]) -> Self {
        let project = Self::new();
        for name in names {
            project.add(name, &e2e::guest::wat_component(name).expect("a guest"));
        }
        project
    }

    /// Writes `NAME.wasm` to the plugin directory.
    pub(crate) fn add(&self, name: &str, bytes: &[u8]) {
        fs::write(self.plugins().join(format!("{name}.wasm")), bytes)
            .expect("a writable directory");
    }

    /// Writes `ophost.toml` with permissions that the command trusts under every umask.
    pub(crate) fn settings(&self, text: &str) {
        self.settings_of_mode(text, 0o644);
    }

    /// Writes `ophost.toml` with these permissions.
    pub(crate) fn settings_of_mode(&self, text: &str, mode: u32) {
        let file = self.path().join("ophost.toml");
        fs::write(&file, text).expect("a writable directory");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("a file of this user");
    }

    /// Sets the permissions of a path to `mode`, and its group to [`SHARED_GROUP`].
    pub(crate) fn share(&self, name: &str, mode: u32) {
        let path = self.path().join(name);
        require_root();
        let group = rustix::fs::Gid::from_raw(SHARED_GROUP);
        rustix::fs::chown(&path, None, Some(group)).expect("root permissions");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("root permissions");
    }

    /// Makes a user the owner of the project and of all files in it.
    pub(crate) fn give_to(&self, user: u32) {
        require_root();
        let (user, path) = (format!("{user}:{user}"), self.path());
        let status = Command::new("chown").args(["-hR", &user]).arg(path).status();
        assert!(status.expect("the program starts").success());
    }

    /// Returns the command, to run as another user with only these supplementary groups.
    pub(crate) fn command_of(&self, user: u32, groups: &[u32], arguments: &[&str]) -> Command {
        require_root();
        let (id, program) = (user.to_string(), self.program_for_all());
        let groups: Vec<_> = groups.iter().map(ToString::to_string).collect();
        let groups = match groups.as_slice() {
            [] => "--clear-groups".to_owned(),
            groups => format!("--groups={}", groups.join(",")),
        };
        let start = ["--reuid", &id, "--regid", &id, &groups, program.to_str().expect("UTF-8")];
        let mut command = self.program("setpriv", &[&start[..], arguments].concat());
        command.env("TMPDIR", self.path().join("tmp")).env("HOME", self.path());
        command
    }

    /// Runs the command as another user.
    pub(crate) fn run_as(&self, user: u32, arguments: &[&str]) -> Output {
        self.output(&mut self.command_of(user, &[], arguments))
    }

    /// Returns a path of the command at which every user can run it.
    pub(crate) fn program_for_all(&self) -> PathBuf {
        let program = PathBuf::from(OPHOST);
        let is_open = |path: &Path| {
            fs::metadata(path).is_ok_and(|status| status.permissions().mode() & 0o005 == 0o005)
        };
        if program.ancestors().all(is_open) {
            return program;
        }
        let copy = self.path().join("ophost-under-test");
        if !copy.exists() {
            fs::copy(OPHOST, &copy).expect("a writable directory");
        }
        copy
    }

    /// Returns the working directory of the commands.
    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the plugin directory.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// Returns the command with these arguments, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.program(OPHOST, arguments)
    }

    /// Returns another program with the environment of the command, not yet started.
    pub(crate) fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if REMOVED_PREFIXES
                .iter()
                .any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
            {
                command.env_remove(name);
            }
        }
        command.env_remove("NO_COLOR");
        command
    }

    /// Runs the command and waits for it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.output(&mut self.command(arguments))
    }

    /// Runs any command and waits for it.
    pub(crate) fn output(&self, command: &mut Command) -> Output {
        let output = command.output().expect("the command starts");
        let text = |bytes| self.hide(&String::from_utf8(bytes).expect("UTF-8"));
        Output {
            stdout: text(output.stdout),
            stderr: text(output.stderr),
            code: output.status.code(),
        }
    }

    /// Replaces paths and digests, which differ between executions of a test.
    fn hide(&self, text: &str) -> String {
        let text = text.replace(&self.path().display().to_string(), "[DIR]");
        let is_digest =
            |word: &str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let pieces = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
        let hide = |piece: &str| {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_digest(word) { piece.replace(word, "[DIGEST]") } else { piece.to_owned() }
        };
        pieces.map(hide).collect()
    }
}

/// Replaces UUIDs, which differ between executions of a test.
fn hide_run_ids(text: &str) -> String {
    let is_id = |word: &str| {
        word.len() == 36
            && word.char_indices().all(|(index, c)| match index {
                8 | 13 | 18 | 23 => c == '-',
                _ => c.is_ascii_hexdigit(),
            })
    };
    let mut hidden = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.get(..36) {
            Some(word) if is_id(word) => {
                hidden.push_str("[RUN]");
                rest = &rest[36..];
            }
            _ => {
                hidden.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    hidden
}

/// Returns the file of a component that `cargo xtask guests` built from Rust. If it is missing,
/// the whole test program exits with an instruction.
#[expect(clippy::exit, reason = "one line for all tests, because a panic would print one for each")]
pub(crate) fn rust_guest(name: &str) -> PathBuf {
    let target =
        Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("below the target directory");
    let file = target.join("guests").join(format!("{name}.wasm"));
    if !file.exists() {
        // Without a macro, because the test runner captures the output of print macros.
        let hint = "run `cargo xtask test`, or `cargo xtask guests` once";
        writeln!(std::io::stderr(), "error: the guests are not built: {hint}").ok();
        std::process::exit(1);
    }
    file
}

/// The output and exit code of a command. `Display` formats all of it for snapshots.
pub(crate) struct Output {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

impl Output {
    /// Returns stdout as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hide_run_ids(&self.stdout))?;
        if !self.stderr.is_empty() {
            write!(f, "---- stderr\n{}", hide_run_ids(&self.stderr))?;
        }
        match self.code {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "---- exit {code}"),
            None => writeln!(f, "---- killed"),
        }
    }
}
