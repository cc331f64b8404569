//! What is not said of panics.

use std::panic;

use crate::store::makes_errors_of_panics;

/// Keeps a damaged file's reader from saying in its own words why it stopped: the store makes an
/// error of that, and the error is told.
pub(super) fn tell_all_but_damage() {
    let tell = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if !makes_errors_of_panics() {
            tell(panic);
        }
    }));
}
