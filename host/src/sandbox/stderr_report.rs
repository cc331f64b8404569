//! Finds the message and the stack in what a guest wrote to stderr before it trapped.
//!
//! Most languages report an uncaught exception, a panic or a failed assertion on stderr and then
//! trap or exit. The trap itself says nothing about the cause.

use std::collections::VecDeque;

/// Maximum number of stored lines. The last lines are stored.
const MAX_LINES: usize = 64;
/// Maximum size of all stored lines, in bytes. The last line is stored in any case.
const MAX_BYTES: usize = 16 << 10;

/// Part of the line before the stack of a Python exception.
const PYTHON: &str = "Traceback (most recent call last):";
/// The lines between the stacks of two Python exceptions, of which one caused the other.
const PYTHON_CHAINS: [&str; 2] = [
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
];
/// Starts of the first line of a Go panic.
const GO: [&str; 2] = ["panic: ", "fatal error: "];
/// Start and part of the first line of a Rust panic.
const RUST: (&str, &str) = ("thread '", " panicked at ");

/// The last lines of stderr.
#[derive(Default)]
pub(super) struct StderrTail {
    lines: VecDeque<String>,
    bytes: usize,
}

impl StderrTail {
    /// Adds a line. Removes the first lines if there are too many.
    pub(super) fn push(&mut self, line: &str) {
        let line = line.trim_end();
        self.bytes += line.len();
        self.lines.push_back(line.to_owned());
        while self.lines.len() > 1 && (self.lines.len() > MAX_LINES || self.bytes > MAX_BYTES) {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }

    /// Removes all lines.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns the message and the lines that belong to it. Returns `None` without lines.
    pub(super) fn report(&self) -> Option<StderrReport> {
        let lines: Vec<_> = self.lines.iter().map(String::as_str).collect();
        let end = lines.iter().rposition(|line| !line.is_empty())? + 1;
        let lines = &lines[..end];
        Some(
            python(lines)
                .or_else(|| rust(lines))
                .or_else(|| go(lines))
                .unwrap_or_else(|| other(lines)),
        )
    }
}

/// A report on stderr of why a guest trapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StderrReport {
    pub(super) message: String,
    /// The message with its stack, as the guest wrote them.
    pub(super) text: String,
}

impl StderrReport {
    fn new(message: impl Into<String>, lines: &[&str]) -> Self {
        Self { message: message.into(), text: lines.join("\n") }
    }
}

/// A Python exception: the message is the first line after its stack that is not indented. A panic
/// of the interpreter, which is written in Rust, is not part of the report.
fn python(lines: &[&str]) -> Option<StderrReport> {
    let is_heading = |line: &&str| line.starts_with(PYTHON);
    let mut start = lines.iter().rposition(is_heading)?;
    let message = lines[start + 1..].iter().find(|line| !is_indented(line))?;
    // The stacks of the exceptions that caused this one are before it.
    while let Some(chain) = lines[..start].iter().rposition(|line| !line.is_empty())
        && PYTHON_CHAINS.contains(&lines[chain])
        && let Some(cause) = lines[..chain].iter().rposition(is_heading)
    {
        start = cause;
    }
    let end = lines[start..].iter().position(|line| is_rust_panic(line));
    let mut report = &lines[start..end.map_or(lines.len(), |end| start + end)];
    while let [rest @ .., ""] = report {
        report = rest;
    }
    Some(StderrReport::new(*message, report))
}

fn is_rust_panic(line: &str) -> bool {
    line.starts_with(RUST.0) && line.contains(RUST.1)
}

/// A Rust panic of the standard library: the message is the place and the line after it.
fn rust(lines: &[&str]) -> Option<StderrReport> {
    let start = lines.iter().rposition(|line| is_rust_panic(line))?;
    let (_, place) = lines[start].split_once(RUST.1)?;
    let reason = lines.get(start + 1).copied().unwrap_or_default();
    let message = format!("panicked at {place} {reason}");
    Some(StderrReport::new(message.trim_end(), &lines[start..]))
}

/// A Go panic: the message is its first line.
fn go(lines: &[&str]) -> Option<StderrReport> {
    let start = lines.iter().rposition(|line| GO.iter().any(|start| line.starts_with(start)))?;
    Some(StderrReport::new(lines[start], &lines[start..]))
}

/// Any other report: the message is the last line that does not belong to a stack.
fn other(lines: &[&str]) -> StderrReport {
    let is_message = |line: &&str| !line.is_empty() && !is_stack(line);
    let start = lines.iter().rposition(is_message).unwrap_or(0);
    StderrReport::new(lines[start].trim_start(), &lines[start..])
}

fn is_indented(line: &str) -> bool {
    line.starts_with([' ', '\t']) || line.is_empty()
}

