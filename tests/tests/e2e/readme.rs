//! The documentation: links lead to files and headings, and examples print the output they show.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{OPHOST, Project};
use crate::terminal;

/// Width of the terminal in which the examples run.
const COLUMNS: u16 = 100;
/// First words of examples that build something; other tests build plugins and the command.
const BUILDS: [&str; 2] = ["cargo ", "ophost build "];
/// Stands for any number of lines in the output of an example.
const OMISSION: &str = "...";
/// Units of durations, which differ from run to run.
const UNITS: [&str; 4] = ["ns", "µs", "ms", "s"];

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// Returns the paths of the READMEs with examples and of the pages in `docs`, relative to the
/// repository.
fn pages() -> Vec<PathBuf> {
    let files = fs::read_dir(top().join("docs")).expect("the folder of pages");
    let names = files.map(|file| Path::new("docs").join(file.expect("a file").file_name()));
    let mut pages: Vec<_> =
        names.filter(|name| name.extension().is_some_and(|end| end == "md")).collect();
    pages.extend(["README.md", "plugins/jobs/README.md"].map(PathBuf::from));
    pages.sort();
    pages
}

fn text_of(page: &Path) -> String {
    fs::read_to_string(top().join(page)).unwrap_or_else(|error| panic!("{page:?}: {error}"))
}

/// Returns the lines of a Markdown text that are outside code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    text.split("```").step_by(2).flat_map(str::lines)
}

/// Returns the targets of the links in a Markdown text.
fn links(text: &str) -> Vec<String> {
    let without_code = |line: &str| line.split('`').step_by(2).collect::<String>();
    let paragraphs = prose(text).map(without_code).collect::<Vec<_>>().join(" ");
    let targets = paragraphs.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(ToOwned::to_owned).collect()
}

/// Returns the anchors of the headings in a Markdown text, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// Returns the reason why a link of a page leads nowhere.
fn broken_link(page: &Path, target: &str) -> Option<String> {
    if target.starts_with("https://") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.to_owned(),
        file => page.parent().expect("a folder").join(file),
    };
    if !top().join(&path).exists() {
        return Some(format!("{}: there is no `{file}`", page.display()));
    }
    let is_known = anchor.is_empty() || anchors(&text_of(&path)).contains(anchor);
    (!is_known).then(|| format!("{}: `{file}` has no heading `#{anchor}`", page.display()))
}

/// A command of a page and the output that follows it there.
#[derive(Debug)]
struct Example {
    command: String,
    shown: Vec<String>,
}

impl Example {
    /// Returns whether the page shows a failure, as text or as JSON.
    fn fails(&self) -> bool {
        self.shown.iter().any(|line| line.starts_with("error: ") || line == "  \"error\": {")
    }

    /// Returns whether the command prints the output of one run.
    fn is_run(&self) -> bool {
        self.command.contains("ophost run ") && !self.command.contains("--dry-run")
    }
}

/// Returns the examples of a page, without those that build something.
fn examples(text: &str) -> Vec<Example> {
    let blocks = text.split("```console\n").skip(1).filter_map(|rest| rest.split("```").next());
    let mut examples = Vec::new();
    for block in blocks {
        for line in block.lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                examples.push(Example { command: command.to_owned(), shown: Vec::new() });
            } else {
                let example: &mut Example = examples.last_mut().expect("a command above");
                example.shown.push(line.to_owned());
            }
        }
    }
    let is_build = |command: &str| BUILDS.iter().any(|build| command.starts_with(build));
    examples.into_iter().filter(|example| !is_build(&example.command)).collect()
}

