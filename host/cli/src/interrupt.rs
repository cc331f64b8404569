//! Signals: the first Ctrl-C or SIGTERM cancels the run, the second terminates the process.

use std::fs;
use std::io;
use std::process;
use std::sync::mpsc;
use std::time::Duration;

use ophost::os_error;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;
use super::output::{self, HINT};

/// Time after which a hint is printed if a cancelled run has not ended.
const EXIT_DELAY: Duration = Duration::from_secs(1);

/// Cancels `cancel` at the first signal and terminates the process at the second. A signal stays
/// ignored if the process was started to ignore it (`nohup`, background jobs of scripts).
///
/// A separate thread waits for signals, because work outside the sandbox, such as a check of an
/// input, can block the thread of the run.
///
/// # Errors
///
/// Returns the error of the operating system if signals cannot be received.
pub(super) fn cancel_on_signal(cancel: CancellationToken) -> io::Result<()> {
    let Some(handled) = HandledSignals::of_process() else { return Ok(()) };
    let (ready, started) = mpsc::channel();
    os_error::spawn("signals", move || {
        // Created in the thread, because a runtime must not be dropped in an async context.
        let runtime = Builder::new_current_thread().enable_all().build();
        let signals = runtime.and_then(|runtime| Ok((Signals::new(handled, &runtime)?, runtime)));
        match signals {
            Ok((signals, runtime)) => {
                ready.send(Ok(())).ok();
                runtime.block_on(signals.handle(&cancel));
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    started.recv().unwrap_or_else(|_| Err(io::Error::other("the signal thread has stopped")))
}

/// Enables waiting for child processes if this process was started to ignore SIGCHLD. Otherwise
/// the system discards the exit statuses of children, and compilation fails. Child processes do not
/// inherit the handler.
///
/// # Errors
///
/// Returns the error of the operating system if the signal cannot be received.
pub(super) fn enable_child_wait() -> io::Result<()> {
    if IgnoredSignals::of_process().has(SignalKind::child()) {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        // Dropping the listener does not remove the handler.
        drop(signal(SignalKind::child())?);
    }
    Ok(())
}

/// The signals that cancel a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HandledSignals {
    Both,
    Interrupt,
    Terminate,
}

impl HandledSignals {
    /// Returns the signals that this process does not ignore.
    fn of_process() -> Option<Self> {
        let ignored = IgnoredSignals::of_process();
        match (ignored.has(SignalKind::interrupt()), ignored.has(SignalKind::terminate())) {
            (false, false) => Some(Self::Both),
            (false, true) => Some(Self::Interrupt),
            (true, false) => Some(Self::Terminate),
            (true, true) => None,
        }
    }

    /// Returns the text for the second signal.
    fn second_signal(self) -> &'static str {
        match self {
            Self::Both | Self::Interrupt => "a second Ctrl-C",
            Self::Terminate => "a second SIGTERM",
        }
    }
}

/// The mask of the signals that this process ignores; none if the mask cannot be read.
#[derive(Clone, Copy)]
struct IgnoredSignals(u64);

impl IgnoredSignals {
    fn of_process() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self(ignored_mask(&status).unwrap_or_default())
    }

    fn has(self, signal: SignalKind) -> bool {
        self.0 >> (signal.as_raw_value() - 1) & 1 == 1
    }
}

/// Returns the mask of ignored signals; signal 1 is the lowest bit.
fn ignored_mask(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

struct Signals {
    handled: HandledSignals,
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    fn new(handled: HandledSignals, runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        let listen = |ignored, kind| (handled != ignored).then(|| signal(kind)).transpose();
        let interrupt = listen(HandledSignals::Terminate, SignalKind::interrupt())?;
        let terminate = listen(HandledSignals::Interrupt, SignalKind::terminate())?;
        Ok(Self { handled, interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
        }
    }

    async fn handle(mut self, cancel: &CancellationToken) {
        self.next().await;
        cancel.cancel();
        if tokio::time::timeout(EXIT_DELAY, self.next()).await.is_err() {
            let text = format!(
                "still cancelling; {} terminates the process",
                self.handled.second_signal()
            );
            // Printed by a thread, because a blocked stderr may be the reason for the delay.
            let hint = format!("{HINT}hint{HINT:#}: {text}\n");
            os_error::spawn("hint", move || output::stderr(&hint)).ok();
            self.next().await;
        }
        process::exit(i32::from(Exit::Interrupted as u8));
    }
}

/// Waits for a signal. Never returns for an ignored signal.
async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_mask_is_read_from_the_process_status() {
        let status = "Name:\tophost\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001002\n";
        assert_eq!(ignored_mask(status), Some(1 << (13 - 1) | 1 << (2 - 1)));
        assert_eq!(ignored_mask("Name:\tophost\n"), None);
    }
}
