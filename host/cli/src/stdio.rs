//! Standard streams that wait for readiness if `O_NONBLOCK` is set.
//!
//! The streams of `std` return `WouldBlock` in this case.
//!
//! `O_NONBLOCK` is a property of the open file, which all processes of a pipeline or terminal
//! share. Another process can set it at any time, and clearing it would affect that process. These
//! types call the system directly and wait with `poll`. They have no buffer, so no data is lost if
//! the process exits.

use std::io::{self, Read, StderrLock, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// A stream that waits until it is ready, whether it is blocking or non-blocking.
#[derive(Debug)]
pub(super) struct Waiting<F>(F);

/// Returns standard input. No other code of the process may read it through `std`, which buffers.
pub(super) fn stdin() -> Waiting<io::Stdin> {
    Waiting(io::stdin())
}

/// Returns standard output.
pub(super) fn stdout() -> Waiting<io::Stdout> {
    Waiting(io::stdout())
}

/// Returns standard error. The value holds a lock: other threads wait until it is dropped.
pub(super) fn stderr() -> Waiting<StderrLock<'static>> {
    Waiting(io::stderr().lock())
}

impl<F: AsFd> Read for Waiting<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = self.0.as_fd();
        when_ready(file, PollFlags::IN, || rustix::io::read(file, &mut *buffer))
    }
}

impl<F: AsFd> Write for Waiting<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = self.0.as_fd();
        when_ready(file, PollFlags::OUT, || rustix::io::write(file, bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Repeats a system call until it makes progress, and waits for the stream in between.
fn when_ready(
    file: BorrowedFd<'_>,
    ready: PollFlags,
    mut call: impl FnMut() -> Result<usize, Errno>,
) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::AGAIN) => wait(file, ready)?,
            Err(Errno::INTR) => {}
            result => return Ok(result?),
        }
    }
}

fn wait(file: BorrowedFd<'_>, ready: PollFlags) -> io::Result<()> {
    match poll(&mut [PollFd::from_borrowed_fd(file, ready)], None) {
        // The caller repeats the system call in both cases.
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    fn non_blocking(file: impl AsFd) {
        rustix::io::ioctl_fionbio(file, true).unwrap();
    }

    #[test]
    fn non_blocking_writer_waits_for_its_reader() {
        let (mut reader, writer) = io::pipe().unwrap();
        non_blocking(&writer);
        let sent: Vec<u8> = (0..1 << 20).map(|index: u32| index.to_le_bytes()[1]).collect();
        let expected = sent.clone();
        let sending = thread::spawn(move || Waiting(writer).write_all(&sent));
        thread::sleep(Duration::from_millis(50));
        let mut received = Vec::new();
        reader.read_to_end(&mut received).unwrap();
        sending.join().unwrap().unwrap();
        assert!(received == expected, "{} of {} bytes", received.len(), expected.len());
    }

    #[test]
    fn non_blocking_reader_waits_for_its_writer() {
        let (reader, mut writer) = io::pipe().unwrap();
        non_blocking(&reader);
        let sending = thread::spawn(move || {
            for part in ["one", "two"] {
                thread::sleep(Duration::from_millis(50));
                writer.write_all(part.as_bytes()).unwrap();
            }
        });
        let mut received = String::new();
        Waiting(reader).read_to_string(&mut received).unwrap();
        sending.join().unwrap();
        assert_eq!(received, "onetwo");
    }

    #[test]
    fn closed_reader_is_a_broken_pipe() {
        let (reader, writer) = io::pipe().unwrap();
        non_blocking(&writer);
        let mut writer = Waiting(writer);
        let closing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(reader);
        });
        let error = writer.write_all(&vec![0; 1 << 20]).unwrap_err();
        closing.join().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
