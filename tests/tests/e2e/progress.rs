//! The progress bar of `ophost run`.

use crate::harness::Project;
use crate::terminal;

#[test]
fn a_terminal_sees_how_far_a_run_is_until_it_ends() {
    let project = Project::with_rust(&["misbehave"]);
    let command =
        project.command(&["run", "misbehave.item_errors", "count=200000", "--json", "--no-record"]);
    let (text, code) = terminal::run(command, 100);
    assert_eq!(code, Some(0));
    assert!(text.contains("/200000 "), "{}", &text[..text.len().min(2_000)]);
    assert!(text.contains("/s ") && text.contains(" left  item "), "{text}");
    // The line of the bar is taken away before the result is printed.
    let (bars, _) = text.split_once("\"run_id\"").expect("the result");
    assert!(bars.trim_end_matches(['{', '\r', '\n', ' ']).ends_with("\u{1b}[2K"), "{bars:?}");
}

#[test]
fn a_bar_is_drawn_a_few_times_however_often_a_guest_reports() {
    let project = Project::with_rust(&["misbehave"]);
    let command = project.command(&["run", "misbehave.item_errors", "count=200000"]);
    let (text, _) = terminal::run(command, 100);
    assert!(text.len() < 100_000, "{} bytes", text.len());
}

#[test]
fn a_pipe_sees_no_bar() {
    let project = Project::with_rust(&["misbehave"]);
    insta::assert_snapshot!(project.run(&["run", "misbehave.item_errors", "count=1"]), @r#"
    {"count":1}
    ---- stderr
    warning: 1 item failed
      0 "item 0": item 0 is broken
    "#);
}

#[test]
fn a_run_that_reports_nothing_draws_nothing() {
    let project = Project::with_rust(&["text"]);
    // On a busy machine compiling takes so long that it is shown.
    project.run(&["list"]);
    let command = project.command(&["run", "slugify", "text=x"]);
    let (text, _) = terminal::run(command, 100);
    assert_eq!(text.replace("\r\n", "\n"), "{\n  \"slug\": \"x\"\n}\n");
}

#[test]
fn the_log_is_printed_above_the_bar() {
    let project = Project::with_rust(&["misbehave"]);
    let steps = ["run", "-v", "misbehave.steps", "steps=40", "total=true"];
    let (text, code) = terminal::run(project.command(&steps), 100);
    assert_eq!((text.matches("log of step ").count(), code), (40, Some(0)));
    assert!(text.contains("/40 ") && text.contains(" left  stepping"), "{text}");
    // Each line of the log begins where a line of the bar was taken away.
    let logged = text.split("log of step 39").next().unwrap_or_default();
    let (_, line) = logged.rsplit_once('\n').unwrap_or_default();
    assert!(line.contains("\u{1b}[2K"), "{line:?}");
}

#[test]
fn a_run_of_unknown_length_has_a_spinner() {
    let project = Project::with_rust(&["misbehave"]);
    let command = project.command(&["run", "misbehave.steps", "steps=40"]);
    let (text, code) = terminal::run(command, 100);
    assert!(text.contains("/s  stepping") && !text.contains(" left "), "{text}");
    assert_eq!(code, Some(0));
}
