//! WASI 0.2 with nothing granted: most toolchains import it whether a guest uses it or not.
//!
//! No files, no network, no names, no environment, no arguments, no input. What the guest
//! writes to its output and error becomes log entries, a line each.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::RunState;
use crate::run::{LogLevel, LogSource};
use crate::sandbox::journal::Journal;

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
    pub(in crate::sandbox) fn new(journal: &Journal) -> Self {
        let line = |level, source| Lines::new(journal.clone(), level, source);
        let context = WasiCtx::builder()
            .stdout(line(LogLevel::Info, LogSource::Stdout))
            .stderr(line(LogLevel::Warn, LogSource::Stderr))
            .max_random_size(MAX_RANDOM)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        Self { context, table }
    }
}

impl WasiView for RunState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.as_mut().expect("a guest linked to WASI is given its state");
        WasiCtxView { ctx: &mut wasi.context, table: &mut wasi.table }
    }
}

/// Turns what is written into log entries. All streams of one run's output share it.
#[derive(Clone)]
struct Lines(Arc<Mutex<Unfinished>>);

struct Unfinished {
    journal: Journal,
    level: LogLevel,
    source: LogSource,
    line: Vec<u8>,
}

impl Lines {
    fn new(journal: Journal, level: LogLevel, source: LogSource) -> Self {
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
    fn add_piece(&mut self, piece: &[u8]) {
        self.line.extend_from_slice(piece);
        if self.line.ends_with(b"\n") || self.line.len() > MAX_LINE {
            self.finish();
        }
    }

    fn finish(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes));
        self.journal.log(self.level, self.source, text.into_owned(), None);
    }
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
