//! WASI 0.2 without capabilities. Most toolchains import WASI even if the guest does not use it.
//!
//! A guest has no files, network, name lookup, environment variables, arguments or stdin. Each
//! line that it writes to stdout or stderr becomes a log entry.

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

/// Maximum size of one write, in bytes.
const MAX_WRITE: usize = 64 << 10;
/// Maximum length of a line, in bytes. Longer lines are split.
const MAX_LINE: usize = 16 << 10;
/// Maximum number of open handles (streams, pollables) of a guest.
const MAX_HANDLES: usize = 1_000;
/// Maximum number of random bytes in one call.
const MAX_RANDOM: u64 = 1 << 20;

/// WASI state of one execution.
pub(in crate::sandbox) struct Wasi {
    context: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    /// Returns a state without capabilities that logs stdout and stderr to `output`.
    pub(in crate::sandbox) fn new(output: &GuestOutput) -> Self {
        let stream = |level, source| LineLogger::new(output.clone(), level, source);
        let context = WasiCtx::builder()
            .stdout(stream(LogLevel::Info, LogSource::Stdout))
            .stderr(stream(LogLevel::Warn, LogSource::Stderr))
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

/// The clock of the machine. wasmtime's own wall clock panics if the time is before 1970.
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
        let wasi = self.wasi.as_mut().expect("a guest that imports WASI has a WASI state");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// An output stream that logs each line. All handles of the same stream share the buffer.
#[derive(Clone)]
struct LineLogger(Arc<Mutex<LineBuffer>>);

struct LineBuffer {
    output: GuestOutput,
    level: LogLevel,
    source: LogSource,
    line: Vec<u8>,
}

impl LineLogger {
    fn new(output: GuestOutput, level: LogLevel, source: LogSource) -> Self {
        Self(Arc::new(Mutex::new(LineBuffer { output, level, source, line: Vec::new() })))
    }

    fn add(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            buffer.add_piece(piece);
        }
    }
}

impl LineBuffer {
    /// Adds a line or a part of a line. A line over [`MAX_LINE`] continues in the next entry.
    fn add_piece(&mut self, piece: &[u8]) {
        let (mut text, is_complete) = match piece.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (piece, false),
        };
        while text.len() > MAX_LINE - self.line.len() {
            let (head, rest) = text.split_at(MAX_LINE - self.line.len());
            self.line.extend_from_slice(head);
            let partial_character = self.line.split_off(last_boundary(&self.line));
            self.log_line();
            self.line = partial_character;
            text = rest;
        }
        self.line.extend_from_slice(text);
        if is_complete {
            self.log_line();
        }
    }

    /// Logs the buffered line and clears the buffer.
    fn log_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.output.log(self.level, self.source, text, None);
    }
}

/// Returns the index at which to split a line, so that no character is split.
fn last_boundary(line: &[u8]) -> usize {
    let is_start = |byte: &u8| !(0x80..0xc0).contains(byte);
    let start = line.iter().rposition(is_start).unwrap_or(0);
    let is_partial = line.len() - start < 4 && str::from_utf8(&line[start..]).is_err();
    if is_partial && start > 0 { start } else { line.len() }
}

impl Drop for LineBuffer {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            self.log_line();
        }
    }
}

impl IsTerminal for LineLogger {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineLogger {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LineLogger {
    async fn ready(&mut self) {}
}

impl OutputStream for LineLogger {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > MAX_WRITE {
            return Err(StreamError::trap("cannot write more than `check-write` allows"));
        }
        self.add(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_WRITE)
    }
}

impl AsyncWrite for LineLogger {
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

    /// Returns the lengths of the log entries of these writes, and their texts joined.
    fn entries(writes: &[&[u8]]) -> (Vec<usize>, String) {
        let output = GuestOutput::new(1 << 20, None, None);
        let stream = LineLogger::new(output.clone(), LogLevel::Info, LogSource::Stdout);
        writes.iter().for_each(|bytes| stream.add(bytes));
        drop(stream);
        let log = output.diagnostics().log;
        let lengths = log.iter().map(|entry| entry.message.len()).collect();
        (lengths, log.into_iter().map(|entry| entry.message).collect())
    }

    #[test]
    fn each_line_is_one_entry_for_any_sequence_of_writes() {
        let (lengths, text) = entries(&[b"on", b"e\n\ntwo\nunfin", b"ished"]);
        assert_eq!((lengths, text.as_str()), (vec![3, 0, 3, 10], "onetwounfinished"));
        let whole = "x".repeat(MAX_LINE);
        let (lengths, _) = entries(&[whole.as_bytes(), b"\n", whole.as_bytes()]);
        assert_eq!(lengths, [MAX_LINE, MAX_LINE]);
    }

    #[test]
    fn long_line_is_split_between_characters_without_loss() {
        for (unit, before) in [("x", ""), ("ä", ""), ("ä", "x"), ("\u{1f600}", "xx")] {
            let line = format!("{before}{}", unit.repeat(5 * MAX_LINE / unit.len()));
            let (lengths, text) = entries(&[line.as_bytes(), b"\n"]);
            assert!(text == line, "a {unit} is split");
            assert!(lengths.iter().all(|length| *length <= MAX_LINE), "{lengths:?}");
        }
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        for byte in [0x80, 0xc3, 0xff] {
            let (lengths, text) = entries(&[&vec![byte; 5 * MAX_LINE]]);
            assert!(lengths.len() >= 5, "{byte}: {lengths:?}");
            assert!(text.chars().count() >= MAX_LINE && text.chars().all(|c| c == '\u{fffd}'));
        }
    }
}
