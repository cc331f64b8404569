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

/// Cancels `cancel` at the first signal and terminates the process at the second. A signal that the
/// process was started to ignore (`nohup`, background jobs of scripts) stays ignored.
///
/// A separate thread waits for signals, because work outside the sandbox, such as a check of an
/// input, can block the thread of the run.
///
/// # Errors
///
/// Returns the error of the operating system if signals cannot be received.
pub(super) fn cancels(cancel: CancellationToken) -> io::Result<()> {
    let Some(heeded) = Heeded::here() else { return Ok(()) };
    let (ready, is_ready) = mpsc::channel();
    os_error::spawn("signals", move || {
        // Created in the thread, because a runtime must not be dropped in an async context.
        let runtime = Builder::new_current_thread().enable_all().build();
        let signals = runtime.and_then(|runtime| Ok((Signals::new(heeded, &runtime)?, runtime)));
        match signals {
            Ok((signals, runtime)) => {
                ready.send(Ok(())).ok();
                runtime.block_on(signals.act(&cancel));
            }
            Err(error) => drop(ready.send(Err(error))),
        }
    })?;
    is_ready.recv().unwrap_or_else(|_| Err(io::Error::other("no thread for signals")))
}

/// Enables waiting for child processes if this process was started to ignore SIGCHLD. Otherwise
/// the system discards their exit status and compilation fails. Children do not inherit this.
///
/// # Errors
///
/// Returns the error of the operating system if the signal cannot be received.
pub(super) fn waits_for_children() -> io::Result<()> {
    if is_ignored(SignalKind::child()) {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        // The handler stays until the process exits.
        drop(signal(SignalKind::child())?);
    }
    Ok(())
}

/// The signals that cancel a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heeded {
    Both,
    Interrupt,
    Terminate,
}

impl Heeded {
    /// Returns the signals that this process does not ignore.
    fn here() -> Option<Self> {
        match (is_ignored(SignalKind::interrupt()), is_ignored(SignalKind::terminate())) {
            (false, false) => Some(Self::Both),
            (false, true) => Some(Self::Interrupt),
            (true, false) => Some(Self::Terminate),
            (true, true) => None,
        }
    }

    /// Returns the text for the second signal.
    fn again(self) -> &'static str {
        match self {
            Self::Both | Self::Interrupt => "a second Ctrl-C",
            Self::Terminate => "a second SIGTERM",
        }
    }
}

/// Returns whether this process ignores a signal; `false` if this cannot be read.
fn is_ignored(signal: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask >> (signal.as_raw_value() - 1) & 1 == 1)
}

/// Returns the mask of ignored signals; signal 1 is the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

struct Signals {
    heeded: Heeded,
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    fn new(heeded: Heeded, runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        let listen = |ignored, kind| (heeded != ignored).then(|| signal(kind)).transpose();
        let interrupt = listen(Heeded::Terminate, SignalKind::interrupt())?;
        let terminate = listen(Heeded::Interrupt, SignalKind::terminate())?;
        Ok(Self { heeded, interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            () = received(&mut self.interrupt) => {}
            () = received(&mut self.terminate) => {}
        }
    }

    async fn act(mut self, cancel: &CancellationToken) {
        self.next().await;
        cancel.cancel();
        if tokio::time::timeout(EXIT_DELAY, self.next()).await.is_err() {
            let text = format!("still cancelling; {} terminates the process", self.heeded.again());
            // Printed by a thread, because a blocked stderr may be the reason for the delay.
            let hint = format!("{HINT}hint{HINT:#}: {text}\n");
            os_error::spawn("hint", move || output::stderr(&hint)).ok();
            self.next().await;
        }
        process::exit(i32::from(Exit::Interrupted as u8));
    }
}

/// Waits for a signal; forever for an ignored one.
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
    fn ignored_signals_are_read_as_the_system_writes_them() {
        let status = "Name:\tophost\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001002\n";
        assert_eq!(ignored(status), Some(1 << (13 - 1) | 1 << (2 - 1)));
        assert_eq!(ignored("Name:\tophost\n"), None);
    }
}
