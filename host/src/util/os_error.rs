//! Errors of the operating system, with messages and hints for the user.
//!
//! A [`Shortage`] means that the process or the machine ran out of a resource. A shortage is no
//! evidence of a fault in the file, plugin or store in use.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::{self, JoinHandle};

use rustix::io::Errno;
use tokio::task;

/// A resource of the process or the machine that ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Shortage {
    /// Address space of the process, or memory of its container or the machine (`ENOMEM`).
    #[error("out of memory (RLIMIT_AS, or the memory of the container or machine)")]
    Memory,
    /// Threads and processes (`EAGAIN` when one is started).
    #[error("cannot start another thread or process (RLIMIT_NPROC, or the container's limit)")]
    Threads,
    /// File descriptors of the process (`EMFILE`).
    #[error("out of file descriptors (RLIMIT_NOFILE)")]
    Descriptors,
    /// File descriptors of the machine (`ENFILE`).
    #[error("the machine is out of file descriptors (fs.file-max)")]
    MachineDescriptors,
    /// Size of a file that the process writes (`EFBIG`).
    #[error("the file is too large (RLIMIT_FSIZE, or the limit of the file system)")]
    FileSize,
    /// Executable memory.
    #[error("memory cannot be made executable (SELinux, or MemoryDenyWriteExecute of systemd)")]
    ExecutableMemory,
}

impl Shortage {
    /// Returns the shortage that a system error reports, if any.
    pub fn of(error: &io::Error) -> Option<Self> {
        let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>());
        // A failed allocation of the standard library has no error number.
        let allocation = (error.kind() == io::ErrorKind::OutOfMemory).then_some(Self::Memory);
        let errno = || Errno::from_io_error(error).and_then(Self::of_errno);
        wrapped.copied().or_else(errno).or(allocation)
    }

    /// Returns the shortage that an error or one of its causes reports, if any.
    pub fn in_chain(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            let io = error.downcast_ref::<io::Error>().and_then(Self::of);
            let errno = || error.downcast_ref::<Errno>().copied().and_then(Self::of_errno);
            let found = io.or_else(errno).or_else(|| error.downcast_ref::<Self>().copied());
            if found.is_some() {
                return found;
            }
            cause = error.source();
        }
        None
    }

    fn of_errno(errno: Errno) -> Option<Self> {
        match errno {
            Errno::NOMEM => Some(Self::Memory),
            Errno::MFILE => Some(Self::Descriptors),
            Errno::NFILE => Some(Self::MachineDescriptors),
            Errno::FBIG => Some(Self::FileSize),
            _ => None,
        }
    }

    /// Returns the name of the shortage, which the compiler process reports to its parent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Threads => "threads",
            Self::Descriptors => "descriptors",
            Self::MachineDescriptors => "machine_descriptors",
            Self::FileSize => "file_size",
            Self::ExecutableMemory => "executable_memory",
        }
    }

    /// Returns the shortage with a name; the inverse of [`Self::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Memory,
            Self::Threads,
            Self::Descriptors,
            Self::MachineDescriptors,
            Self::FileSize,
            Self::ExecutableMemory,
        ];
        all.into_iter().find(|shortage| shortage.as_str() == name)
    }

    /// Returns a hint that resolves the shortage.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Memory => "raise `ulimit -v` or the container's memory limit, or free memory",
            Self::Threads => {
                "raise `ulimit -u` or the container's limit of processes, or end other processes"
            }
            Self::Descriptors => "raise `ulimit -n`",
            Self::MachineDescriptors => "raise `sysctl fs.file-max`, or end other processes",
            Self::FileSize => "raise `ulimit -f`",
            Self::ExecutableMemory => {
                "allow executable memory: SELinux's `execmem`, or `MemoryDenyWriteExecute=no`"
            }
        }
    }
}

/// Returns the message of a [`Shortage`], or else of the system error.
pub fn text(error: &io::Error) -> String {
    Shortage::of(error).map_or_else(|| error.to_string(), |shortage| shortage.to_string())
}

/// Returns a hint for a system error that applies to every file; `None` if there is no such hint.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    if let Some(shortage) = Shortage::of(error) {
        return Some(shortage.hint());
    }
    match Errno::from_io_error(error)? {
        Errno::NOSPC => Some("free some disk space and retry"),
        Errno::DQUOT => Some("free some of your disk quota (`quota -s`) and retry"),
        Errno::IO => {
            Some("check `dmesg` for errors of the disk or its connection, and back up the data")
        }
        _ => None,
    }
}

