//! Formats the backtrace of a stopped guest as text.

use wasmtime::{FrameInfo, WasmBacktrace};

use ophost_document::text;

/// Number of frames in the text. The innermost frames are shown.
const MAX_SHOWN_FRAMES: usize = 20;
/// Frame between the code that panics and Rust's panic reporting, which is further in.
const SHORT_BACKTRACE_END: &str = "__rust_end_short_backtrace";
/// Prefixes of the frames of Rust's panic runtime that are outside of that frame.
const PANIC_RUNTIME: [&str; 2] = ["__rustc::", "core::panicking::"];

/// Returns the active functions, innermost first. Empty if wasmtime captured no backtrace.
pub(super) fn frames(error: &wasmtime::Error) -> Vec<String> {
    let backtrace = error.downcast_ref::<WasmBacktrace>();
    backtrace.map_or_else(Vec::new, |backtrace| backtrace.frames().iter().map(name).collect())
}

fn name(frame: &FrameInfo) -> String {
    match frame.func_name() {
        Some(mangled) => text::quote(&format!("{:#}", rustc_demangle::demangle(mangled))),
        None => format!("function {}", frame.func_index()),
    }
}

/// Returns the innermost frames of the guest's own code, one line each.
pub(super) fn text(frames: &[String]) -> String {
    let end = frames.iter().rposition(|frame| frame.contains(SHORT_BACKTRACE_END));
    let outer = frames.iter().skip(end.map_or(0, |position| position + 1));
    let is_runtime = |frame: &&String| PANIC_RUNTIME.iter().any(|prefix| frame.starts_with(prefix));
    let own: Vec<_> = outer.skip_while(is_runtime).collect();
    let mut lines: Vec<_> =
        own.iter().take(MAX_SHOWN_FRAMES).map(|frame| format!("at {frame}")).collect();
    if own.len() > MAX_SHOWN_FRAMES {
        lines.push("...".to_owned());
    }
    lines.join("\n")
}

/// Returns whether the backtrace looks like unbounded recursion: the innermost function is at
/// least every fourth frame.
pub(super) fn is_runaway(frames: &[String]) -> bool {
    let Some(innermost) = frames.first() else { return false };
    let repeats = frames.iter().filter(|frame| *frame == innermost).count();
    frames.len() > MAX_SHOWN_FRAMES && repeats * 4 >= frames.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn frames_of_the_panic_runtime_are_omitted() {
        let end = "std::sys::backtrace::__rust_end_short_backtrace::<f>";
        let panicked =
            ["abort", end, "__rustc::rust_begin_unwind", "core::panicking::panic", "mine", "main"];
        assert_eq!(text(&frames(&panicked)), "at mine\nat main");
        assert_eq!(text(&frames(&["mine", "main"])), "at mine\nat main");
    }

    #[test]
    fn long_backtrace_is_truncated() {
        let lines = text(&vec!["f".to_owned(); MAX_SHOWN_FRAMES + 1]);
        assert_eq!(lines.lines().count(), MAX_SHOWN_FRAMES + 1);
        assert!(lines.ends_with("..."));
    }

    #[test]
    fn recursion_differs_from_deep_call_chain() {
        assert!(is_runaway(&frames(&["even", "odd"].repeat(20))));
        let deep: Vec<_> = (0..40).map(|depth| format!("f{depth}")).collect();
        assert!(!is_runaway(&deep) && !is_runaway(&frames(&["f"])) && !is_runaway(&[]));
    }
}
