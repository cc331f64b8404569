//! The table of languages and behaviours, which `cargo xtask languages` fills.
//!
//! Arguments: the names of languages, else all languages, and `--skip LANGUAGE=REASON`. The program
//! fails if a cell fails.

#[expect(dead_code, reason = "the other functions are used by the end-to-end tests")]
#[path = "../e2e/harness.rs"]
mod harness;
#[path = "../e2e/terminal.rs"]
mod terminal;

mod behaviours;
mod language;
mod table;

use std::env;
use std::io::{self, Write as _};
use std::panic;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use behaviours::{BEHAVIOURS, Behaviour};
use language::{Guest, LANGUAGES, Language};
use table::{Cell, Column, Table};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let skips = skips(&arguments);
    let is_selected = |language: &&Language| {
        let mut names =
            arguments.iter().filter(|name| LANGUAGES.iter().any(|it| it.name == **name));
        let is_named = names.clone().any(|name| name == language.name);
        is_named || names.next().is_none()
    };
    panic::set_hook(Box::new(|info| *LAST_PANIC.lock().expect("no panic") = info.to_string()));
    let columns = LANGUAGES.iter().filter(is_selected).map(|language| {
        let skip = skips.iter().find(|(name, _)| *name == language.name);
        column(language, skip.map(|(_, reason)| *reason))
    });
    let behaviours = BEHAVIOURS.map(|(name, _)| name).to_vec();
    let table = Table { columns: columns.collect(), behaviours };
    writeln!(io::stdout(), "{table}").expect("an open stdout");
    if table.has_passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Returns the languages after `--skip`, with the reasons.
fn skips(arguments: &[String]) -> Vec<(&str, &str)> {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    let values = pairs.filter(|(flag, _)| *flag == "--skip").map(|(_, value)| value);
    values.filter_map(|value| value.split_once('=')).collect()
}

/// Checks a language.
fn column(language: &'static Language, skip: Option<&str>) -> Column {
    let started = Instant::now();
    let guest = Guest::new(language);
    let cells = cells(&guest, skip);
    let size = guest.component_size().map(|bytes| bytes.div_ceil(1024));
    Column { language: language.name, cells, size, seconds: started.elapsed().as_secs() }
}

/// Returns the cells of a language. After a failed build, the others are skipped.
fn cells(guest: &Guest, skip: Option<&str>) -> Vec<Cell> {
    let mut skip = skip.map(str::to_owned);
    let cells = BEHAVIOURS.iter().enumerate().map(|(index, behaviour)| {
        if let Some(reason) = &skip {
            return Cell::Skipped(reason.clone());
        }
        if guest.language.omits(behaviour.0) {
            return Cell::Skipped("the column of the same language checks it".to_owned());
        }
        let cell = check(behaviour, guest);
        if index == 0 && matches!(cell, Cell::Failed(_)) {
            skip = Some("the build failed".to_owned());
        }
        cell
    });
    cells.collect()
}

/// The message of the last panic, with its location.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

fn check((_, behaviour): &Behaviour, guest: &Guest) -> Cell {
    match panic::catch_unwind(panic::AssertUnwindSafe(|| behaviour(guest))) {
        Ok(()) => Cell::Passed,
        Err(_) => Cell::Failed(LAST_PANIC.lock().expect("no panic").clone()),
    }
}
