//! The command line, which `cargo xtask bench` writes.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};

use crate::names::WORKLOADS;

/// Rounds, unless the command line has another number.
const ROUNDS: usize = 5;
/// Runs in the store of the workload `size`, unless the command line has another number.
const RUNS: usize = 100_000;
/// Prefix of a peer that is missing, before the reason.
const MISSING: &str = "missing:";

/// What to measure, and the programs that take part.
pub(crate) struct Options {
    /// The release binary of the command.
    pub(crate) ophost: PathBuf,
    /// The directory of the Rust plugins.
    pub(crate) guests: PathBuf,
    /// The directory of the results, on the disk that is measured.
    pub(crate) output: PathBuf,
    /// The `wasmtime` command.
    pub(crate) wasmtime: Tool,
    /// The shared library of Extism.
    pub(crate) extism: Tool,
    /// The plugin in Python.
    pub(crate) python: Tool,
    /// The directory of the samples in other languages: `NAME.wasm`.
    pub(crate) samples: PathBuf,
    /// The file to which the tables are written as Markdown.
    pub(crate) markdown: Option<PathBuf>,
    /// How often each contender is measured.
    pub(crate) rounds: usize,
    /// Runs in the store of the workload `size`.
    pub(crate) runs: usize,
    /// The workloads.
    pub(crate) names: Vec<String>,
}

/// The file of a peer, or the reason why it is missing.
pub(crate) struct Tool(Result<PathBuf, String>);

impl Tool {
    /// Returns the file of the peer, or the reason why it is missing.
    pub(crate) fn get(&self) -> Result<&PathBuf, &str> {
        self.0.as_ref().map_err(String::as_str)
    }
}

impl FromStr for Tool {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(Self(match text.strip_prefix(MISSING) {
            Some(reason) => Err(reason.to_owned()),
            None => Ok(text.into()),
        }))
    }
}

impl Options {
    /// Parses the command line.
    ///
    /// # Errors
    ///
    /// Returns the error of the first wrong argument.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut arguments = arguments;
        let (mut ophost, mut guests, mut output, mut markdown) = (None, None, None, None);
        let (mut wasmtime, mut extism, mut python, mut samples) = (None, None, None, None);
        let (mut rounds, mut runs, mut names) = (ROUNDS, RUNS, Vec::new());
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("`{argument}` of what?"));
            match argument.as_str() {
                "--ophost" => ophost = Some(value()?.into()),
                "--guests" => guests = Some(value()?.into()),
                "--output" => output = Some(value()?.into()),
                "--markdown" => markdown = Some(value()?.into()),
                "--wasmtime" => wasmtime = Some(value()?.parse()?),
                "--extism" => extism = Some(value()?.parse()?),
                "--python" => python = Some(value()?.parse()?),
                "--samples" => samples = Some(value()?.into()),
                "--rounds" => rounds = positive(&argument, &value()?)?,
                "--runs" => runs = positive(&argument, &value()?)?,
                name => names.push(known(name)?),
            }
        }
        if names.is_empty() {
            names = WORKLOADS.map(|(name, _)| name.to_owned()).to_vec();
        }
        let missing = "run the benchmarks with `cargo xtask bench`";
        Ok(Self {
            ophost: ophost.context(missing)?,
            guests: guests.context(missing)?,
            output: output.context(missing)?,
            wasmtime: wasmtime.context(missing)?,
            extism: extism.context(missing)?,
            python: python.context(missing)?,
            samples: samples.context(missing)?,
            markdown,
            rounds,
            runs,
            names,
        })
    }
}

fn positive(flag: &str, text: &str) -> Result<usize> {
    let number = text.parse().with_context(|| format!("`{flag} {text}` is not a number"))?;
    ensure!(number > 0, "`{flag}` must be greater than zero");
    Ok(number)
}

fn known(name: &str) -> Result<String> {
    let names = WORKLOADS.map(|(name, _)| name);
    if !names.contains(&name) {
        bail!("unknown benchmark `{name}`; the names are {}", names.join(", "));
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: [&str; 14] = [
        "--ophost",
        "ophost",
        "--guests",
        "guests",
        "--output",
        "output",
        "--wasmtime",
        "missing:no network",
        "--extism",
        "libextism.so",
        "--python",
        "python.wasm",
        "--samples",
        "samples",
    ];

    fn parse(more: &[&str]) -> Result<Options> {
        Options::parse(REQUIRED.iter().chain(more).map(|argument| (*argument).to_owned()))
    }

    #[test]
    fn without_names_all_workloads_run() {
        let options = parse(&[]).unwrap();
        assert_eq!(options.names, ["call", "command", "documents", "languages", "record", "size"]);
        assert_eq!((options.rounds, options.runs), (5, 100_000));
        assert_eq!(options.wasmtime.get().unwrap_err(), "no network");
        assert!(options.extism.get().is_ok());
    }

    #[test]
    fn unknown_name_lists_the_names() {
        let error = parse(&["speed"]).err().unwrap().to_string();
        assert_eq!(
            error,
            "unknown benchmark `speed`; the names are call, command, documents, languages, record, size"
        );
    }

    #[test]
    fn zero_rounds_are_rejected() {
        let error = parse(&["--rounds", "0"]).err().unwrap().to_string();
        assert_eq!(error, "`--rounds` must be greater than zero");
    }
}
