//! What is not said of panics.

use std::panic::{self, PanicHookInfo};
use std::thread;

/// Where the code is that reads the store's file.
const READER: &str = "/redb-";

/// Keeps a damaged file's reader from saying in its own words why it stopped: the store makes an
/// error of that, and the error is told.
pub(super) fn tell_all_but_damage() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !is_of_damage(panic) {
            tell(panic);
        }
    }));
}

fn is_of_damage(panic: &PanicHookInfo<'_>) -> bool {
    let is_reader = panic.location().is_some_and(|place| place.file().contains(READER));
    // The first thread reads no file, and nobody would hear of its end.
    is_reader && thread::current().name() != Some("main")
}
