//! Time for other runs to get in the way.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use ophost_sdk::log;

/// Sleeps.
pub(crate) fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        log::info!("pausing");
        thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// Says `spinning` and loops forever.
pub(crate) fn spin() -> ! {
    log::info!("spinning");
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns.wrapping_add(1));
    }
}
