//! Errors of the operating system, by what a user can do about them.
//!
//! An error number says which limit was reached. That a limit of the process or the machine was
//! reached says nothing about the file, plugin or store that was being worked on.

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
    /// Threads and processes (`EAGAIN` of a new one).
    #[error("cannot start another thread or process (RLIMIT_NPROC, or the container's limit)")]
    Threads,
    /// File descriptors of the process (`EMFILE`).
    #[error("out of file descriptors (RLIMIT_NOFILE)")]
    Descriptors,
    /// File descriptors of the machine (`ENFILE`).
    #[error("the machine is out of file descriptors (fs.file-max)")]
    MachineDescriptors,
    /// Size of a file that the process writes (`EFBIG`).
    #[error("the file may not grow (RLIMIT_FSIZE, or the most that its file system allows)")]
    FileSize,
    /// Memory that is executable.
    #[error("memory cannot be made executable (SELinux, or MemoryDenyWriteExecute of systemd)")]
    ExecutableMemory,
}

impl Shortage {
    /// Returns the shortage that an error of the system reports, if it reports one.
    pub fn of(error: &io::Error) -> Option<Self> {
        let wrapped = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>());
        wrapped.copied().or_else(|| Errno::from_io_error(error).and_then(Self::of_errno))
    }

    /// Returns the shortage that an error or one of its causes reports.
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

    /// Returns the word for it, as the compiler's process passes it on.
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

    /// Returns the shortage of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Memory,
            Self::Threads,
            Self::Descriptors,
            Self::MachineDescriptors,
            Self::FileSize,
            Self::ExecutableMemory,
        ];
        all.into_iter().find(|shortage| shortage.as_str() == word)
    }

    /// Returns what to do about it.
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

/// Returns the text of an error: the name of the limit if one was reached, else the system's.
pub fn text(error: &io::Error) -> String {
    Shortage::of(error).map_or_else(|| error.to_string(), |shortage| shortage.to_string())
}

/// Returns what to do about an error of the system, wherever it happens; `None` if that is not
/// known.
pub fn hint(error: &io::Error) -> Option<&'static str> {
    if let Some(shortage) = Shortage::of(error) {
        return Some(shortage.hint());
    }
    match Errno::from_io_error(error)? {
        Errno::NOSPC => Some("free some space, and try again"),
        Errno::DQUOT => Some("free some of your disk quota (`quota -s`), and try again"),
        Errno::IO => Some("the disk or its connection failed: see `dmesg`, and copy the data"),
        _ => None,
    }
}

/// Returns what to do about an error of the system with a file of the data directory.
pub fn data_hint(error: &io::Error) -> &'static str {
    let known = match Errno::from_io_error(error) {
        Some(Errno::ROFS) => {
            Some("mount its file system writable, or name another data directory with `--data`")
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            Some("run `ophost doctor`: it checks the permissions of the data directory")
        }
        _ => hint(error),
    };
    known.unwrap_or("run `ophost doctor`: it checks the data directory")
}

impl From<ophost_schema::ThreadError> for Shortage {
    fn from(error: ophost_schema::ThreadError) -> Self {
        let error = error.errno.map(io::Error::from_raw_os_error);
        error.and_then(|error| Self::of(&not_started(&error))).unwrap_or(Self::Threads)
    }
}

/// Starts a named thread.
///
/// # Errors
///
/// Returns an error that [`Shortage::of`] knows if the system starts no more threads.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| not_started(&error))
}

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether a panic of this thread becomes an error: whoever calls is told of it then, and
/// nobody else needs to be.
pub fn is_catching_panics() -> bool {
    IS_GUARDED.get()
}

/// Works, and returns its panic if it panics, which nobody else is told of.
pub fn guarded<T>(work: impl FnOnce() -> T) -> thread::Result<T> {
    let outside = IS_GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(outside);
    done
}

/// Begins work on a thread of the runtime's pool. The runtime panics where the system starts no
/// thread; this does not.
///
/// # Errors
///
/// Returns [`Shortage::Threads`] if there is no thread for it.
pub fn spawn_blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<task::JoinHandle<T>, Shortage> {
    guarded(|| task::spawn_blocking(work)).map_err(|_| Shortage::Threads)
}

/// Returns the error of a thread or process that could not be started: the system answers with
/// the number that elsewhere says that an operation would block.
pub fn not_started(error: &io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(Shortage::Threads),
        _ => Shortage::of(error).map_or_else(|| copy(error), io::Error::other),
    }
}

/// Returns the same error again: the system's errors cannot be cloned.
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
    fn each_class_of_error_has_its_text_and_hint() {
        let errors = [
            (Errno::NOMEM, "RLIMIT_AS", "ulimit -v"),
            (Errno::MFILE, "RLIMIT_NOFILE", "ulimit -n"),
            (Errno::NFILE, "fs.file-max", "sysctl fs.file-max"),
            (Errno::FBIG, "RLIMIT_FSIZE", "ulimit -f"),
            (Errno::ROFS, "Read-only file system", "mount"),
            (Errno::ACCESS, "Permission denied", "doctor"),
            (Errno::PERM, "Operation not permitted", "doctor"),
            (Errno::NOSPC, "No space left", "free some space"),
            (Errno::DQUOT, "quota", "quota"),
            (Errno::IO, "Input/output error", "dmesg"),
        ];
        for (errno, says, io_hint) in errors {
            let error = io::Error::from(errno);
            assert!(text(&error).contains(says), "{}", text(&error));
            assert!(data_hint(&error).contains(io_hint), "{errno}");
        }
        for elsewhere in [Errno::NOENT, Errno::ROFS, Errno::ACCESS] {
            assert_eq!(hint(&io::Error::from(elsewhere)), None);
        }
        assert_eq!(Shortage::of(&io::Error::from(Errno::AGAIN)), None, "it would block");
        let threads = not_started(&io::Error::from(Errno::AGAIN));
        assert_eq!(Shortage::of(&threads), Some(Shortage::Threads));
        assert!(hint(&threads).unwrap().contains("ulimit -u"));
    }

    #[test]
    fn a_shortage_is_found_among_the_causes_of_an_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] io::Error);
        let outer = |errno| Outer(io::Error::from(errno));
        assert_eq!(Shortage::in_chain(&outer(Errno::NOMEM)), Some(Shortage::Memory));
        assert_eq!(Shortage::in_chain(&outer(Errno::NOENT)), None);
        assert_eq!(Shortage::in_chain(&Errno::MFILE), Some(Shortage::Descriptors));
    }
}
