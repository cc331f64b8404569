//! Interface `progress`: progress reports of the guest.

use super::GuestState;
use crate::sandbox::bindings::ophost::plugin::progress::Host;

impl Host for GuestState {
    fn report(&mut self, done: u64, total: Option<u64>, message: Option<String>) {
        self.output.progress(done, total, message);
    }
}
