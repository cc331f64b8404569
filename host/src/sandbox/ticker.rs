//! The clock that gives every running guest a turn to be stopped.
//!
//! A thread advances the engine's epoch every ten milliseconds while a guest runs. It
//! sleeps when none has run for a while, so that an idle host wakes up for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use crate::util::os_error;

/// The time between two epochs, and so the longest that a guest runs without being looked at.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// How many ticks without a guest pass before the thread goes to sleep: waking it costs
/// more than a short run takes.
const IDLE_TICKS: u32 = 50;

/// Owns the thread; dropping it ends the thread.
pub(super) struct EpochTicker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl EpochTicker {
    /// Starts the thread, asleep.
    ///
    /// # Errors
    ///
    /// Returns the system's error if it can start no thread.
    pub(super) fn start(engine: &Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            asleep: AtomicBool::new(true),
            ended: AtomicBool::new(false),
        });
        let (inside, engine) = (Arc::clone(&shared), engine.weak());
        let thread =
            os_error::spawn("ophost-ticker", move || inside.tick(&engine))?.thread().clone();
        Ok(Self { shared, thread })
    }

    /// Keeps the epoch advancing until the guard is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running { shared: &self.shared }
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    fn tick(&self, engine: &EngineWeak) {
        let mut idle = IDLE_TICKS;
        while !self.ended.load(Ordering::SeqCst) {
            if idle >= IDLE_TICKS {
                self.sleep();
                idle = 0;
            }
            thread::sleep(TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
            idle = if self.running.load(Ordering::SeqCst) > 0 { 0 } else { idle + 1 };
        }
    }

    /// Sleeps until a guest runs. A guest that starts in between finds `asleep` set and
    /// wakes the thread, or is seen by the second look.
    fn sleep(&self) {
        self.asleep.store(true, Ordering::SeqCst);
        while self.asleep.load(Ordering::SeqCst)
            && self.running.load(Ordering::SeqCst) == 0
            && !self.ended.load(Ordering::SeqCst)
        {
            thread::park();
        }
        self.asleep.store(false, Ordering::SeqCst);
    }
}

/// A guest is running.
pub(super) struct Running<'a> {
    shared: &'a Shared,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}
