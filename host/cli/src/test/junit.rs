//! The report of a test run as JUnit XML.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use anstream::adapter::strip_str;
use quick_xml::events::BytesText;
use quick_xml::writer::Writer;

use super::report;
use super::runner::{CheckResult, Verdict};
use super::suite::Test;
use crate::atomic_file::AtomicFile;

/// Mode of the file, from which the system subtracts the umask.
const MODE: u32 = 0o666;

/// A check with its result.
type Row<'t> = (&'t Test<'t>, CheckResult);

/// Writes a report with one test suite for each operation.
///
/// # Errors
///
/// Returns the error of the operating system if the file cannot be written.
pub(super) fn write(file: &Path, results: &[Row<'_>], duration: Duration) -> io::Result<()> {
    let mut file = AtomicFile::with_mode(file, MODE)?;
    file.write_all(&xml(results, duration)?)?;
    file.persist()
}

fn xml(results: &[Row<'_>], duration: Duration) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new_with_indent(Vec::new(), b' ', 2);
    writer.get_mut().extend(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let root = writer.create_element("testsuites");
    let root = root.with_attributes(counts("ophost", results, duration).iter().map(pair));
    let suites = results.chunk_by(|(one, _), (other, _)| one.operation() == other.operation());
    root.write_inner_content(|writer| suites.into_iter().try_for_each(|rows| suite(writer, rows)))?;
    writer.get_mut().push(b'\n');
    Ok(writer.into_inner())
}

fn suite(writer: &mut Writer<Vec<u8>>, rows: &[Row<'_>]) -> io::Result<()> {
    let Some((first, _)) = rows.first() else { return Ok(()) };
    let duration = rows.iter().map(|(_, result)| result.duration).sum();
    let element = writer.create_element("testsuite");
    let element =
        element.with_attributes(counts(first.operation(), rows, duration).iter().map(pair));
    element.write_inner_content(|writer| rows.iter().try_for_each(|row| case(writer, row)))?;
    Ok(())
}

/// Returns the attributes of a group of checks.
fn counts(name: &str, rows: &[Row<'_>], duration: Duration) -> [(&'static str, String); 5] {
    let count = |is: fn(&Verdict) -> bool| {
        rows.iter().filter(|(_, result)| is(&result.verdict)).count().to_string()
    };
    [
        ("name", name.to_owned()),
        ("tests", rows.len().to_string()),
        ("failures", count(|verdict| matches!(verdict, Verdict::Failed(_)))),
        ("errors", count(|verdict| matches!(verdict, Verdict::Error(_)))),
        ("time", seconds(duration)),
    ]
}

fn case(writer: &mut Writer<Vec<u8>>, (test, result): &Row<'_>) -> io::Result<()> {
    let name = valid(test.name());
    let attributes = [
        ("name", name.into_owned()),
        ("classname", test.operation().to_owned()),
        ("file", valid(&test.file.path.display().to_string()).into_owned()),
        ("time", seconds(result.duration)),
    ];
    let element = writer.create_element("testcase").with_attributes(attributes.iter().map(pair));
    let (kind, message) = match &result.verdict {
        Verdict::Passed => return element.write_empty().map(drop),
        Verdict::Failed(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| part.part).collect();
            ("failure", format!("different: {}", parts.join(", ")))
        }
        Verdict::Error(problem) => ("error", problem.clone()),
    };
    let details = strip_str(&report::details(test, result)).to_string();
    element.write_inner_content(|writer| {
        let attributes = [("message", valid(&message).into_owned())];
        let element = writer.create_element(kind).with_attributes(attributes.iter().map(pair));
        element.write_text_content(BytesText::new(&valid(&details))).map(drop)
    })?;
    Ok(())
}

fn pair<'a>((name, value): &'a (&'static str, String)) -> (&'a str, &'a str) {
    (name, value)
}

fn seconds(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64())
}

/// Replaces the control characters that XML does not allow.
fn valid(text: &str) -> Cow<'_, str> {
    let is_invalid = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..);
    let is_invalid = |c: char| is_invalid(c) || matches!(c, '\u{fffe}' | '\u{ffff}');
    if text.contains(is_invalid) {
        text.replace(is_invalid, "\u{fffd}").into()
    } else {
        text.into()
    }
}
