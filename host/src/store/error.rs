//! Errors of the store.

use std::io;
use std::sync::Arc;

use crate::model::run_record::RunId;
use crate::util::os_error::{self, Shortage};
use crate::util::private_dir::{NoLink, PrivateDirError};
use crate::util::trust::Untrusted;

/// An error of a store operation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer version wrote the store. This version can only read it.
    #[error(
        "the store has format {found}, this version writes {known}: it is open for reading only"
    )]
    Newer {
        /// The format of the store.
        found: u32,
        /// The newest format that this version knows.
        known: u32,
    },
    /// An older version wrote the store. This version cannot read it.
    #[error("the store has format {found}, this version reads {known}")]
    Older {
        /// The format of the store.
        found: u32,
        /// The oldest format that this version reads.
        known: u32,
    },
    /// A stored value or a part of the file is corrupted. All other values remain usable.
    #[error("the store is corrupted at `{key}`: {what}")]
    Corrupted {
        /// The key of the value, or the part of the file.
        key: String,
        /// The problem.
        what: String,
    },
    /// The disk is full. Writes succeed again when space is free.
    #[error("the store's disk is full")]
    Full,
    /// The user has no write permission, or the file system is read-only.
    #[error("the store is read-only: {0}")]
    ReadOnly(Arc<io::Error>),
    /// The commit failed, and reading the store afterwards failed too. The change of this run may
    /// or may not be committed.
    #[error("cannot tell whether run `{0}` was committed")]
    OutcomeUnknown(RunId),
    /// Another process held the write lock for 60 s. Usually that process is suspended, by a
    /// debugger or a frozen container. Nothing was written.
    #[error("timed out after 60 s waiting for the store's write lock")]
    Busy,
    /// Another user owns the data directory or has access to it.
    #[error("the data directory is not trusted: {0}")]
    Untrusted(Untrusted),
    /// The store file was removed or replaced while this process had it open. Nothing was
    /// written, and this process does not open the replacement.
    #[error("the store was removed or replaced while it was in use")]
    Replaced,
    /// Another process has the store open, so that it cannot be compacted. Nothing was changed.
    #[error("another process uses the store")]
    InUse,
    /// Another process is compacting the store, or uses it in another exclusive way.
    #[error("another process has locked the store, for example to compact it")]
    Locked,
    /// Retention has removed the document changes of this run. The documents are unchanged.
    #[error("the document changes of run `{0}` were removed by retention")]
    HistoryRemoved(RunId),
    /// The kind of store has no such command. Nothing was done.
    #[error("`{0}` is not supported by this store")]
    Unsupported(&'static str),
    /// An operating system error.
    #[error("cannot use the store: {}", os_error::text(.0))]
    Io(Arc<io::Error>),
}

/// Maps missing permissions to [`StoreError::ReadOnly`] and foreign access to
/// [`StoreError::Untrusted`].
impl From<PrivateDirError> for StoreError {
    fn from(error: PrivateDirError) -> Self {
        match error {
            PrivateDirError::System { source, .. } if source.raw_os_error().is_some() => {
                Self::denied(source)
            }
            PrivateDirError::System { source, .. } if names_its_path(&source) => source.into(),
            PrivateDirError::Untrusted(untrusted) => Self::Untrusted(untrusted),
            other => io::Error::new(io::ErrorKind::PermissionDenied, other.to_string()).into(),
        }
    }
}

/// Returns whether this crate created the error with its path in the message.
fn names_its_path(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Untrusted>() || inner.is::<NoLink>())
}

/// A read of a store that cannot be written failed, because another process has written to it.
#[derive(Debug, thiserror::Error)]
#[error("another process has written to the file in the meantime")]
pub(super) struct Outdated;

/// Returns whether an error is [`Outdated`], so that opening the store again may succeed.
pub(super) fn is_outdated(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Outdated>())
}

/// Returns a hint for an error that this crate created; `None` for errors of the system.
pub fn io_hint(error: &io::Error) -> Option<&'static str> {
    if is_outdated(error) {
        return Some("retry");
    }
    error.get_ref().is_some_and(|inner| inner.is::<NoLink>()).then_some(
        "replace the link by the file, or set the data directory to the one of the file (`data` \
        in `ophost.toml`, or `--data`)",
    )
}

