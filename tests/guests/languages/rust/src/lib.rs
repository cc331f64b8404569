//! The operations of the language table in Rust. `README.md` of the parent directory describes
//! them.

use std::hint::black_box;
use std::num::ParseIntError;
use std::thread::sleep;
use std::time::Duration;

use ophost_sdk::serde_json::json;
use ophost_sdk::{
    Collection, Failure, Result, item_errors, log, model, operation, plugin, progress,
};

/// A text and a number.
#[model]
struct Echo {
    /// The text.
    text: String,
    /// The number.
    #[serde(default = "two")]
    #[schemars(range(min = 1, max = 3))]
    times: i64,
}

fn two() -> i64 {
    2
}

/// Returns its input.
#[operation(category = "languages", tags = ["first", "second"])]
fn echo(input: Echo) -> Echo {
    input
}

/// Integers of 64 bits.
#[model]
struct Integers {
    signed: i64,
    unsigned: u64,
}

/// Returns its integers.
#[operation(category = "languages")]
fn integers(input: Integers) -> Integers {
    input
}

/// A note.
#[model]
struct Note {
    title: String,
    count: i64,
}

/// The smallest count of a changed note.
#[model]
struct Minimum {
    minimum: i64,
}

/// The changed notes.
#[model]
struct Changed {
    changed: Vec<String>,
    created: String,
    total: u64,
}

/// Adds 10 to notes, deletes the note `c`, and creates a note.
#[operation(category = "languages", async_enabled = true)]
fn change_notes(input: Minimum, notes: Collection<Note>) -> Result<Changed> {
    let mut changed = Vec::new();
    notes.delete("c")?;
    for note in notes.find(json!({"count": {"$gte": input.minimum}})).sort("-count") {
        let mut note = note?;
        note.value.count += 10;
        notes.save(&mut note)?;
        changed.push(note.id);
    }
    let created = notes.insert(&Note { title: "new".to_owned(), count: 0 })?;
    let stored = notes.require(&created)?;
    Ok(Changed { changed, created: stored.id, total: notes.count(json!({}))? })
}

/// Writes a log entry of each level.
#[operation(category = "languages")]
fn log_levels() -> Result<()> {
    log::trace!("a trace");
    log::debug!("a debug");
    log::info!("an info");
    log::warn!("a warn");
    log::error!("an error");
    Ok(())
}

/// Reports progress and pauses.
#[operation(category = "languages")]
fn report_progress() -> Result<()> {
    progress::report(1, Some(4), Some("a quarter"));
    sleep(Duration::from_millis(500));
    Ok(())
}

/// Adds errors for two items.
#[operation(category = "languages")]
fn add_item_errors() -> Result<()> {
    item_errors::add(0, "first", "the first is broken");
    item_errors::add(2, "third", "the third is broken");
    Ok(())
}

/// Returns a permanent failure.
#[operation(category = "languages")]
fn fail() -> Result<()> {
    Err(Failure::permanent("nothing is left").code("no-stock").details(json!({"left": 0})))
}

/// Fails with an error that has a cause.
#[operation(category = "languages")]
fn raise() -> Result<i64> {
    let number = "nothing".parse();
    number.map_err(|error: ParseIntError| Failure::error("cannot read the number").caused_by(error))
}

/// Ends without a result.
#[operation(category = "languages")]
fn abort() -> Result<()> {
    panic!("the end");
}

/// Loops forever.
#[operation(category = "languages")]
fn spin() -> Result<()> {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}

/// Allocates memory forever.
#[operation(category = "languages")]
fn allocate() -> Result<()> {
    let mut blocks = Vec::new();
    loop {
        blocks.push(black_box(vec![1_u8; 1 << 20]));
    }
}

plugin!(
    echo,
    integers,
    change_notes,
    log_levels,
    report_progress,
    add_item_errors,
    fail,
    raise,
    abort,
    spin,
    allocate,
);
