//! Guards the cost of a cold command: the instructions of the release binary.
//!
//! The test is skipped, and prints the reason, without a release binary that is newer than the
//! sources, without valgrind, and on another architecture.

use std::io::{self, Write as _};
use std::path::Path;

use e2e::instructions::{ALLOWED_PERCENT, EXPECTED, count, skip_reason};

#[test]
fn cold_command_needs_at_most_a_tenth_more_instructions_than_expected() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a target directory");
    let ophost = target.join("release/ophost");
    if let Some(reason) = skip_reason(&ophost).unwrap() {
        // Not `println!`, whose output the test harness hides.
        writeln!(io::stderr(), "skipped: instructions of a cold command: {reason}").unwrap();
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let text = std::fs::read(target.join("guests/text.wasm")).expect("a built guest");
    let counted = count(&ophost, &text, directory.path()).unwrap();
    assert!(
        counted * 100 <= EXPECTED * ALLOWED_PERCENT,
        "a cold command needs {counted} instructions instead of {EXPECTED}; if that is intended, \
         change `EXPECTED` in `tests/src/instructions.rs`"
    );
}
