//! Progress bar of a run, on a terminal.
//!
//! The bar is created at the first report, and never in a pipe. A thread draws it 10 times per
//! second, independent of the number of reports.

use std::env;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use ophost::{Progress, os_error};
use ophost_document::text;

use super::output::{self, EscapedLine};

/// Maximum number of draws per second.
const HERTZ: u8 = 10;
/// Interval of drawing the bar and of showing reports.
const INTERVAL: Duration = Duration::from_millis(100);
/// Maximum number of characters of a message.
const MAX_MESSAGE: usize = 120;

const BAR: &str = "{bar:16} {pos}/{len}  {rate}  {eta} left  {wide_msg}";
const SPINNER: &str = "{spinner} {pos}  {rate}  {wide_msg}";

/// A progress bar that is created at the first report.
#[derive(Debug, Default)]
pub(super) struct Bar {
    bar: OnceLock<ProgressBar>,
    last_shown: Mutex<Option<Instant>>,
}

impl Bar {
    /// Returns a bar if stderr is a terminal that can move its cursor.
    pub(super) fn for_terminal() -> Option<Self> {
        let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        (io::stderr().is_terminal() && !is_dumb).then(Self::default)
    }

    /// Shows a report, unless the last one was shown within the drawing interval.
    pub(super) fn report(&self, progress: &Progress) {
        let is_last = progress.total.is_some_and(|total| progress.done >= total);
        if !self.is_due() && !is_last {
            return;
        }
        if let Some(bar) = self.bar.get() {
            show(bar, progress);
        } else {
            let bar = self.bar.get_or_init(hidden);
            show(bar, progress);
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(HERTZ));
            keep_drawing(bar);
        }
    }

    fn is_due(&self) -> bool {
        // The mutex only holds a time, so every value is valid after a panic.
        let mut last_shown = self.last_shown.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = last_shown.is_none_or(|last| last.elapsed() >= INTERVAL);
        if is_due {
            *last_shown = Some(Instant::now());
        }
        is_due
    }

    /// Prints text to stderr, above the bar.
    pub(super) fn print(&self, text: &str) {
        self.suspend(|| output::stderr(text));
    }

    /// Calls `print` while the bar is not drawn.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        match self.bar.get() {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Removes the bar.
    pub(super) fn clear(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    /// Removes the bar, so that later output starts on a line of its own.
    fn drop(&mut self) {
        self.clear();
    }
}

/// Draws a bar 10 times per second until it is finished. If no thread can be started, the bar is
/// drawn at each change. The ticker of `indicatif` is not used, because it panics in this case.
pub(super) fn keep_drawing(bar: &ProgressBar) {
    let bar = bar.downgrade();
    let draw = move || {
        while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
            bar.tick();
            drop(bar);
            thread::sleep(INTERVAL);
        }
    };
    os_error::spawn("progress", draw).ok();
}

/// Returns a bar that is not drawn yet.
fn hidden() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    bar.set_style(style(SPINNER));
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    match progress.total {
        Some(total) if bar.length() != Some(total) => {
            bar.set_length(total);
            bar.set_style(style(BAR));
        }
        None if bar.length().is_some() => {
            bar.unset_length();
            bar.set_style(style(SPINNER));
        }
        Some(_) | None => {}
    }
    bar.set_position(progress.done);
    let message = progress.message.as_deref().unwrap_or_default();
    bar.set_message(EscapedLine(&text::truncate_chars(message, MAX_MESSAGE)).to_string());
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    style.with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
        let rate = state.per_sec();
        let digits = usize::from(rate < 10.0);
        // The caller of the formatter reports the error.
        write!(text, "{rate:.digits$}/s").ok();
    })
}
