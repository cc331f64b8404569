//! Ctrl-C and SIGTERM: the first stops the run, the second ends the process.

use std::io;
use std::process;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;
use super::output::{self, HINT};
use crate::os_error;

/// How long a run that was stopped may take before the user is told what else there is.
const PATIENCE: Duration = Duration::from_secs(1);

/// Cancels `cancel` at the first signal and ends the process at the second.
///
/// Signals are waited for in a thread of its own: what happens outside the sandbox, such as a
/// check of an input, holds the thread of the run and would hear nothing.
///
/// # Errors
///
/// Returns the system's error if signals cannot be received.
pub(super) fn cancels(cancel: CancellationToken) -> io::Result<()> {
    let (ready, is_ready) = mpsc::channel();
    os_error::spawn("signals", move || {
        // Made in the thread: a runtime must not be dropped where the thread is not started.
        let runtime = Builder::new_current_thread().enable_all().build();
        let signals = runtime.and_then(|runtime| Ok((Signals::new(&runtime)?, runtime)));
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

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new(runtime: &Runtime) -> io::Result<Self> {
        let _inside = runtime.enter();
        let interrupt = signal(SignalKind::interrupt())?;
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { interrupt, terminate })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    async fn act(mut self, cancel: &CancellationToken) {
        self.next().await;
        cancel.cancel();
        if tokio::time::timeout(PATIENCE, self.next()).await.is_err() {
            let text = "still stopping; Ctrl-C once more ends it at once";
            output::stderr(&format!("{HINT}hint{HINT:#}: {text}\n"));
            self.next().await;
        }
        process::exit(i32::from(Exit::Interrupted as u8));
    }
}
