//! Ctrl-C and SIGTERM: the first stops the run, the second ends the process.

use std::io;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::error::Exit;
use super::output::{self, HINT};

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
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (ready, is_ready) = mpsc::channel();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let signals = Signals::new(&runtime);
        let (signals, answer) = match signals {
            Ok(signals) => (Some(signals), Ok(())),
            Err(error) => (None, Err(error)),
        };
        ready.send(answer).ok();
        if let Some(signals) = signals {
            runtime.block_on(signals.act(&cancel));
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
