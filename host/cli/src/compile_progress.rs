//! Progress of compiling plugins, for compilations that take longer than a short delay.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ophost::{HostBuilder, InspectError, Inspector, LoadProgress, PluginReport};

use super::output::{self, EscapedLine};
use super::progress::keep_drawing;

/// Delay before the progress is shown.
const DELAY: Duration = Duration::from_millis(500);
/// Further delay before a line is printed to a stderr that is no terminal, if the estimate is short.
const LINE_DELAY: Duration = Duration::from_secs(10);
/// Estimate from which a line is printed without the further delay.
const LONG: Duration = Duration::from_secs(3);

/// Calls `build` and shows the plugin that is being compiled: on a terminal after 0.5 s, elsewhere
/// in one line.
pub(super) async fn with_progress<T, E>(
    builder: HostBuilder,
    build: impl AsyncFnOnce(HostBuilder) -> Result<T, E>,
) -> Result<T, E> {
    let display = Display::new();
    let observing = display.clone();
    let builder = builder.observe_loading(move |loading| observing.set(Compiling::of(loading)));
    display.show_during(build(builder)).await
}

/// Inspects a plugin and shows that it is being compiled, like [`with_progress`].
pub(super) async fn inspect(
    inspector: &Inspector,
    file: &Path,
    bytes: &[u8],
) -> Result<PluginReport, InspectError> {
    let display = Display::new();
    let (size, estimate) = (bytes.len(), inspector.compile_time(bytes));
    let loading = LoadProgress { file, bytes: size, estimate, done: 0, total: 1 };
    display.set(Compiling::of(loading));
    display.show_during(inspector.inspect(bytes)).await
}

/// The line of progress. Clones share the line.
#[derive(Clone)]
struct Display {
    bar: ProgressBar,
    last: Arc<Mutex<Compiling>>,
}

impl Display {
    fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
            bar.set_style(style);
        }
        Self { bar, last: Arc::default() }
    }

    fn set(&self, compiling: Compiling) {
        self.bar.set_message(compiling.text.clone());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = compiling;
    }

    fn last(&self) -> Compiling {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for `work`, and shows the line after the delay.
    async fn show_during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(DELAY) => {}
        }
        // The bar is hidden if stderr is not a terminal.
        self.bar.set_draw_target(ProgressDrawTarget::stderr());
        keep_drawing(&self.bar);
        let line_delay = if self.last().is_long { Duration::ZERO } else { LINE_DELAY };
        let done = tokio::select! {
            done = &mut work => done,
            () = tokio::time::sleep(line_delay) => {
                if self.bar.is_hidden() {
                    output::stderr(&format!("{}\n", self.last().text));
                }
                work.await
            }
        };
        self.bar.finish_and_clear();
        done
    }
}

/// The plugin that is being compiled.
#[derive(Clone, Default)]
struct Compiling {
    text: String,
    is_long: bool,
}

impl Compiling {
    fn of(loading: LoadProgress<'_>) -> Self {
        let LoadProgress { file, bytes, estimate, done, total } = loading;
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        let size = ByteSize::b(bytes as u64);
        let count = if total > 1 { format!(", {} of {total}", done + 1) } else { String::new() };
        let rounded = estimate.saturating_add(Duration::from_millis(500)).as_secs();
        let estimate_text = match rounded {
            0 | 1 => String::new(),
            seconds @ 2..100 => format!(", about {seconds} s"),
            seconds => format!(", about {} min", seconds.div_ceil(60)),
        };
        let text = format!("compiling `{}` ({size}){count}{estimate_text}", EscapedLine(&name));
        Self { text, is_long: estimate >= LONG }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: usize, estimate: Duration, done: usize, total: usize) -> String {
        let file = "plugins/it.wasm".as_ref();
        Compiling::of(LoadProgress { file, bytes, estimate, done, total }).text
    }

    #[test]
    fn text_has_size_number_and_estimate() {
        let milliseconds = Duration::from_millis;
        assert_eq!(text(300 << 10, milliseconds(1_400), 0, 1), "compiling `it.wasm` (300.0 KiB)");
        assert!(text(1, milliseconds(1_700), 0, 1).ends_with(", about 2 s"));
        assert_eq!(
            text(19 << 20, milliseconds(12_400), 1, 3),
            "compiling `it.wasm` (19.0 MiB), 2 of 3, about 12 s"
        );
        assert!(text(1, milliseconds(150_000), 0, 1).ends_with(", about 3 min"));
    }
}