impl From<Untrusted> for StoreError {
    fn from(untrusted: Untrusted) -> Self {
        Self::Untrusted(untrusted)
    }
}

impl StoreError {
    /// Returns whether an open file may be unusable after this error.
    pub(super) fn is_of_disk(&self) -> bool {
        match self {
            Self::Io(_) | Self::ReadOnly(_) | Self::Full | Self::Replaced => true,
            Self::Corrupted { .. } => true,
            Self::Newer { .. } | Self::Older { .. } | Self::OutcomeUnknown(_) => false,
            Self::Busy | Self::Untrusted(_) | Self::Unsupported(_) => false,
            Self::InUse | Self::Locked | Self::HistoryRemoved(_) => false,
        }
    }

    /// Returns whether the same call may succeed later, without a change of the call or the store.
    ///
    /// - [`Self::Busy`], [`Self::Full`], [`Self::InUse`], [`Self::Locked`]: another process or the
    ///   user can remove the cause. Nothing was written, so a retry repeats no effect.
    /// - [`Self::Io`]: only if another process wrote to the store during the read, or if a resource
    ///   of the process or the machine was exhausted. Other errors of the system are usually
    ///   permanent.
    /// - [`Self::OutcomeUnknown`]: no, because a retry could repeat an effect. The record shows
    ///   whether the run was committed.
    /// - [`Self::Corrupted`], [`Self::Newer`], [`Self::Older`], [`Self::Replaced`],
    ///   [`Self::Unsupported`]: no, because this process cannot use this store in this way.
    /// - [`Self::HistoryRemoved`]: no, because the data no longer exists.
    /// - [`Self::ReadOnly`], [`Self::Untrusted`]: no, because the permissions must be changed first.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy | Self::Full | Self::InUse | Self::Locked => true,
            Self::Io(error) => {
                is_outdated(error)
                    || error.kind() == io::ErrorKind::Interrupted
                    || Shortage::of(error).is_some_and(is_temporary)
            }
            Self::OutcomeUnknown(_)
            | Self::Corrupted { .. }
            | Self::Newer { .. }
            | Self::Older { .. }
            | Self::Replaced
            | Self::Unsupported(_)
            | Self::HistoryRemoved(_)
            | Self::ReadOnly(_)
            | Self::Untrusted(_) => false,
        }
    }

    /// Converts the error of opening a file for writing.
    pub(super) fn denied(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
                Self::ReadOnly(Arc::new(error))
            }
            _ => error.into(),
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Untrusted>());
        if let Some(untrusted) = inner {
            return Self::Untrusted(untrusted.clone());
        }
        match error.kind() {
            io::ErrorKind::StorageFull => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly(Arc::new(error)),
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// Returns whether a shortage can end without a change of limits.
fn is_temporary(shortage: Shortage) -> bool {
    match shortage {
        Shortage::Memory
        | Shortage::Threads
        | Shortage::Descriptors
        | Shortage::MachineDescriptors => true,
        Shortage::FileSize | Shortage::ExecutableMemory => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_helps_if_the_cause_can_disappear_and_nothing_was_written() {
        let io = |error: io::Error| StoreError::from(error);
        let too_many_files = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
        for retryable in [
            StoreError::Busy,
            StoreError::Full,
            StoreError::InUse,
            StoreError::Locked,
            io(io::ErrorKind::StorageFull.into()),
            io(io::Error::other(Outdated)),
            io(io::ErrorKind::Interrupted.into()),
            io(too_many_files),
            io(io::Error::other(Shortage::Threads)),
        ] {
            assert!(retryable.is_retryable(), "{retryable:?}");
        }
        let corrupted = StoreError::Corrupted { key: "k".to_owned(), what: "w".to_owned() };
        for permanent in [
            corrupted,
            StoreError::OutcomeUnknown(RunId::new()),
            StoreError::Newer { found: 3, known: 2 },
            StoreError::Older { found: 1, known: 2 },
            StoreError::Replaced,
            StoreError::Unsupported("store check"),
            StoreError::HistoryRemoved(RunId::new()),
            io(io::ErrorKind::ReadOnlyFilesystem.into()),
            io(io::ErrorKind::NotFound.into()),
            io(io::Error::other(Shortage::FileSize)),
            io(io::Error::other("the writer thread has stopped")),
        ] {
            assert!(!permanent.is_retryable(), "{permanent:?}");
        }
    }
}
