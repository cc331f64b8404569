//! Runs commands in a pseudoterminal.

use std::ffi::{c_int, c_uint};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::ioctl::{Getter, Opcode, Setter, ioctl, opcode};
use rustix::termios::{Winsize, tcsetwinsize};

/// `TIOCSPTLCK` of Linux.
const UNLOCK: Opcode = opcode::write::<c_int>(b'T', 0x31);
/// `TIOCGPTN` of Linux.
const NUMBER: Opcode = opcode::read::<c_uint>(b'T', 0x30);

/// Runs a command in a terminal with this number of columns. Returns the interleaved stdout and
/// stderr, and the exit code.
pub(crate) fn run(command: Command, columns: u16) -> (String, Option<i32>) {
    run_with_input(command, columns, "")
}

/// Like [`run`], with typed input.
pub(crate) fn run_with_input(command: Command, columns: u16, typed: &str) -> (String, Option<i32>) {
    let (mut child, mut terminal) = start(command, columns);
    terminal.write_all(typed.as_bytes()).expect("an open terminal");
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // On Linux, reading fails when the last writer has closed the terminal.
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        bytes.extend(&buffer[..count]);
    }
    let status = child.wait().expect("the command ends");
    (String::from_utf8_lossy(&bytes).into_owned(), status.code())
}

fn start(mut command: Command, columns: u16) -> (Child, File) {
    let (master, slave) = open().expect("a terminal");
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&slave, size).expect("a size");
    let end = || Stdio::from(slave.try_clone().expect("a file"));
    command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm");
    (command.spawn().expect("the command starts"), master)
}

#[expect(
    unsafe_code,
    reason = "crates with a safe interface change the features of wasmtime's dependencies"
)]
fn open() -> io::Result<(File, File)> {
    let master = File::options().read(true).write(true).open("/dev/ptmx")?;
    // SAFETY: both calls take a pointer to an integer of this size, as Linux documents.
    let number = unsafe {
        ioctl(&master, Setter::<UNLOCK, c_int>::new(0))?;
        ioctl(&master, Getter::<NUMBER, c_uint>::new())?
    };
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    let slave = rustix::fs::open(format!("/dev/pts/{number}"), flags, Mode::empty())?;
    Ok((master, slave.into()))
}
