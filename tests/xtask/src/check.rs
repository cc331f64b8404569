//! `cargo xtask test`: every check, the quick ones first.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::guests;
use crate::install;
use crate::languages;
use crate::prefect;
use crate::python_sdk;
use crate::runner::{Failure, Runner, cargo, works};

/// The `cargo-deny` that is installed if there is none. Later versions may need a later Rust.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// The checks that need more than Rust.
#[derive(Clone, Copy, Default)]
pub(crate) struct Extra {
    /// Checks licences and sources with `cargo-deny`, which may have to be built.
    deny: bool,
    /// Prints the table of languages and behaviours, whose toolchains may have to be installed.
    languages: bool,
    /// Runs flows of a real Prefect, which may have to be installed.
    prefect: bool,
    /// Checks the SDK for Python, whose tools may have to be installed.
    python: bool,
}

impl Extra {
    /// Parses the flags of the command.
    pub(crate) fn parse(flags: &[&str]) -> Result<Self, Failure> {
        let mut extra = Self::default();
        for flag in flags {
            match *flag {
                "--deny" => extra.deny = true,
                "--languages" => extra.languages = true,
                "--prefect" => extra.prefect = true,
                "--python" => extra.python = true,
                other => return Err(Failure::new(format!("unknown flag `{other}` of `test`"))),
            }
        }
        Ok(extra)
    }
}

/// Runs the stages of the check one after the other and measures each of them.
struct Stages<'a> {
    runner: &'a Runner,
    passed: Vec<String>,
}

impl Stages<'_> {
    fn run(
        &mut self,
        name: &str,
        stage: impl FnOnce(&Runner) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        stage(self.runner)?;
        let passed = format!("{name} {} s", started.elapsed().as_secs());
        self.runner.announce(&format!("passed: {passed}"));
        self.passed.push(passed);
        Ok(())
    }
}

/// Runs every check and prints the seconds of each stage.
pub(crate) fn run(runner: &Runner, extra: Extra) -> Result<(), Failure> {
    let mut stages = Stages { runner, passed: Vec::new() };
    stages.run("fmt", |runner| {
        need_component(runner, "fmt", "rustfmt")?;
        runner.cargo(&["fmt", "--all", "--check"])
    })?;
    if extra.deny {
        stages.run("deny", check_dependencies)?;
    }
    stages.run("clippy", |runner| {
        need_component(runner, "clippy", "clippy")?;
        let targets = ["clippy", "--workspace", "--all-targets", "--locked"];
        runner.run(cargo(&targets).args(["--", "-D", "warnings"]))
    })?;
    stages.run("doc", |runner| {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        runner.run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
    stages.run("guests", guests::build)?;
    stages.run("tests", |runner| runner.cargo(&["test", "--workspace", "--locked"]))?;
    stages.run("install", install::check)?;
    if extra.languages {
        stages.run("languages", languages::check)?;
    }
    if extra.prefect {
        stages.run("prefect", prefect::check)?;
    }
    if extra.python {
        stages.run("python", python_sdk::check)?;
    }
    let passed = stages.passed.join(", ");
    println!("test: all checks passed in {} s ({passed})", runner.seconds());
    Ok(())
}

/// Installs a component of the Rust toolchain if it is missing, as in minimal installations.
fn need_component(runner: &Runner, subcommand: &str, component: &str) -> Result<(), Failure> {
    if works(&mut cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    runner.run(rustup.args(["component", "add", component])).map_err(|_| {
        let hint = "install the complete toolchain with rustup, https://rustup.rs";
        Failure::new(format!("this Rust has no `cargo {subcommand}`: {hint}"))
    })
}

/// Checks the licences and the sources of all dependencies. Advisories are excluded, because
/// they change without a change in this repository.
fn check_dependencies(runner: &Runner) -> Result<(), Failure> {
    let mut deny = Command::new(cargo_deny(runner)?);
    runner.run(deny.args(["check", "bans", "licenses", "sources"]))
}

/// Returns `cargo-deny`: from `PATH`, else from the target directory, where it is built once.
fn cargo_deny(runner: &Runner) -> Result<PathBuf, Failure> {
    let name = PathBuf::from("cargo-deny");
    let tools = runner.target().join("tools");
    let built = tools.join("bin").join(&name);
    if works(Command::new(&name).arg("--version")) {
        return Ok(name);
    }
    if !built.exists() {
        let mut install = cargo(&["install", "--locked", CARGO_DENY, "--root"]);
        runner.run(install.arg(&tools))?;
    }
    Ok(built)
}
