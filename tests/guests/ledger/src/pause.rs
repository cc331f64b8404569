//! Pauses in a run, so that other runs cause conflicts.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use ophost_sdk::log;

/// Logs `pausing` and sleeps, unless `milliseconds` is 0.
pub(crate) fn pause(milliseconds: u64) {
    if milliseconds > 0 {
        log::info!("pausing");
        thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// Logs `spinning` and loops forever.
pub(crate) fn spin() -> ! {
    log::info!("spinning");
    let mut iterations: u64 = 0;
    loop {
        iterations = black_box(iterations.wrapping_add(1));
    }
}
