//! Where in its code a guest was stopped, for people.

use wasmtime::{FrameInfo, WasmBacktrace};

use ophost_document::text;

/// How many frames are shown, the innermost.
const MAX_SHOWN_FRAMES: usize = 20;
/// Rust calls this last before it reports a panic: what is further in is its machinery.
const END_OF_RUST_CODE: &str = "__rust_end_short_backtrace";
/// Where Rust's machinery for panics lives; what of it is left after that call.
const RUST_PANICKING: [&str; 2] = ["__rustc::", "core::panicking::"];

/// Returns the functions that were running, innermost first; none where wasmtime took no
/// backtrace.
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

/// Returns the innermost frames of the author's code, a line each.
pub(super) fn text(frames: &[String]) -> String {
    let machinery = frames.iter().rposition(|frame| frame.contains(END_OF_RUST_CODE));
    let left = frames.iter().skip(machinery.map_or(0, |place| place + 1));
    let is_panicking =
        |frame: &&String| RUST_PANICKING.iter().any(|prefix| frame.starts_with(prefix));
    let own: Vec<_> = left.skip_while(is_panicking).collect();
    let mut lines: Vec<_> =
        own.iter().take(MAX_SHOWN_FRAMES).map(|frame| format!("at {frame}")).collect();
    if own.len() > MAX_SHOWN_FRAMES {
        lines.push("...".to_owned());
    }
    lines.join("\n")
}

/// Returns whether the same few functions call each other over and over.
pub(super) fn is_runaway(frames: &[String]) -> bool {
    let Some(innermost) = frames.first() else { return false };
    let again = frames.iter().filter(|frame| *frame == innermost).count();
    frames.len() > MAX_SHOWN_FRAMES && again * 4 >= frames.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_machinery_of_a_panic_is_left_out() {
        let end = "std::sys::backtrace::__rust_end_short_backtrace::<f>";
        let panicked =
            ["abort", end, "__rustc::rust_begin_unwind", "core::panicking::panic", "mine", "main"];
        assert_eq!(text(&frames(&panicked)), "at mine\nat main");
        assert_eq!(text(&frames(&["mine", "main"])), "at mine\nat main");
    }

    #[test]
    fn a_long_backtrace_is_cut() {
        let lines = text(&vec!["f".to_owned(); MAX_SHOWN_FRAMES + 1]);
        assert_eq!(lines.lines().count(), MAX_SHOWN_FRAMES + 1);
        assert!(lines.ends_with("..."));
    }

    #[test]
    fn recursion_is_told_from_a_deep_call() {
        assert!(is_runaway(&frames(&["even", "odd"].repeat(20))));
        let deep: Vec<_> = (0..40).map(|depth| format!("f{depth}")).collect();
        assert!(!is_runaway(&deep) && !is_runaway(&frames(&["f"])) && !is_runaway(&[]));
    }
}
