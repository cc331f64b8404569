//! Signals. The first Ctrl-C or SIGTERM stops the run, the second ends the process.

use std::fs;
use std::io;
use std::process;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;
use super::output::{self, HINT};
use ophost::os_error;

/// How long a run that was stopped may take before the user is told what else there is.
const EXIT_DELAY: Duration = Duration::from_secs(1);

/// Cancels `cancel` at the first signal and ends the process at the second. A signal that this
/// process was started to ignore, as `nohup` and background jobs of scripts are, stays ignored.
///
/// Signals are waited for in a thread of its own: what happens outside the sandbox, such as a
/// check of an input, holds the thread of the run and would hear nothing.
///
/// # Errors
///
/// Returns the system's error if signals cannot be received.
pub(super) fn cancels(cancel: CancellationToken) -> io::Result<()> {
    let Some(heeded) = Heeded::here() else { return Ok(()) };
    let (ready, is_ready) = mpsc::channel();
    os_error::spawn("signals", move || {
        // Made in the thread: a runtime must not be dropped where the thread is not started.
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

/// Makes it possible to wait for children if this process was started to ignore SIGCHLD: the
/// system then forgets how they ended, and compiling would fail. Children do not inherit this.
///
/// # Errors
///
/// Returns the system's error if the signal cannot be received.
pub(super) fn waits_for_children() -> io::Result<()> {
    if is_ignored(SignalKind::child()) {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        // What hears it stays for as long as the process.
        drop(signal(SignalKind::child())?);
    }
    Ok(())
}

/// Which signals stop a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heeded {
    Both,
    Interrupt,
    Terminate,
}

impl Heeded {
    /// Returns what this process does not ignore.
    fn here() -> Option<Self> {
        match (is_ignored(SignalKind::interrupt()), is_ignored(SignalKind::terminate())) {
            (false, false) => Some(Self::Both),
            (false, true) => Some(Self::Interrupt),
            (true, false) => Some(Self::Terminate),
            (true, true) => None,
        }
    }

    /// Returns what ends a process that is still stopping.
    fn again(self) -> &'static str {
        match self {
            Self::Both | Self::Interrupt => "Ctrl-C once more",
            Self::Terminate => "SIGTERM once more",
        }
    }
}

/// Returns whether this process ignores a signal; `false` if the system does not say.
fn is_ignored(signal: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_some_and(|mask| mask >> (signal.as_raw_value() - 1) & 1 == 1)
}

/// Returns the mask of ignored signals: the first is the lowest bit.
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
            let text = format!("still stopping; {} ends it at once", self.heeded.again());
            // In a thread of its own: stderr may be what the run cannot go on for.
            let hint = format!("{HINT}hint{HINT:#}: {text}\n");
            os_error::spawn("hint", move || output::stderr(&hint)).ok();
            self.next().await;
        }
        process::exit(i32::from(Exit::Interrupted as u8));
    }
}

/// Returns when a signal was received; never for one that is ignored.
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
