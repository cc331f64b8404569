//! The report of a test run: text, JSON and JUnit XML.

use std::fmt::Write as _;
use std::time::Duration;

use ophost_document::text::truncate_chars;
use serde_json::{Value, json};

use super::pattern::Difference;
use super::runner::{CheckResult, PartDifferences, Verdict};
use super::suite::Test;
use crate::output::{DIM, ERROR, EscapedLine, NAME, OK};
use crate::run::log_line;

/// Maximum number of printed differences of one part.
const MAX_DIFFERENCES: usize = 20;
/// Maximum number of printed characters of a value.
const MAX_VALUE: usize = 300;
/// Number of equal characters that are printed before the first different one.
const CONTEXT: usize = 40;
/// Maximum number of printed log entries.
const MAX_LOG: usize = 50;

/// Numbers of a test run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Summary {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) updated: usize,
    pub(super) not_run: usize,
    pub(super) filtered_out: usize,
    pub(super) duration: Duration,
}

impl Summary {
    pub(super) fn is_ok(&self) -> bool {
        self.failed == 0
    }

    pub(super) fn text(&self) -> String {
        let Self { passed, failed, updated, not_run, filtered_out, duration } = self;
        let result = match self.is_ok() {
            true => format!("{OK}ok{OK:#}"),
            false => format!("{ERROR}FAILED{ERROR:#}"),
        };
        let optional = [(updated, "updated"), (not_run, "not run"), (filtered_out, "filtered out")];
        let optional = optional.iter().filter(|(count, _)| **count > 0);
        let optional: String = optional.map(|(count, name)| format!("; {count} {name}")).collect();
        let seconds = duration.as_secs_f64();
        format!(
            "test result: {result}. {passed} passed; {failed} failed{optional}; finished in \
             {seconds:.2}s\n"
        )
    }
}

/// Returns the line of one check.
pub(super) fn line(test: &Test<'_>, result: &CheckResult, is_updated: bool) -> String {
    let verdict = match &result.verdict {
        Verdict::Passed => format!("{OK}ok{OK:#}"),
        Verdict::Failed(_) if is_updated => format!("{OK}updated{OK:#}"),
        Verdict::Failed(_) | Verdict::Error(_) => format!("{ERROR}FAILED{ERROR:#}"),
    };
    format!("test {} ... {verdict}\n", EscapedLine(&test.full_name()))
}

/// Returns the details of a failed check.
pub(super) fn details(test: &Test<'_>, result: &CheckResult) -> String {
    let file = test.file.path.display().to_string();
    let mut text = format!(
        "---- {NAME}{}{NAME:#} {DIM}({}){DIM:#}\n",
        EscapedLine(&test.full_name()),
        EscapedLine(&file)
    );
    match &result.verdict {
        Verdict::Passed => {}
        Verdict::Error(problem) => {
            let _ = writeln!(text, "{ERROR}error{ERROR:#}: {}", EscapedLine(problem));
        }
        Verdict::Failed(parts) => parts.iter().for_each(|part| add_part(&mut text, part)),
    }
    let log = result.actual.as_ref().map(|actual| actual.log.as_slice()).unwrap_or_default();
    if !log.is_empty() {
        text.push_str("log:\n");
        let omitted = log.len().saturating_sub(MAX_LOG);
        if omitted > 0 {
            let _ = writeln!(text, "  {DIM}{omitted} earlier entries{DIM:#}");
        }
        for entry in &log[omitted..] {
            text.push_str("  ");
            log_line(&mut text, entry);
        }
    }
    text.push('\n');
    text
}

fn add_part(text: &mut String, part: &PartDifferences) {
    let _ = writeln!(text, "{}:", part.part);
    if part.part == "failure"
        && let [Difference { expected: None, actual: Some(error), .. }] =
            part.differences.as_slice()
    {
        return add_failure(text, error);
    }
    differences(text, &part.differences);
}

