//! Progress of compiling plugins, for compilations that take longer than a short delay.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use ophost::{HostBuilder, LoadProgress};

use super::output::{self, EscapedLine};
use super::progress::keep_drawing;

/// Delay before the progress is shown on a terminal.
const TERMINAL_DELAY: Duration = Duration::from_millis(500);
/// Further delay before a line is printed to another stderr.
const LINE_DELAY: Duration = Duration::from_secs(10);

/// Calls `build` and shows the plugin that is being compiled: on a terminal after 0.5 s, elsewhere
/// in one line after 10.5 s.
pub(super) async fn with_progress<T, E>(
    builder: HostBuilder,
    build: impl AsyncFnOnce(HostBuilder) -> Result<T, E>,
) -> Result<T, E> {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed:.dim}") {
        bar.set_style(style);
    }
    let last = Arc::new(Mutex::new(String::new()));
    let (latest, observed_bar) = (Arc::clone(&last), bar.clone());
    let builder = builder.observe_loading(move |loading| {
        let text = text(loading);
        observed_bar.set_message(text.clone());
        *latest.lock().unwrap_or_else(PoisonError::into_inner) = text;
    });
    let mut build = std::pin::pin!(build(builder));
    let built = tokio::select! {
        built = &mut build => return built,
        () = tokio::time::sleep(TERMINAL_DELAY) => {
            // The bar is hidden if stderr is not a terminal.
            bar.set_draw_target(ProgressDrawTarget::stderr());
            keep_drawing(&bar);
            tokio::select! {
                built = &mut build => built,
                () = tokio::time::sleep(LINE_DELAY) => {
                    if bar.is_hidden() {
                        let text = last.lock().unwrap_or_else(PoisonError::into_inner).clone();
                        output::stderr(&format!("still {text}\n"));
                    }
                    build.await
                }
            }
        }
    };
    bar.finish_and_clear();
    built
}

fn text(loading: LoadProgress<'_>) -> String {
    let LoadProgress { file, done, total } = loading;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let count = if total > 1 { format!(", {} of {total}", done + 1) } else { String::new() };
    format!("compiling `{}`{count}", EscapedLine(&name))
}
