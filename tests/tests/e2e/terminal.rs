//! A terminal for a command that behaves otherwise in a pipe.

use std::ffi::{c_int, c_uint};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};
use rustix::termios::{Winsize, tcsetwinsize};

/// `TIOCSPTLCK` and `TIOCGPTN` of Linux.
const UNLOCK: Opcode = opcode::write::<c_int>(b'T', 0x31);
const NUMBER: Opcode = opcode::read::<c_uint>(b'T', 0x30);

/// Runs a command to its end in a terminal of so many columns. Returns all that the terminal
/// got, stdout and stderr as they came, and the exit code.
pub(crate) fn run(command: Command, columns: u16) -> (String, Option<i32>) {
    answering(command, columns, "")
}

/// As [`run`], with what somebody types.
pub(crate) fn answering(command: Command, columns: u16, typed: &str) -> (String, Option<i32>) {
    let (mut child, mut terminal) = start(command, columns);
    terminal.write_all(typed.as_bytes()).expect("it is there");
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // The end of the last one who writes is an error on Linux.
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        bytes.extend(&buffer[..count]);
    }
    let status = child.wait().expect("it ends");
    (String::from_utf8_lossy(&bytes).into_owned(), status.code())
}

fn start(mut command: Command, columns: u16) -> (Child, File) {
    let (master, slave) = open().expect("a terminal");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&slave, size).expect("a size");
    let end = || Stdio::from(slave.try_clone().expect("a file"));
    command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm");
    (command.spawn().expect("it starts"), master)
}

#[expect(
    unsafe_code,
    reason = "crates that do it safely change features of what the engine is built on"
)]
fn open() -> io::Result<(File, File)> {
    let master = File::options().read(true).write(true).open("/dev/ptmx")?;
    // SAFETY: both take a number of this size, as Linux documents.
    let number = unsafe {
        ioctl(&master, Setter::<UNLOCK, c_int>::new(0))?;
        ioctl(&master, Getter::<NUMBER, c_uint>::new())?
    };
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let slave = rustix::fs::open(format!("/dev/pts/{number}"), flags, Mode::empty())?;
    Ok((master, slave.into()))
}