/// Where the examples of a page run: a folder that looks like the repository, with the sample
/// plugins and an empty data directory.
struct Stage {
    project: Project,
    clone: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let project = Project::with_rust(&["text", "csv-profile", "jobs"]);
        symlink(OPHOST, project.path().join("ophost")).expect("a name");
        let clone = project.path().join("clone");
        fs::create_dir(&clone).expect("a folder");
        for name in ["README.md", "plugins"] {
            symlink(top().join(name), clone.join(name)).expect("a name");
        }
        let stage = Self { project, clone };
        // Compiles the plugins, so that no example shows the progress of that.
        let list = stage.project.output(&mut stage.shell("ophost list"));
        assert_eq!(list.code, Some(0), "{list}");
        stage
    }

    fn shell(&self, command: &str) -> Command {
        let path = std::env::var("PATH").expect("a shell is found by it");
        let mut shell = self.project.program("sh", &["-c", command]);
        shell.current_dir(&self.clone);
        shell.env("PATH", format!("{}:{path}", self.project.path().display()));
        shell.env("OPHOST_PLUGINS", self.project.plugins());
        shell.env("OPHOST_DATA", self.project.path().join(".ophost"));
        shell
    }

    /// Runs an example and returns the difference to the page.
    fn check(&self, example: &Example) -> Result<(), String> {
        match example.shown.is_empty() {
            true => self.check_success(example),
            false => self.check_shown(example),
        }
    }

    /// Runs an example without shown output in a pipe.
    fn check_success(&self, example: &Example) -> Result<(), String> {
        let output = self.project.output(&mut self.shell(&example.command));
        let is_object = serde_json::from_str::<serde_json::Map<_, serde_json::Value>>;
        let is_expected = !example.is_run() || is_object(&output.stdout).is_ok();
        match output.code == Some(0) && output.stderr.is_empty() && is_expected {
            true => Ok(()),
            false => Err(format!("$ {}\n{output}", example.command)),
        }
    }

    /// Runs an example in a terminal and compares the output with the page.
    fn check_shown(&self, example: &Example) -> Result<(), String> {
        let command = format!("export TERM=dumb NO_COLOR=1; {}", example.command);
        let (text, code) = terminal::run(self.shell(&command), COLUMNS);
        let actual: Vec<_> = text.lines().map(ToOwned::to_owned).collect();
        let is_expected = (code != Some(0)) == example.fails();
        match is_expected && matches(&example.shown, &actual) {
            true => Ok(()),
            false => Err(format!("$ {}\n{}\n---- exit {code:?}", example.command, text.trim_end())),
        }
    }
}

/// Returns whether lines are those that a page shows.
fn matches(shown: &[String], actual: &[String]) -> bool {
    match shown {
        [] => actual.is_empty(),
        [first, rest @ ..] if first == OMISSION => {
            (0..=actual.len()).any(|omitted| matches(rest, &actual[omitted..]))
        }
        [first, rest @ ..] => actual.split_first().is_some_and(|(line, others)| {
            normalized(first) == normalized(line) && matches(rest, others)
        }),
    }
}

/// Returns a line without ids, times, durations and the width of columns.
fn normalized(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let mut normalized = " ".repeat(indent);
    let mut words = line.split_whitespace().peekable();
    while let Some(word) = words.next() {
        let is_number = word.parse::<f64>().is_ok();
        let has_unit = is_number && words.next_if(|next| UNITS.contains(next)).is_some();
        let hidden = match has_unit || is_duration(word) {
            true => "DURATION".to_owned(),
            false => without_ids(word),
        };
        normalized.push_str(&hidden);
        normalized.push(' ');
    }
    normalized
}

/// Returns whether a word is a number with a unit of time, such as `2ms`.
fn is_duration(word: &str) -> bool {
    let numbers = UNITS.iter().filter_map(|unit| word.strip_suffix(unit));
    numbers.into_iter().any(|number| number.parse::<f64>().is_ok())
}

/// Returns a word with its UUIDs replaced, or `TIME` for a date or a time of day.
fn without_ids(word: &str) -> String {
    let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if ["0000-00-00", "00:00:00", "00:00:00.000"].contains(&shape.as_str()) {
        return "TIME".to_owned();
    }
    let is_part = |c: char| c.is_ascii_hexdigit() || c == '-';
    let pieces = word.split_inclusive(|c| !is_part(c));
    let hide = |piece: &str| match piece.get(..36) {
        Some(id) if id.matches('-').count() == 4 => piece.replacen(id, "ID", 1),
        _ => piece.to_owned(),
    };
    pieces.map(hide).collect()
}

/// Returns the first block of code of a language in a Markdown text.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let (_, rest) = text.split_once(&fence).unwrap_or_else(|| panic!("no block of {language}"));
    rest.split("\n```").next().expect("an end")
}

/// Uses the compiler output of the repository.
fn share_the_target(command: &mut Command) -> &mut Command {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    command.env("CARGO_TARGET_DIR", target)
}

