//! Hints from process to process.
//!
//! Whoever runs something has a socket under its name. What comes there is the id of a run
//! that is to be cancelled: a hint, never the truth. It may be lost, and is sent again until
//! the record says that the run has ended.

use std::collections::HashMap;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::StoreError;
use crate::model::run_record::{OwnerId, RunId};
use crate::util::os_error;
use crate::util::private_dir::{DataDir, PrivateDir};

/// The directory in the data directory.
const DIRECTORY: &str = "wake";
/// The longest path that a socket's address takes on every system, in bytes.
const MAX_ADDRESS: usize = 100;
/// What a process tells itself when nobody is to be heard any more.
const END: &[u8] = b"end";
/// A hint is an id as text.
const MAX_HINT: usize = 64;

/// The runs of this process that can be cancelled from elsewhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancelRegistry(Arc<Mutex<HashMap<RunId, CancellationToken>>>);

impl CancelRegistry {
    /// Lets a run be cancelled as long as the returned value lives.
    pub(crate) fn add(&self, run: RunId, token: CancellationToken) -> CancelRegistration {
        self.tokens().insert(run, token);
        CancelRegistration { all: self.clone(), run }
    }

    fn cancel(&self, run: RunId) {
        if let Some(token) = self.tokens().get(&run) {
            token.cancel();
        }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        // Nothing that holds the lock can leave it half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run can be cancelled.
#[derive(Debug)]
pub(crate) struct CancelRegistration {
    all: CancelRegistry,
    run: RunId,
}

impl Drop for CancelRegistration {
    fn drop(&mut self) {
        self.all.tokens().remove(&self.run);
    }
}

/// Where this process hears hints, as long as it lives.
#[derive(Debug)]
pub(super) struct CancelListener {
    socket: UnixDatagram,
    directory: PrivateDir,
    name: String,
}

impl CancelListener {
    /// Begins to listen under a name, in a thread of its own: what runs holds others.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if there can be no socket or thread.
    pub(super) fn open(
        data: &DataDir,
        name: &OwnerId,
        runs: CancelRegistry,
    ) -> Result<Self, StoreError> {
        let directory = data.create(DIRECTORY)?;
        let name = name.as_str().to_owned();
        let socket = UnixDatagram::bind(address(&directory, &name))?;
        let listening = socket.try_clone()?;
        os_error::spawn("wake", move || listen(&listening, &runs))?;
        Ok(Self { socket, directory, name })
    }
}

/// Whoever ends well leaves no socket behind.
impl Drop for CancelListener {
    fn drop(&mut self) {
        // Where that fails the thread ends with the process.
        self.socket.send_to(END, address(&self.directory, &self.name)).ok();
        self.directory.remove(&self.name).ok();
    }
}

fn listen(socket: &UnixDatagram, runs: &CancelRegistry) {
    let mut hint = [0; MAX_HINT];
    while let Ok(length) = socket.recv(&mut hint) {
        if hint[..length] == *END {
            return;
        }
        let text = std::str::from_utf8(&hint[..length]).unwrap_or_default();
        if let Ok(run) = text.parse() {
            runs.cancel(run);
        }
    }
}

/// Tells the process of that name that a run is to be cancelled. Whether it heard is not known.
///
/// # Errors
///
/// Returns [`StoreError`] if it cannot be told: it may be gone.
pub(super) fn cancel(data: &DataDir, owner: &OwnerId, run: RunId) -> Result<(), StoreError> {
    let Some(directory) = data.open(DIRECTORY)? else {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(run.to_string().as_bytes(), address(&directory, owner.as_str()))?;
    Ok(())
}

/// Removes the socket of a process that died.
pub(super) fn forget(data: &DataDir, owner: &str) {
    if let Ok(Some(directory)) = data.open(DIRECTORY) {
        // It is only in the way of nobody.
        directory.remove(owner).ok();
    }
}

/// Returns an address of a socket: its path, or a short one where that is too long.
fn address(directory: &PrivateDir, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    let path = directory.path().join(name);
    if path.as_os_str().len() <= MAX_ADDRESS {
        return path;
    }
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd())).join(name)
}