/// Adds differences: `-` is the expected value, `+` the actual one.
pub(crate) fn differences(text: &mut String, differences: &[Difference]) {
    for difference in differences.iter().take(MAX_DIFFERENCES) {
        let Difference { path, expected, actual } = difference;
        let path = if path.is_empty() { String::new() } else { format!("{}: ", EscapedLine(path)) };
        let (expected, actual) = (expected.as_ref().map(shown), actual.as_ref().map(shown));
        let skipped = match (&expected, &actual) {
            (Some(expected), Some(actual)) => equal_start(expected, actual),
            _ => 0,
        };
        if let Some(value) = expected {
            let _ =
                writeln!(text, "  {ERROR}- {path}{}{ERROR:#}", EscapedLine(&cut(&value, skipped)));
        }
        if let Some(value) = actual {
            let _ = writeln!(text, "  {OK}+ {path}{}{OK:#}", EscapedLine(&cut(&value, skipped)));
        }
    }
    if let Some(more) = differences.len().checked_sub(MAX_DIFFERENCES).filter(|more| *more > 0) {
        let _ = writeln!(text, "  {DIM}and {more} more; use `--json` to print all{DIM:#}");
    }
}

/// Adds the error of a run that was expected to succeed, with its stack.
fn add_failure(text: &mut String, error: &Value) {
    let field = |name| error.get(name).and_then(Value::as_str);
    let kind = field("code").or(field("kind")).unwrap_or_default();
    let message = EscapedLine(field("message").unwrap_or_default());
    let _ = writeln!(text, "  {OK}+ {}: {message}{OK:#}", EscapedLine(kind));
    for name in ["violations", "details"] {
        let items = error.get(name).map(|value| match value {
            Value::Array(items) => items.iter().map(ToString::to_string).collect(),
            other => vec![other.to_string()],
        });
        for item in items.iter().flatten().take(MAX_DIFFERENCES) {
            let _ = writeln!(text, "    {}", EscapedLine(&truncate_chars(item, MAX_VALUE)));
        }
    }
    for line in field("traceback").into_iter().flat_map(str::lines) {
        let _ = writeln!(text, "    {DIM}{}{DIM:#}", EscapedLine(line));
    }
}

fn shown(value: &Value) -> String {
    value.to_string()
}

/// Returns the number of characters that long values omit, because they are equal.
fn equal_start(expected: &str, actual: &str) -> usize {
    let equal = expected.chars().zip(actual.chars()).take_while(|(one, other)| one == other);
    equal.count().saturating_sub(CONTEXT)
}

fn cut(value: &str, skipped: usize) -> String {
    if value.chars().count() <= MAX_VALUE || skipped == 0 {
        return truncate_chars(value, MAX_VALUE);
    }
    let rest: String = value.chars().skip(skipped).collect();
    format!("...{}", truncate_chars(&rest, MAX_VALUE))
}

/// Returns a check as JSON.
pub(super) fn as_json(test: &Test<'_>, result: &CheckResult, updated: &[&str]) -> Value {
    let status = match &result.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) if !updated.is_empty() => "updated",
        Verdict::Failed(_) => "failed",
        Verdict::Error(_) => "error",
    };
    let duration = u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX);
    let mut json = json!({
        "operation": test.operation(),
        "name": test.name(),
        "file": test.file.path.display().to_string(),
        "status": status,
        "duration_ms": duration,
    });
    match &result.verdict {
        Verdict::Passed => return json,
        Verdict::Error(problem) => json["message"] = json!(problem),
        Verdict::Failed(parts) => {
            let differences = parts.iter().flat_map(|part| {
                part.differences.iter().map(|difference| difference_as_json(part.part, difference))
            });
            json["differences"] = differences.collect();
        }
    }
    if !updated.is_empty() {
        json["updated"] = json!(updated);
    }
    if let Some(actual) = &result.actual {
        json["log"] = json!(actual.log);
    }
    json
}

fn difference_as_json(part: &str, difference: &Difference) -> Value {
    let mut json = json!({"part": part, "path": difference.path});
    if let Some(expected) = &difference.expected {
        json["expected"] = expected.clone();
    }
    if let Some(actual) = &difference.actual {
        json["actual"] = actual.clone();
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_before_their_first_difference() {
        let long = |end: &str| json!(format!("{}{end}", "x".repeat(1000)));
        let difference = Difference {
            path: "a.b".to_owned(),
            expected: Some(long("1")),
            actual: Some(long("2")),
        };
        let mut text = String::new();
        differences(&mut text, &[difference]);
        let text = anstream::adapter::strip_str(&text).to_string();
        let equal = "x".repeat(CONTEXT);
        assert_eq!(text, format!("  - a.b: ...{equal}1\"\n  + a.b: ...{equal}2\"\n"));
    }
}