#[test]
fn links_lead_to_files_and_headings() {
    let others = [
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "guest-sdk/README.md",
        "plugins/jobs/cases/README.md",
        "wit/README.md",
    ];
    let pages = pages().into_iter().chain(others.map(PathBuf::from));
    let broken: Vec<_> = pages
        .flat_map(|page| {
            let links = links(&text_of(&page));
            links.into_iter().filter_map(move |link| broken_link(&page, &link))
        })
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn readme_links_every_page() {
    let links = links(&text_of(Path::new("README.md")));
    for page in pages().iter().filter(|page| *page != Path::new("README.md")) {
        assert!(links.contains(&page.display().to_string()), "{}", page.display());
    }
}

#[test]
fn broken_links_are_found() {
    let page = Path::new("docs/cli.md");
    let found = |link| broken_link(page, link).is_some();
    assert!(found("records.txt") && found("cli.md#no-such-heading") && found("#no-such-heading"));
    assert!(!found("../README.md#guarantees") && !found("#exit-codes"));
    assert_eq!(links("[a](b) `[c](d)`\n```\n[e](f)\n```\n[g\nh](i#j)"), ["b", "i#j"]);
}

#[test]
fn examples_of_the_pages_print_the_shown_output() {
    let mut wrong = Vec::new();
    for page in pages() {
        let examples = examples(&text_of(&page));
        let stage = (!examples.is_empty()).then(Stage::new);
        for example in &examples {
            let difference = stage.as_ref().and_then(|stage| stage.check(example).err());
            wrong.extend(difference.map(|text| format!("{}: {text}", page.display())));
        }
    }
    assert!(wrong.is_empty(), "not as the page shows it:\n{}", wrong.join("\n"));
}

#[test]
fn readme_has_examples_with_and_without_output() {
    let examples = examples(&text_of(Path::new("README.md")));
    let with_output = examples.iter().filter(|example| !example.shown.is_empty()).count();
    assert!(with_output >= 4 && examples.len() - with_output >= 4, "{examples:#?}");
}

#[test]
fn settings_of_the_page_are_valid() {
    let page = text_of(Path::new("docs/settings.md"));
    let project = Project::with_rust(&["text"]);
    project.settings(block(&page, "toml"));
    let output = project.run(&["config", "show", "--json"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    let run = project.run(&["run", "slugify", "text=a"]);
    assert_eq!((run.stderr.as_str(), run.code), ("", Some(0)), "{run}");
}

#[test]
fn wrong_output_of_an_example_is_found() {
    let lines = |text: &str| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>();
    let matches = |shown: &str, actual: &str| matches(&lines(shown), &lines(actual));
    let id = "01a225d4-fed5-7443-8ccf-92076f5ea265";
    let other = "01a225d4-fe70-77ad-b986-7ed2e62fb360";
    assert!(matches(&format!("- jobs/{id}"), &format!("- jobs/{other}")));
    assert!(matches("took  405 µs  x", "took  1.2 ms  x") && matches("took 405 µs", "took 2ms"));
    assert!(matches("at 2026-11-29 05:44:05.589", "at 2027-01-02 15:04:59.001"));
    assert!(matches("a\n...\nd", "a\nb\nc\nd"));
    assert!(!matches("a\n...\nd", "a\nb\nc") && !matches("a", "a\nb") && !matches("a\nb", "a"));
    assert!(!matches("  a", "a") && !matches("{\"count\":1}", "{\"count\":2}"));
}

#[test]
fn plugin_of_the_sdk_readme_builds_and_runs() {
    let readme = fs::read_to_string(top().join("guest-sdk/README.md")).expect("the README");
    let project = Project::new();
    let mut transcript = block(&readme, "console").lines();
    let mut next = || transcript.next().expect("a line of the README");

    assert_eq!(next(), "$ ophost new greeter");
    let new = project.run(&["new", "greeter"]);
    assert_eq!(new.code, Some(0), "{new}");

    assert_eq!(next(), "$ cd greeter");
    let directory = project.path().join("greeter");
    fs::write(directory.join("src/lib.rs"), block(&readme, "rust")).expect("a file");

    assert_eq!(next(), "$ ophost build --install");
    let mut build = project.command(&["build", "--install"]);
    let build = project.output(share_the_target(&mut build).current_dir(&directory));
    assert_eq!((build.stdout.as_str(), build.code), ("plugins/greeter.wasm\n", Some(0)), "{build}");

    assert_eq!(next(), "$ ophost run greeter name=World");
    let mut run = project.command(&["run", "greeter", "name=World"]);
    // The first run is warm: there is no time to compile.
    let run = project.output(run.current_dir(&directory).env("OPHOST_COMPILE_TIME", "1ms"));
    assert_eq!(run.stdout.trim_end(), next(), "{run}");
}

#[test]
fn plugin_of_the_sdk_readme_has_at_most_20_lines() {
    let readme = fs::read_to_string(top().join("guest-sdk/README.md")).expect("the README");
    let lines = block(&readme, "rust").lines().filter(|line| !line.trim().is_empty()).count();
    assert!(lines <= 20, "{lines} lines");
}
