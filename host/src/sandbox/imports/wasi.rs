//! WASI 0.2 with nothing granted: most toolchains import it whether a guest uses it or not.
//!
//! No files, no network, no names, no environment, no arguments, no input. What the guest
//! writes to its output and error becomes log entries, a line each.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::GuestState;
use crate::model::outcome::{LogLevel, LogSource};
use crate::sandbox::guest_output::GuestOutput;
use crate::util::clock;

/// How much a guest may write at once, in bytes.
const CHUNK: usize = 64 << 10;
/// The longest line, in bytes, before it is broken.
const MAX_LINE: usize = 16 << 10;
/// How many handles (streams, pollables) a guest may hold.
const MAX_HANDLES: usize = 1_000;
/// How many random bytes a guest may ask for at once.
const MAX_RANDOM: u64 = 1 << 20;

/// The state of WASI in one run.
pub(in crate::sandbox) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    /// Returns the state that grants nothing and logs to `journal`.
    pub(in crate::sandbox) fn new(journal: &GuestOutput) -> Self {
        let line = |level, source| Lines::new(journal.clone(), level, source);
        let context = WasiCtx::builder()
            .stdout(line(LogLevel::Info, LogSource::Stdout))
            .stderr(line(LogLevel::Warn, LogSource::Stderr))
            .max_random_size(MAX_RANDOM)
            .wall_clock(WallClock)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self { context, table }
    }
}

/// The machine's clock; wasmtime's own panics where that is before 1970.
struct WallClock;

impl HostWallClock for WallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        clock::since_1970(SystemTime::now())
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.as_mut().expect("a guest linked to WASI is given its state");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Turns what is written into log entries. All streams of one run's output share it.
#[derive(Clone)]
struct Lines(Arc<Mutex<Unfinished>>);

struct Unfinished {
    journal: GuestOutput,
    level: LogLevel,
    source: LogSource,
    line: Vec<u8>,
}

impl Lines {
    fn new(journal: GuestOutput, level: LogLevel, source: LogSource) -> Self {
        Self(Arc::new(Mutex::new(Unfinished { journal, level, source, line: Vec::new() })))
    }

    fn add(&self, bytes: &[u8]) {
        let mut unfinished = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            unfinished.add_piece(piece);
        }
    }
}

impl Unfinished {
    /// Adds a line, or a part of one. A line that is too long goes on in the next entry.
    fn add_piece(&mut self, piece: &[u8]) {
        let (mut text, ends) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        while text.len() > MAX_LINE - self.line.len() {
            let (fits, rest) = text.split_at(MAX_LINE - self.line.len());
            self.line.extend_from_slice(fits);
            let torn = self.line.split_off(last_boundary(&self.line));
            self.finish();
            self.line = torn;
            text = rest;
        }
        self.line.extend_from_slice(text);
        if ends {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.journal.log(self.level, self.source, text, None);
    }
}

/// Returns where to break a line so that its last character stays whole.
fn last_boundary(line: &[u8]) -> usize {
    let is_start = |byte: &u8| !(0x80..0xc0).contains(byte);
    let start = line.iter().rposition(is_start).unwrap_or(0);
    let is_torn = line.len() - start < 4 && str::from_utf8(&line[start..]).is_err();
    if is_torn && start > 0 { start } else { line.len() }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.finish();
        }
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > CHUNK {
            return Err(StreamError::trap("cannot write more than `check-write` allows"));
        }
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(CHUNK)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.add(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the lengths of the entries that these writes become, and all their text.
    fn entries(writes: &[&[u8]]) -> (Vec<usize>, String) {
        let journal = GuestOutput::new(1 << 20, None, None);
        let lines = Lines::new(journal.clone(), LogLevel::Info, LogSource::Stdout);
        writes.iter().for_each(|bytes| lines.add(bytes));
        drop(lines);
        let log = journal.trail().log;
        let lengths = log.iter().map(|entry| entry.message.len()).collect();
        (lengths, log.into_iter().map(|entry| entry.message).collect())
    }

    #[test]
    fn a_line_is_an_entry_however_it_is_written() {
        let (lengths, text) = entries(&[b"on", b"e\n\ntwo\nunfin", b"ished"]);
        assert_eq!((lengths, text.as_str()), (vec![3, 0, 3, 10], "onetwounfinished"));
        let whole = "x".repeat(MAX_LINE);
        let (lengths, _) = entries(&[whole.as_bytes(), b"\n", whole.as_bytes()]);
        assert_eq!(lengths, [MAX_LINE, MAX_LINE]);
    }

    #[test]
    fn a_long_line_is_broken_between_characters_and_nothing_is_lost() {
        for (unit, before) in [("x", ""), ("ä", ""), ("ä", "x"), ("\u{1f600}", "xx")] {
            let line = format!("{before}{}", unit.repeat(5 * MAX_LINE / unit.len()));
            let (lengths, text) = entries(&[line.as_bytes(), b"\n"]);
            assert!(text == line, "{unit} is torn");
            assert!(lengths.iter().all(|length| *length <= MAX_LINE), "{lengths:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_stop_it() {
        for byte in [0x80, 0xc3, 0xff] {
            let (lengths, text) = entries(&[&vec![byte; 5 * MAX_LINE]]);
            assert!(lengths.len() >= 5, "{byte}: {lengths:?}");
            assert!(text.chars().count() >= MAX_LINE && text.chars().all(|c| c == '\u{fffd}'));
        }
    }
}