/// Returns whether a line is a frame, as `    at f (a.js:1:2)` and `f@a.js:1:2`, or belongs to one.
fn is_stack(line: &str) -> bool {
    is_indented(line) || line == "Stack:" || is_location(line)
}

/// Returns whether a line is a frame of SpiderMonkey: a function and a place with line and column.
fn is_location(line: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = line.rsplitn(3, ':');
    let (column, row, rest) = (parts.next(), parts.next(), parts.next());
    column.is_some_and(is_number)
        && row.is_some_and(is_number)
        && rest.is_some_and(|rest| rest.contains('@') && !rest.contains(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report_of(text: &str) -> StderrReport {
        let mut tail = StderrTail::default();
        text.lines().for_each(|line| tail.push(line));
        tail.report().unwrap()
    }

    /// Asserts the message of a report that begins after `before`.
    fn assert_found(before: &str, report: &str, message: &str) {
        let found = report_of(&format!("{before}{report}"));
        assert_eq!((found.message.as_str(), found.text.as_str()), (message, report.trim_end()));
    }

    #[test]
    fn message_of_a_python_exception_is_after_its_stack() {
        let report = "Traceback (most recent call last):
  File \"/0/app.py\", line 86, in invoke
    return orders[name]
           ~~~~~~^^^^^^
KeyError: 'nothing'";
        assert_found("loading\n", report, "KeyError: 'nothing'");
        let several_lines = format!("{report}\nsecond line\n  third line\n");
        assert_found("", &several_lines, "KeyError: 'nothing'");
        let panic = "\n\nthread '<unnamed>' (1) panicked at runtime/src/lib.rs:1293:29:\n\
            Python function threw an unexpected exception\n";
        let found = report_of(&format!("{report}{panic}"));
        assert_eq!((found.message.as_str(), found.text.as_str()), ("KeyError: 'nothing'", report));
    }

    #[test]
    fn chained_python_exceptions_are_one_report() {
        let report = "Traceback (most recent call last):
  File \"/0/app.py\", line 3, in load
    return int(text)
ValueError: invalid literal for int() with base 10: 'x'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/0/app.py\", line 9, in invoke
    raise RuntimeError(\"no number\") from error
RuntimeError: no number";
        let handled =
            "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nOSError: 1\n";
        assert_found(handled, report, "RuntimeError: no number");
    }

    #[test]
    fn message_of_a_go_panic_is_its_first_line() {
        let report = "panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.total(...)
\t/src/shop/op.go:66
main.invoke({0x1c2c0, 0xb}, {0x1c2d0, 0x2})
\t/src/shop/op.go:41 +0x1d
exit status 2";
        assert_found(
            "starting\n",
            report,
            "panic: runtime error: index out of range [5] with length 3",
        );
        assert_found(
            "",
            "fatal error: out of memory\n\nruntime stack:\n",
            "fatal error: out of memory",
        );
    }

    #[test]
    fn message_of_a_rust_panic_is_like_that_of_the_sdk() {
        let report = "thread '<unnamed>' (1) panicked at src/lib.rs:7:5:
boom
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace";
        assert_found("\n", report, "panicked at src/lib.rs:7:5: boom");
    }

    #[test]
    fn message_of_a_javascript_error_is_before_its_stack() {
        let quickjs = "TypeError: cannot read property 'there' of undefined
    at boom (/shop.js:67:68)
    at invoke (/shop.js:80)";
        assert_found("a\n", quickjs, "TypeError: cannot read property 'there' of undefined");
        let spidermonkey = "Error: nothing there
Stack:
  boom@shop.js:67:9
invoke@shop.js:80:16
@shop.js:1:1";
        assert_found("a\n", spidermonkey, "Error: nothing there");
    }

    #[test]
    fn message_of_another_report_is_its_last_line() {
        let assertion = "Assertion failed: x > 0 (app.c: total: 12)";
        assert_found("reading\nadding\n", assertion, assertion);
        let cpp = "libc++abi: terminating due to uncaught exception of type Empty: no items";
        assert_found("", cpp, cpp);
        assert_found("", "   indented only", "indented only");
    }

    #[test]
    fn only_the_last_lines_are_stored() {
        let mut tail = StderrTail::default();
        assert_eq!(tail.report(), None);
        for number in 0..1_000 {
            tail.push(&format!("  {number}"));
        }
        assert_eq!(tail.lines.len(), MAX_LINES);
        assert!(tail.report().unwrap().text.ends_with("\n  999"));
        tail.push(&"x".repeat(MAX_BYTES + 1));
        assert_eq!(tail.lines.len(), 1);
        tail.clear();
        tail.push("");
        assert_eq!(tail.report(), None);
    }
}
