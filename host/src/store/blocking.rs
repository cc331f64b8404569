//! Blocking work of the stores.

use std::io;

use super::StoreError;
use crate::util::os_error;

/// Runs blocking work on a thread of the runtime's pool.
///
/// # Errors
///
/// Returns the error of `work`, or [`StoreError::Io`] if no thread can be started.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let task = os_error::spawn_blocking(work).map_err(io::Error::other)?;
    task.await.map_err(|error| StoreError::from(io::Error::other(error)))?
}
