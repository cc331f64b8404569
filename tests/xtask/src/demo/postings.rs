//! The second part of the demo: imports job postings, processes them, deletes some, and undoes the
//! deletion.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::postings;
use crate::runner::{Failure, Runner, succeed};

/// Number of postings.
const COUNT: u64 = 3_000;
/// Seed of the generator.
const SEED: u64 = 1;
/// Filter for the postings to delete.
const FILTER: &str = r#"{"enrichment.seniority": "intern", "location": "Paris"}"#;
/// Id of a posting that the filter selects.
const DELETED: &str = "posting-00649";
/// Number of characters that are printed of each line of a long output.
const MAX_CHARACTERS: usize = 100;

/// Runs the second part of the demo in an empty data directory.
pub(super) fn run(runner: &Runner, ophost: &Path) -> Result<(), Failure> {
    let demo = Demo::start(runner, ophost)?;
    let file = demo.file.display().to_string();
    println!("\n$ cargo xtask postings > {file}");
    println!("\n$ export OPHOST_DATA={}", demo.data.display());
    demo.show(&["documents", "import", "jobs", &file])?;
    demo.show_start(&["run", "process_jobs", "batch_size=500"])?;
    let before = demo.documents()?;
    demo.show(&["documents", "count", "jobs"])?;
    let filters = format!("filters={FILTER}");
    demo.show(&["run", "bulk_delete_jobs", &filters, "--dry-run"])?;
    demo.show(&["run", "bulk_delete_jobs", &filters])?;
    demo.show(&["documents", "count", "jobs"])?;
    demo.show(&["documents", "history", "jobs", DELETED])?;
    demo.show(&["runs", "undo", "latest"])?;
    demo.show(&["documents", "count", "jobs"])?;
    if demo.documents()? != before {
        return Err(Failure::new("the documents after the undo differ from those before"));
    }
    println!("\nall {COUNT} documents are as before the deletion");
    Ok(())
}

/// The files of the demo, below the target directory.
struct Demo<'a> {
    ophost: &'a Path,
    data: PathBuf,
    file: PathBuf,
}

impl<'a> Demo<'a> {
    /// Removes the data of an earlier demo and writes the postings.
    fn start(runner: &Runner, ophost: &'a Path) -> Result<Self, Failure> {
        let folder = runner.target().join("demo");
        let (data, file) = (folder.join("data"), folder.join("postings.jsonl"));
        let lines: String = postings::lines(COUNT, SEED).collect();
        let prepare = || {
            if data.exists() {
                fs::remove_dir_all(&data)?;
            }
            fs::create_dir_all(&folder)?;
            fs::write(&file, &lines)
        };
        prepare()
            .map_err(|error| Failure::new(format!("cannot write `{}`: {error}", file.display())))?;
        Ok(Self { ophost, data, file })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.ophost);
        command.args(arguments).env("OPHOST_DATA", &self.data).stdin(Stdio::null());
        command
    }

    /// Prints and runs a command.
    fn show(&self, arguments: &[&str]) -> Result<(), Failure> {
        let line = typed(arguments);
        println!("\n$ {line}");
        succeed(&mut self.command(arguments), &line)
    }

    /// Like [`Self::show`], but prints only the first characters of each line of the output.
    fn show_start(&self, arguments: &[&str]) -> Result<(), Failure> {
        println!("\n$ {} | cut -c -{MAX_CHARACTERS}", typed(arguments));
        let output = self.output(arguments)?;
        for line in output.lines() {
            println!("{}", line.chars().take(MAX_CHARACTERS).collect::<String>());
        }
        Ok(())
    }

    /// Returns all documents, one per line.
    fn documents(&self) -> Result<String, Failure> {
        self.output(&["documents", "export", "jobs"])
    }

    /// Returns the output of a command that must succeed.
    fn output(&self, arguments: &[&str]) -> Result<String, Failure> {
        let line = typed(arguments);
        let output = self.command(arguments).stderr(Stdio::inherit()).output();
        let output =
            output.map_err(|error| Failure::new(format!("cannot run `{line}`: {error}")))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(Failure::new(format!("`{line}` failed"))),
        }
    }
}

/// Returns the command line, with quotes around arguments that need them.
fn typed(arguments: &[&str]) -> String {
    let needs_quotes = |argument: &str| argument.contains(['{', ' ', '"']);
    let word = |argument: &&str| match needs_quotes(argument) {
        true => format!("'{argument}'"),
        false => (*argument).to_owned(),
    };
    let words: Vec<_> = arguments.iter().map(word).collect();
    format!("ophost {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_line_is_quoted_for_a_shell() {
        let line = typed(&["run", "bulk_delete_jobs", r#"filters={"a": 1}"#, "--dry-run"]);
        assert_eq!(line, r#"ophost run bulk_delete_jobs 'filters={"a": 1}' --dry-run"#);
    }
}
