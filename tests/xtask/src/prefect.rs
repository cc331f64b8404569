//! `cargo xtask prefect`: flows of a real Prefect whose tasks call the command.
//!
//! Prefect is installed once, below the target directory, from the package index that `pip` is
//! configured for. The flows start their own server, which listens only on the loopback
//! interface and stops with them.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::guests;
use crate::postings;
use crate::python::Python;
use crate::runner::{Failure, Runner, path_with, succeed};

/// The installed packages. Later versions of FastAPI break this version of Prefect.
const PACKAGES: [&str; 2] = ["prefect==3.8.8", "fastapi==0.140.0"];
/// The plugin whose function and models the flows use, and the SDK for Python.
const PLUGIN: &str = "plugins/jobs/python";
const SDK: &str = "guest-sdk/python";
/// Number of the job postings that a flow processes, in several batches.
const POSTINGS: u64 = 250;
/// Prefixes of variables that are removed from the environment of the flows. If a workflow
/// system runs the tests, its variables would change the behaviour of Prefect and the command.
const REMOVED_PREFIXES: [&str; 9] =
    ["AIRFLOW", "BAGGAGE", "DAGSTER", "GITHUB", "KUBERNETES", "OPHOST", "PREFECT", "TRACE", "WM_"];

/// Builds the plugins, installs Prefect if it is missing, and runs the flows.
pub(crate) fn run(runner: &Runner) -> Result<(), Failure> {
    guests::build(runner)?;
    check(runner)?;
    println!("prefect: done in {} s", runner.seconds());
    Ok(())
}

/// Like [`run`], but expects that the plugins have been built.
pub(crate) fn check(runner: &Runner) -> Result<(), Failure> {
    let directory = runner.target().join("prefect");
    let python = Python::with(&PACKAGES, runner, &directory)?;
    let work = directory.join("work");
    // The database of an earlier execution may have the format of another Prefect version.
    fs::remove_dir_all(&work).ok();
    fs::create_dir_all(&work)
        .map_err(|error| Failure::new(format!("cannot create `{}`: {error}", work.display())))?;
    let ophost = runner.ophost()?;
    let mut shim = Command::new(&ophost);
    let module = work.join("ophost_prefect.py");
    runner.run(shim.args(["shim", "prefect", "--output"]).arg(module))?;
    import_postings(runner, &ophost, &work)?;
    let mut flows = python.command(&[&work, Path::new(PLUGIN), Path::new(SDK)]);
    for (name, _) in env::vars_os() {
        if has_removed_prefix(&name) {
            flows.env_remove(name);
        }
    }
    flows
        .arg("tests/prefect/flow.py")
        .env("PATH", path_with(&[ophost.parent().unwrap_or(&ophost).to_owned()])?);
    runner.announce("python tests/prefect/flow.py");
    succeed(settings(&mut flows, runner, &work), "python tests/prefect/flow.py")
}

/// Stores generated job postings in the collection `jobs`.
fn import_postings(runner: &Runner, ophost: &Path, work: &Path) -> Result<(), Failure> {
    let file = work.join("postings.jsonl");
    fs::write(&file, postings::lines(POSTINGS, 1).collect::<String>())
        .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", file.display())))?;
    let mut import = Command::new(ophost);
    // A workflow system that runs the tests must not become the context of the import.
    import.args(["documents", "import", "--no-detect", "jobs"]).arg(file);
    runner.run(import.arg("--data").arg(work.join("data")))
}

/// Returns whether `name` begins with one of [`REMOVED_PREFIXES`].
fn has_removed_prefix(name: &OsStr) -> bool {
    REMOVED_PREFIXES.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
}

/// Isolates Prefect: its own home directory, no analytics, and only failures on its output.
fn settings<'a>(flows: &'a mut Command, runner: &Runner, work: &Path) -> &'a mut Command {
    flows
        .env("OPHOST_PLUGINS", runner.target().join("guests"))
        .env("OPHOST_DATA", work.join("data"))
        .env("PREFECT_HOME", work)
        .env("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
        .env("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .env("DO_NOT_TRACK", "1")
}
