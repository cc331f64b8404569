//! A real Prefect runs flows whose tasks call the command.
//!
//! Prefect is installed from the package index that `pip` is configured for, once, below the
//! target directory. The flows start a server of their own, which listens on the loopback
//! interface alone and ends with them.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::guests;
use crate::python::Python;
use crate::session::{Failure, Session, succeed};

/// What is installed. A later FastAPI than this breaks this Prefect.
const PACKAGES: [&str; 2] = ["prefect==3.8.8", "fastapi==0.140.0"];
/// How the variables begin that neither Prefect nor the command may take from whoever runs
/// the tests, perhaps a workflow system itself.
const TELLING: [&str; 9] =
    ["AIRFLOW", "BAGGAGE", "DAGSTER", "GITHUB", "KUBERNETES", "OPHOST", "PREFECT", "TRACE", "WM_"];

/// Installs Prefect where it is not, and runs the flows.
pub(crate) fn run(session: &Session) -> Result<(), Failure> {
    guests::build(session)?;
    check(session)?;
    println!("prefect: done in {} s", session.seconds());
    Ok(())
}

/// As [`run`], where the plugins are built.
pub(crate) fn check(session: &Session) -> Result<(), Failure> {
    let own = session.target().join("prefect");
    let python = Python::with(&PACKAGES, session, &own)?;
    let work = own.join("work");
    // Of an earlier session: its database may be another version's.
    fs::remove_dir_all(&work).ok();
    fs::create_dir_all(&work)
        .map_err(|error| Failure::new(format!("cannot make `{}`: {error}", work.display())))?;
    let ophost = session.ophost()?;
    let mut shim = Command::new(&ophost);
    let module = work.join("ophost_prefect.py");
    session.run(shim.args(["shim", "prefect", "--output"]).arg(module))?;
    let mut flows = python.command(&work);
    for (name, _) in env::vars_os() {
        if TELLING.iter().any(|start| name.as_encoded_bytes().starts_with(start.as_bytes())) {
            flows.env_remove(name);
        }
    }
    flows.arg("tests/prefect/flow.py").env("PATH", path_with(&ophost)?);
    session.announce("python tests/prefect/flow.py");
    succeed(settings(&mut flows, session, &work), "python tests/prefect/flow.py")
}

/// Keeps Prefect to itself: its own home, nothing sent anywhere, and nothing on its output
/// but failures.
fn settings<'a>(flows: &'a mut Command, session: &Session, work: &Path) -> &'a mut Command {
    flows
        .env("OPHOST_PLUGINS", session.target().join("guests"))
        .env("OPHOST_DATA", work.join("data"))
        .env("PREFECT_HOME", work)
        .env("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
        .env("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .env("DO_NOT_TRACK", "1")
}

/// Puts the command's directory before all others.
fn path_with(ophost: &Path) -> Result<OsString, Failure> {
    let own = ophost.parent().map(Path::to_owned);
    let others = env::var_os("PATH").unwrap_or_default();
    env::join_paths(own.into_iter().chain(env::split_paths(&others)))
        .map_err(|error| Failure::new(format!("the target directory cannot be in PATH: {error}")))
}
