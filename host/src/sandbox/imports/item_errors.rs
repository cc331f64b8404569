//! Interface `item-errors`: errors of single items of a bulk input.

use super::GuestState;
use crate::sandbox::bindings::ophost::plugin::item_errors::Host;

impl Host for GuestState {
    fn add(&mut self, index: u64, item: String, error: String, traceback: Option<String>) {
        self.output.item_error(index, &item, error, traceback);
    }
}