/// Returns a hint for a system error of a file in the data directory.
pub fn data_hint(error: &io::Error) -> &'static str {
    let known = match Errno::from_io_error(error) {
        Some(Errno::ROFS) => {
            Some("mount the file system writable, or use another data directory (`--data`)")
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            Some("run `ophost doctor` to check the permissions of the data directory")
        }
        _ => hint(error),
    };
    known.unwrap_or("run `ophost doctor` to check the data directory")
}

impl From<ophost_schema::ThreadError> for Shortage {
    fn from(error: ophost_schema::ThreadError) -> Self {
        let error = error.errno.map(io::Error::from_raw_os_error);
        error.and_then(|error| Self::of(&spawn_error(&error))).unwrap_or(Self::Threads)
    }
}

/// Starts a named thread.
///
/// # Errors
///
/// Returns the system's error if the thread cannot be started. If the limit of threads is reached,
/// [`Shortage::of`] returns [`Shortage::Threads`] for the error.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| spawn_error(&error))
}

thread_local! {
    static IS_CATCHING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether the current thread is in [`catch_panic`], which converts panics to errors.
///
/// A panic hook should be silent then, because the caller reports the error.
pub fn is_catching_panics() -> bool {
    IS_CATCHING.get()
}

/// Calls `work`, and returns the payload of its panic as an error.
///
/// [`is_catching_panics`] returns `true` during the call.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    let outer = IS_CATCHING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_CATCHING.set(outer);
    result
}

/// Starts work on a thread of the runtime's pool.
///
/// tokio's own function panics if the system cannot start a thread.
///
/// # Errors
///
/// Returns [`Shortage::Threads`] if no thread can be started.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<task::JoinHandle<T>, Shortage> {
    catch_panic(|| task::spawn_blocking(work)).map_err(|_| Shortage::Threads)
}

/// Converts the error of a thread or process that could not be started.
///
/// The system reports `EAGAIN` then, which means "would block" for other operations.
pub fn spawn_error(error: &io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(Shortage::Threads),
        _ => Shortage::of(error).map_or_else(|| copy(error), io::Error::other),
    }
}

/// Copies an error, because [`io::Error`] does not implement `Clone`.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_a_text_and_a_hint() {
        let errors = [
            (Errno::NOMEM, "RLIMIT_AS", "ulimit -v"),
            (Errno::MFILE, "RLIMIT_NOFILE", "ulimit -n"),
            (Errno::NFILE, "fs.file-max", "sysctl fs.file-max"),
            (Errno::FBIG, "RLIMIT_FSIZE", "ulimit -f"),
            (Errno::ROFS, "Read-only file system", "mount"),
            (Errno::ACCESS, "Permission denied", "doctor"),
            (Errno::PERM, "Operation not permitted", "doctor"),
            (Errno::NOSPC, "No space left", "free some disk space"),
            (Errno::DQUOT, "quota", "quota"),
            (Errno::IO, "Input/output error", "dmesg"),
        ];
        for (errno, message, expected_hint) in errors {
            let error = io::Error::from(errno);
            assert!(text(&error).contains(message), "{}", text(&error));
            assert!(data_hint(&error).contains(expected_hint), "{errno}");
        }
        for errno in [Errno::NOENT, Errno::ROFS, Errno::ACCESS] {
            assert_eq!(hint(&io::Error::from(errno)), None);
        }
        assert_eq!(Shortage::of(&io::Error::from(Errno::AGAIN)), None, "would block");
        let threads = spawn_error(&io::Error::from(Errno::AGAIN));
        assert_eq!(Shortage::of(&threads), Some(Shortage::Threads));
        assert!(hint(&threads).unwrap().contains("ulimit -u"));
    }

    #[test]
    fn shortage_is_found_in_the_causes_of_an_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let outer = |errno| Outer(io::Error::from(errno));
        assert_eq!(Shortage::in_chain(&outer(Errno::NOMEM)), Some(Shortage::Memory));
        assert_eq!(Shortage::in_chain(&outer(Errno::NOENT)), None);
        assert_eq!(Shortage::in_chain(&Errno::MFILE), Some(Shortage::Descriptors));
    }
}
