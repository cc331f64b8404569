//! Counts the instructions of a cold command, which depend little on the load of a machine.
//!
//! The command is the release binary, with one plugin whose code is in the cache, and without a
//! record. callgrind counts its instructions, including those of the guest.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};

/// Instructions of the command when this number was last updated. `cargo xtask bench command`
/// prints the current number.
pub const EXPECTED: u64 = 6_805_000;
/// Instructions that the command may need, in percent of [`EXPECTED`].
pub const ALLOWED_PERCENT: u64 = 110;

/// The architecture of [`EXPECTED`].
const MEASURED_ARCH: &str = "x86_64";
/// What a release binary is built from, in the root of the repository.
const SOURCES: [&str; 4] = ["host", "wit", "Cargo.lock", "Cargo.toml"];
/// A command reads plugins again that changed within this time.
const SETTLE_TIME: Duration = Duration::from_millis(2_500);
/// The arguments of the measured command: an operation of the plugin `text`, whose schemas and
/// whose code are those of a Rust plugin.
pub const COMMAND: [&str; 4] = ["run", "slugify", "text=Hello, World!", "--no-record"];

/// Returns why the instructions of the release binary `ophost` cannot be compared with
/// [`EXPECTED`]; `None` if they can.
///
/// A binary that is older than one of its sources does not count, because it may contain none of
/// the changes that a test is about.
///
/// # Errors
///
/// Returns an error if a source cannot be read.
pub fn skip_reason(ophost: &Path) -> Result<Option<String>> {
    if ARCH != MEASURED_ARCH {
        return Ok(Some(format!("the expected number is for {MEASURED_ARCH}, not for {ARCH}")));
    }
    let Ok(built) = fs::metadata(ophost).and_then(|file| file.modified()) else {
        return Ok(Some(format!("no release binary `{}`", ophost.display())));
    };
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(Some("`valgrind` is not installed".to_owned()));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for source in SOURCES {
        if let Some(newer) = newer_file(&root.join(source), built)? {
            let (ophost, newer) = (ophost.display(), newer.display());
            return Ok(Some(format!("the release binary `{ophost}` is older than `{newer}`")));
        }
    }
    Ok(None)
}

/// Returns a file at or below a path that is newer than `time`.
fn newer_file(path: &Path, time: SystemTime) -> Result<Option<PathBuf>> {
    let context = || format!("cannot read `{}`", path.display());
    let metadata = fs::metadata(path).with_context(context)?;
    if !metadata.is_dir() {
        return Ok((metadata.modified()? > time).then(|| path.to_owned()));
    }
    for entry in fs::read_dir(path).with_context(context)? {
        if let Some(newer) = newer_file(&entry?.path(), time)? {
            return Ok(Some(newer));
        }
    }
    Ok(None)
}

/// Returns the instructions of [`COMMAND`] with a warm code cache, in the new project `directory`.
/// `text` is the component of the plugin.
///
/// # Errors
///
/// Returns an error if the command or `valgrind` fails.
pub fn count(ophost: &Path, text: &[u8], directory: &Path) -> Result<u64> {
    fs::create_dir_all(directory.join("plugins"))?;
    // Without settings, a project around the directory would be used.
    fs::write(directory.join("ophost.toml"), "")?;
    fs::write(directory.join("plugins/text.wasm"), text)?;
    thread::sleep(SETTLE_TIME);
    // The first command compiles the plugin in a child. The second verifies the compiled code.
    // valgrind offers fewer features of the processor, so code from outside it would be rejected.
    for _ in 0..2 {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=none", "--trace-children=yes"]).arg(ophost);
        succeed(run(valgrind, directory))?;
    }
    let profile = directory.join("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind");
    valgrind.arg(format!("--callgrind-out-file={}", profile.display())).arg(ophost);
    succeed(run(valgrind, directory))?;
    let text = fs::read_to_string(&profile).context("cannot read the profile of callgrind")?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    Ok(totals.context("the profile of callgrind has no totals")?.trim().parse()?)
}

/// Adds the arguments of the measured command.
fn run(mut command: Command, directory: &Path) -> Command {
    command.args(COMMAND).current_dir(directory);
    for name in ["OPHOST_PLUGINS", "OPHOST_DATA"] {
        command.env_remove(name);
    }
    command
}

fn succeed(mut command: Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {stderr}");
    Ok(())
}
