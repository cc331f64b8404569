//! `progress`: how far the run is.

use super::GuestState;
use crate::sandbox::bindings::ophost::plugin::progress::Host;

impl Host for GuestState {
    fn report(&mut self, done: u64, total: Option<u64>, message: Option<String>) {
        self.journal.progress(done, total, message);
    }
}
