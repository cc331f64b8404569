//! Advances wasmtime's epoch so that running guests can be interrupted.
//!
//! A thread increments the epoch every 10 ms while a guest runs. The thread parks after 500 ms
//! without a guest, so an idle host has no periodic wakeups.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

use crate::util::os_error;

/// Time between two epochs. A guest is checked for interrupts at least this often.
pub(super) const TICK: Duration = Duration::from_millis(10);

/// Number of ticks without a guest before the thread parks. Waking the thread takes longer than
/// a short run.
const IDLE_TICKS: u32 = 50;

/// The ticker thread. Dropping the ticker stops the thread.
pub(super) struct EpochTicker {
    shared: Arc<Shared>,
    thread: Thread,
}

struct Shared {
    running: AtomicUsize,
    is_parked: AtomicBool,
    is_stopped: AtomicBool,
}

impl EpochTicker {
    /// Starts the thread, parked.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if the thread cannot be started.
    pub(super) fn start<'a>(engines: impl Iterator<Item = &'a Engine>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            running: AtomicUsize::new(0),
            is_parked: AtomicBool::new(true),
            is_stopped: AtomicBool::new(false),
        });
        let (in_thread, engines) =
            (Arc::clone(&shared), engines.map(Engine::weak).collect::<Vec<_>>());
        let thread =
            os_error::spawn("ophost-ticker", move || in_thread.tick(&engines))?.thread().clone();
        Ok(Self { shared, thread })
    }

    /// Returns a guard. The epoch advances until the guard is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.is_parked.swap(false, Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running { shared: &self.shared }
    }
}

impl Drop for EpochTicker {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Shared {
    /// Increments the epoch of each engine until the ticker is dropped.
    fn tick(&self, engines: &[EngineWeak]) {
        let mut idle = IDLE_TICKS;
        while !self.is_stopped.load(Ordering::SeqCst) {
            if idle >= IDLE_TICKS {
                self.park();
                idle = 0;
            }
            thread::sleep(TICK);
            for engine in engines {
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
                }
            }
            idle = if self.running.load(Ordering::SeqCst) > 0 { 0 } else { idle + 1 };
        }
    }

    /// Parks the thread until a guest runs.
    ///
    /// If a guest starts at the same time, either the guest sees `is_parked` and unparks the
    /// thread, or this function sees the guest in `running`.
    fn park(&self) {
        self.is_parked.store(true, Ordering::SeqCst);
        while self.is_parked.load(Ordering::SeqCst)
            && self.running.load(Ordering::SeqCst) == 0
            && !self.is_stopped.load(Ordering::SeqCst)
        {
            thread::park();
        }
        self.is_parked.store(false, Ordering::SeqCst);
    }
}

/// Guard that keeps the epoch advancing while a guest runs.
pub(super) struct Running<'a> {
    shared: &'a Shared,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.shared.running.fetch_sub(1, Ordering::SeqCst);
    }
}
