//! The progress bar of `ophost run`.

use crate::harness::Project;
use crate::terminal;

#[test]
fn progress_bar_is_shown_on_a_terminal_until_the_run_ends() {
    let project = Project::with_rust(&["misbehave"]);
    let command =
        project.command(&["run", "misbehave.item_errors", "count=200000", "--json", "--no-record"]);
    let (text, code) = terminal::run(command, 100);
    assert_eq!(code, Some(0));
    assert!(text.contains("/200000 "), "{}", &text[..text.len().min(2_000)]);
    assert!(text.contains("/s ") && text.contains(" left  item "), "{text}");
    // The line of the bar is cleared before the result is printed.
    let (bars, _) = text.split_once("\"run_id\"").expect("the result");
    assert!(bars.trim_end_matches(['{', '\r', '\n', ' ']).ends_with("\u{1b}[2K"), "{bars:?}");
}

#[test]
fn progress_bar_is_rate_limited() {
    let project = Project::with_rust(&["misbehave"]);
    let command = project.command(&["run", "misbehave.item_errors", "count=200000"]);
    let (text, _) = terminal::run(command, 100);
    assert!(text.len() < 100_000, "{} bytes", text.len());
}

#[test]
fn no_progress_bar_in_a_pipe() {
    let project = Project::with_rust(&["misbehave"]);
    insta::assert_snapshot!(project.run(&["run", "misbehave.item_errors", "count=1"]), @r#"
    {"count":1}
    ---- stderr
    warning: 1 item failed
      0 "item 0": item 0 is broken
    "#);
}

#[test]
fn no_progress_bar_without_progress_reports() {
    let project = Project::with_rust(&["text"]);
    // Compile the plugin now, because slow compilation shows a progress line.
    project.run(&["list"]);
    let command = project.command(&["run", "slugify", "text=x"]);
    let (text, _) = terminal::run(command, 100);
    assert_eq!(text.replace("\r\n", "\n"), "{\n  \"slug\": \"x\"\n}\n");
}

#[test]
fn log_is_printed_above_the_progress_bar() {
    let project = Project::with_rust(&["misbehave"]);
    let steps = ["run", "-v", "misbehave.steps", "steps=40", "total=true"];
    let (text, code) = terminal::run(project.command(&steps), 100);
    assert_eq!((text.matches("log of step ").count(), code), (40, Some(0)));
    assert!(text.contains("/40 ") && text.contains(" left  stepping"), "{text}");
    // Each line of the log replaces a cleared line of the bar.
    let logged = text.split("log of step 39").next().unwrap_or_default();
    let (_, line) = logged.rsplit_once('\n').unwrap_or_default();
    assert!(line.contains("\u{1b}[2K"), "{line:?}");
}

#[test]
fn progress_without_a_total_shows_a_spinner() {
    let project = Project::with_rust(&["misbehave"]);
    let command = project.command(&["run", "misbehave.steps", "steps=40"]);
    let (text, code) = terminal::run(command, 100);
    assert!(text.contains("/s  stepping") && !text.contains(" left "), "{text}");
    assert_eq!(code, Some(0));
}
