//! Cancels runs of other processes.
//!
//! Each process listens on a Unix datagram socket for the ids of runs to cancel. Delivery is best
//! effort: the message only shortens the time until the owner polls the stored request. Senders
//! repeat the message until the record shows that the run has ended.

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

/// The directory of the sockets, in the data directory.
const DIRECTORY: &str = "wake";
/// Maximum bytes of a socket path that every supported system accepts.
const MAX_ADDRESS: usize = 100;
/// The message with which a process stops its own listener.
const END: &[u8] = b"end";
/// Maximum bytes of a message, which is a run id as text.
const MAX_MESSAGE: usize = 64;

/// The runs of this process that other processes can cancel.
#[derive(Clone, Debug, Default)]
pub(crate) struct CancelRegistry(Arc<Mutex<HashMap<RunId, CancellationToken>>>);

impl CancelRegistry {
    /// Registers a run. Dropping the returned value removes the registration.
    pub(crate) fn add(&self, run: RunId, token: CancellationToken) -> CancelRegistration {
        self.tokens().insert(run, token);
        CancelRegistration { registry: self.clone(), run }
    }

    fn cancel(&self, run: RunId) {
        if let Some(token) = self.tokens().get(&run) {
            token.cancel();
        }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<RunId, CancellationToken>> {
        // No code panics between two changes of the map, so a poisoned map is consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a run, removed on drop.
#[derive(Debug)]
pub(crate) struct CancelRegistration {
    registry: CancelRegistry,
    run: RunId,
}

impl Drop for CancelRegistration {
    fn drop(&mut self) {
        self.registry.tokens().remove(&self.run);
    }
}

/// The socket and thread on which this process receives cancel messages.
#[derive(Debug)]
pub(super) struct CancelListener {
    socket: UnixDatagram,
    directory: PrivateDir,
    name: String,
}

impl CancelListener {
    /// Listens under a name, on a dedicated thread, because guests may block the other threads.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the socket or the thread cannot be created.
    pub(super) fn open(
        data: &DataDir,
        name: &OwnerId,
        runs: CancelRegistry,
    ) -> Result<Self, StoreError> {
        let directory = data.create(DIRECTORY)?;
        let name = name.as_str().to_owned();
        let socket = UnixDatagram::bind(address(&directory, &name))?;
        let listening = socket.try_clone()?;
        os_error::spawn("cancel", move || listen(&listening, &runs))?;
        Ok(Self { socket, directory, name })
    }
}

/// Stops the thread and removes the socket. [`remove_socket`] removes that of a killed process.
impl Drop for CancelListener {
    fn drop(&mut self) {
        // If sending fails, the thread stops when the process exits.
        self.socket.send_to(END, address(&self.directory, &self.name)).ok();
        self.directory.remove(&self.name).ok();
    }
}

fn listen(socket: &UnixDatagram, runs: &CancelRegistry) {
    let mut message = [0; MAX_MESSAGE];
    while let Ok(length) = socket.recv(&mut message) {
        if message[..length] == *END {
            return;
        }
        let text = std::str::from_utf8(&message[..length]).unwrap_or_default();
        if let Ok(run) = text.parse() {
            runs.cancel(run);
        }
    }
}

/// Asks the owner of a run to cancel it. Delivery is not confirmed.
///
/// # Errors
///
/// Returns [`StoreError`] if the message cannot be sent, for example because the process has
/// terminated.
pub(super) fn cancel(data: &DataDir, owner: &OwnerId, run: RunId) -> Result<(), StoreError> {
    let Some(directory) = data.open(DIRECTORY)? else {
        return Err(io::Error::from(io::ErrorKind::NotFound).into());
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to(run.to_string().as_bytes(), address(&directory, owner.as_str()))?;
    Ok(())
}

/// Removes the socket of a terminated process.
pub(super) fn remove_socket(data: &DataDir, owner: &str) {
    if let Ok(Some(directory)) = data.open(DIRECTORY) {
        // A stale socket is harmless, so an error is ignored.
        directory.remove(owner).ok();
    }
}

/// Returns the path of a socket, or an equivalent short path if that is too long.
fn address(directory: &PrivateDir, name: &str) -> PathBuf {
    use std::os::fd::AsRawFd as _;
    let path = directory.path().join(name);
    if path.as_os_str().len() <= MAX_ADDRESS {
        return path;
    }
    PathBuf::from(format!("/proc/self/fd/{}", directory.as_fd().as_raw_fd())).join(name)
}
