//! `cargo xtask test`: every check, the quick ones first.

use std::path::PathBuf;
use std::process::Command;

use crate::guests;
use crate::prefect;
use crate::session::{Failure, Session, cargo, works};

/// What is installed where no `cargo-deny` is: a later one may ask for a later Rust.
const CARGO_DENY: &str = "cargo-deny@0.20.2";

/// The checks that need more than Rust.
#[derive(Clone, Copy, Default)]
pub(crate) struct Also {
    /// Licences and sources; the tool may have to be built.
    deny: bool,
    /// A real Prefect; it may have to be installed.
    prefect: bool,
}

impl Also {
    /// Reads the flags of the command.
    pub(crate) fn said(flags: &[&str]) -> Result<Self, Failure> {
        let mut also = Self::default();
        for flag in flags {
            match *flag {
                "--deny" => also.deny = true,
                "--prefect" => also.prefect = true,
                other => return Err(Failure::new(format!("`test` has no flag `{other}`"))),
            }
        }
        Ok(also)
    }
}

/// Runs every check.
pub(crate) fn run(session: &Session, also: Also) -> Result<(), Failure> {
    need_component(session, "fmt", "rustfmt")?;
    need_component(session, "clippy", "clippy")?;
    session.cargo(&["fmt", "--all", "--check"])?;
    if also.deny {
        check_dependencies(session)?;
    }
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    session.cargo(&clippy)?;
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    session.run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))?;
    guests::build(session)?;
    session.cargo(&["test", "--workspace", "--locked"])?;
    if also.prefect {
        prefect::check(session)?;
    }
    let deny = if also.deny { ", deny" } else { "" };
    let prefect = if also.prefect { ", prefect" } else { "" };
    let names = format!("fmt, clippy, doc, tests{deny}{prefect}");
    println!("test: all checks passed ({names}) in {} s", session.seconds());
    Ok(())
}

/// Makes sure of a part of Rust that minimal installations lack.
fn need_component(session: &Session, subcommand: &str, component: &str) -> Result<(), Failure> {
    if works(&mut cargo(&[subcommand, "--version"])) {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    session.run(rustup.args(["component", "add", component])).map_err(|_| {
        let way_out = "install the whole of Rust with rustup, https://rustup.rs";
        Failure::new(format!("this Rust has no `cargo {subcommand}`: {way_out}"))
    })
}

/// Checks the licences and the origin of what the workspace depends on. Advisories are left
/// out: they change without any change here.
fn check_dependencies(session: &Session) -> Result<(), Failure> {
    let mut deny = Command::new(cargo_deny(session)?);
    session.run(deny.args(["check", "bans", "licenses", "sources"]))
}

/// Returns a `cargo-deny`: the author's, or one in the target directory, built where needed.
fn cargo_deny(session: &Session) -> Result<PathBuf, Failure> {
    let name = PathBuf::from("cargo-deny");
    let tools = session.target().join("tools");
    let own = tools.join("bin").join(&name);
    if works(Command::new(&name).arg("--version")) {
        return Ok(name);
    }
    if !own.exists() {
        let mut install = cargo(&["install", "--locked", CARGO_DENY, "--root"]);
        session.run(install.arg(&tools))?;
    }
    Ok(own)
}
