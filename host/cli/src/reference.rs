//! The reference of commands and flags in `docs/cli.md`: the help texts, as clap prints them.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use clap::{Command, CommandFactory};

use super::Cli;

/// The line before the generated part of the page.
const START: &str = "<!-- generated: cargo xtask docs -->\n";
/// The line after the generated part of the page.
const END: &str = "<!-- end of generated -->\n";
/// The width of the help texts, in columns.
const WIDTH: usize = 100;

/// With `UPDATE_DOCS` set, writes the page instead: `cargo xtask docs`.
#[test]
fn reference_in_the_docs_equals_the_help() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let text = fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(START).expect("the page has the start line");
    let (_, after) = rest.split_once(END).expect("the page has the end line");
    let current = format!("{before}{START}\n{}{END}{after}", reference());
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&page, current).unwrap();
        return;
    }
    assert!(text == current, "`docs/cli.md` differs from the help: run `cargo xtask docs`");
}

/// Returns the help of all commands, each in a section.
fn reference() -> String {
    let mut command = Cli::command().term_width(WIDTH);
    command.build();
    let mut sections = String::new();
    section(command, "ophost", &mut sections);
    sections
}

/// Appends the section of `command` and the sections of its subcommands.
fn section(mut command: Command, path: &str, sections: &mut String) {
    let help = command.render_help();
    writeln!(sections, "### `{path}`\n\n```text\n{}\n```\n", help.to_string().trim_end()).unwrap();
    let subcommands = command.get_subcommands().filter(|subcommand| is_documented(subcommand));
    for subcommand in subcommands {
        let path = format!("{path} {}", subcommand.get_name());
        section(subcommand.clone().mut_args(without_global), &path, sections);
    }
}

fn is_documented(command: &Command) -> bool {
    !command.is_hide_set() && command.get_name() != "help"
}

/// Hides a global flag: the section of `ophost` describes it.
fn without_global(argument: clap::Arg) -> clap::Arg {
    let is_global = argument.is_global_set();
    argument.hide(is_global)
}
