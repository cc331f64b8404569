//! What could come next on a command line, for shells.
//!
//! Nothing here speaks or fails: where anything is wrong or slow, nothing is offered. Words
//! that a shell would read as more than a word are not offered either: a plugin chooses the
//! names of its fields and values, and they end up on the user's command line.

use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;
use std::time::Duration;

use chrono::Local;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use serde_json::Value;

use super::Cli;
use super::escape::is_safe;
use super::field_path::{self, escaped};
use super::output::{EscapedLine, first_paragraph};
use super::settings::{Settings, builder, store_builder};
use super::shape::{Field, Node};
use super::timeout::run_with_timeout;
use ophost::Catalog;
use ophost::RunFilter;
use ophost::RunSummary;
use ophost_document::text;

/// How much of a description is offered, in characters.
const MAX_HELP: usize = 80;
/// How many candidates are offered.
const MAX_CANDIDATES: usize = 200;
/// How many runs are offered.
const NEWEST: usize = 20;

/// How long somebody who pressed a key is kept waiting. Only plugins that were never compiled
/// take that long.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(3);

/// As much of a command line as candidates depend on.
#[derive(Debug, Default)]
struct Words {
    settings: Settings,
    /// The operation.
    name: Option<String>,
    /// The fields that are there already.
    fields: Vec<String>,
}

impl Words {
    /// Reads the words behind `--`, which a shell puts there, as far as they can be read.
    fn read() -> Self {
        let words = env::args_os().skip_while(|word| word != "--").skip(1);
        let command = Cli::command().ignore_errors(true);
        let Ok(matches) = command.try_get_matches_from(words) else { return Self::default() };
        let Some((_, inner)) = matches.subcommand() else { return Self::default() };
        let name = inner.try_get_one::<String>("name").ok().flatten().cloned();
        let fields = inner.try_get_many::<String>("fields").ok().flatten();
        let shell = Backslashes::of_shell();
        let fields = fields.into_iter().flatten().map(|word| shell.read(word)).collect();
        let settings = Settings::from_arg_matches(inner).unwrap_or_default();
        Self { settings, name, fields }
    }
}

/// Returns the names of all operations.
pub(super) fn operations() -> Vec<CompletionCandidate> {
    let Some(catalog) = catalog(Words::read().settings) else { return Vec::new() };
    let known = catalog.operations().take(MAX_CANDIDATES);
    known.map(|it| candidate(it.operation.name.as_str(), &it.operation.description)).collect()
}

/// Returns the names of the collections that hold documents.
pub(super) fn collections() -> Vec<CompletionCandidate> {
    let settings = Words::read().settings;
    let collections = run_with_timeout(COMPLETION_TIMEOUT, move || {
        let host = store_builder(&settings.silent().ok()?).ok()?.build_without_plugins().ok()?;
        super::runtime().ok()?.block_on(host.documents()?.collections()).ok()
    });
    let known = collections.flatten().unwrap_or_default().into_iter().take(MAX_CANDIDATES);
    let documents = |count: u64| if count == 1 { "document" } else { "documents" };
    let help = |count| format!("{count} {}", documents(count));
    known.map(|(name, count)| candidate(name.as_str(), &help(count))).collect()
}

/// Returns `latest` and the ids of the newest runs.
pub(super) fn runs() -> Vec<CompletionCandidate> {
    let settings = Words::read().settings;
    let page = run_with_timeout(COMPLETION_TIMEOUT, move || {
        let host = store_builder(&settings.silent().ok()?).ok()?.build_without_plugins().ok()?;
        let newest = async { host.runs()?.list(&RunFilter::default(), None, NEWEST).await.ok() };
        super::runtime().ok()?.block_on(newest)
    });
    let known = page.flatten().map(|page| page.runs).unwrap_or_default();
    let latest = known.first().map(|run| candidate("latest", &run_help(run)));
    let ids = known.iter().map(|run| candidate(&run.id.to_string(), &run_help(run)));
    latest.into_iter().chain(ids).collect()
}

fn run_help(run: &RunSummary) -> String {
    let time = run.started_at.unwrap_or(run.created_at).with_timezone(&Local);
    format!("{} {} {}", run.operation_name, run.status, time.format("%Y-%m-%d %H:%M:%S"))
}

/// Returns the fields of the operation that the command line names, or the values of the field
/// that is being written.
pub(super) fn fields(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    if let Some((field, file)) = current.split_once("=@") {
        return files(&format!("{field}=@"), file);
    }
    let words = Words::read();
    let Some(name) = words.name else { return Vec::new() };
    let Some(catalog) = catalog(words.settings) else { return Vec::new() };
    let Some(known) = catalog.get(&name) else { return Vec::new() };
    let schema = &known.operation.input_schema;
    let shell = Backslashes::of_shell();
    let written = shell.read(current);
    let offered = match written.split_once('=') {
        Some((field, _)) => values(&Node::whole(schema), field),
        None => names(&Node::whole(schema), &written, &words.fields),
    };
    let offered = offered.into_iter().filter_map(|it| shell.write(it));
    let fits = |it: &CompletionCandidate| it.get_value().to_string_lossy().starts_with(current);
    offered.filter(fits).take(MAX_CANDIDATES).collect()
}

/// What the shell that asks makes of backslashes. The engine of completions has no place for it.
static SHELL: OnceLock<Backslashes> = OnceLock::new();

/// Says which shell asks.
pub(super) fn asked_by(shell: &OsStr) {
    let backslashes = match shell.to_str() {
        Some("bash") => Backslashes::Doubled,
        Some("fish") => Backslashes::Own,
        _ => Backslashes::Unknown,
    };
    // There is one in a process.
    SHELL.set(backslashes).ok();
}

/// What a shell makes of backslashes, which stand before a dot in a name.
#[derive(Clone, Copy, Debug)]
enum Backslashes {
    /// It passes words on as they are typed, and inserts candidates so: each is doubled.
    Doubled,
    /// It removes and adds its own.
    Own,
    /// Not known.
    Unknown,
}

impl Backslashes {
    fn of_shell() -> Self {
        SHELL.get().copied().unwrap_or(Self::Unknown)
    }

    fn read(self, word: &str) -> String {
        match self {
            Self::Doubled => word.replace(r"\\", r"\"),
            Self::Own | Self::Unknown => word.to_owned(),
        }
    }

    /// Returns a candidate as the shell wants it, if that is known.
    fn write(self, candidate: CompletionCandidate) -> Option<CompletionCandidate> {
        let value = candidate.get_value().to_str()?;
        match self {
            _ if !value.contains('\\') => Some(candidate),
            Self::Own => Some(candidate),
            Self::Doubled => {
                let doubled = value.replace('\\', r"\\");
                Some(CompletionCandidate::new(doubled).help(candidate.get_help().cloned()))
            }
            Self::Unknown => None,
        }
    }
}

/// Returns what `--input` takes: `-`, or a file.
pub(super) fn inputs(current: &OsStr) -> Vec<CompletionCandidate> {
    match current.to_str().map(|current| current.strip_prefix('@')) {
        Some(Some(file)) => files("@", file),
        Some(None) => {
            let help = |text: &str| Some(text.to_owned().into());
            let file = CompletionCandidate::new("@").help(help("a file"));
            vec![file, CompletionCandidate::new("-").help(help("stdin"))]
        }
        None => Vec::new(),
    }
}

fn files(before: &str, current: &str) -> Vec<CompletionCandidate> {
    let paths = PathCompleter::any().complete(OsStr::new(current)).into_iter();
    let offered = paths.filter(|it| it.get_value().to_str().is_some_and(is_one_word));
    offered.take(MAX_CANDIDATES).map(|it| it.add_prefix(before)).collect()
}

/// Returns directories of which a shell shows the name as it stands.
pub(super) fn directories(current: &OsStr) -> Vec<CompletionCandidate> {
    let paths = PathCompleter::dir().complete(current).into_iter();
    paths.filter(|it| it.get_value().to_str().is_some_and(is_safe)).collect()
}

/// Returns what there is to run, if that is known soon enough.
fn catalog(settings: Settings) -> Option<Catalog> {
    run_with_timeout(COMPLETION_TIMEOUT, move || {
        let config = settings.silent().ok()?;
        let host = super::runtime().ok()?.block_on(builder(&config).ok()?.build()).ok()?;
        Some(host.catalog())
    })?
}

/// Returns the fields as `name=`, those that are required first and those that the command
/// line has already last, since only lists take more.
fn names(schema: &Node<'_>, current: &str, rest: &[String]) -> Vec<CompletionCandidate> {
    let path = field_path::path(current);
    let above = path.split_last().map_or(&[][..], |(_, above)| above);
    let prefix: String = above.iter().map(|name| format!("{}.", escaped(name))).collect();
    let is_given = |field: &Field<'_>| {
        let is_same = |word: &String| {
            field_path::word(word).is_some_and(|word| {
                word.path.split_last().is_some_and(|(name, all)| name == field.name && all == above)
            })
        };
        rest.iter().any(is_same) && !takes(&field.node, "array")
    };
    let fields = schema.field(above).fields();
    let open = fields.iter().filter(|field| !is_given(field));
    let offered = open.filter(|field| is_field_name(field.name));
    offered.map(|field| name_candidate(&prefix, field)).collect()
}

fn name_candidate(prefix: &str, field: &Field<'_>) -> CompletionCandidate {
    let has_inner = takes(&field.node, "object") && !field.node.fields().is_empty();
    let end = if has_inner { '.' } else { '=' };
    let start = if field.is_required { "required. " } else { "" };
    let help = format!("{start}{}", field.node.description());
    candidate(&format!("{prefix}{}{end}", escaped(field.name)), &help)
}

fn takes(node: &Node<'_>, name: &str) -> bool {
    node.types().contains(&name)
}

fn is_field_name(name: &str) -> bool {
    is_one_word(name) && !name.contains(['=', ':', '@']) && !name.starts_with('-')
}

/// Returns `field=value` for each value that the schema names.
fn values(schema: &Node<'_>, field: &str) -> Vec<CompletionCandidate> {
    let node = schema.field(&field_path::path(field.trim_end_matches(':')));
    let node = if takes(&node, "array") { node.items() } else { node };
    let (choices, types) = node.choices();
    let mut texts: Vec<String> = choices.into_iter().map(text).collect();
    if types.contains(&"boolean") {
        texts.extend(["true".to_owned(), "false".to_owned()]);
    }
    let words = texts.into_iter().filter(|value| is_one_word(value));
    words.map(|value| CompletionCandidate::new(format!("{field}={value}"))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns whether every shell reads a text as one word, and shows it as it stands.
fn is_one_word(text: &str) -> bool {
    !text.is_empty()
        && is_safe(text)
        && text.chars().all(|c| c.is_alphanumeric() || "_-./:=@%+,".contains(c))
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    let line = text::truncate_chars(&first_paragraph(help), MAX_HELP);
    let help = (!line.is_empty()).then(|| EscapedLine(&line).to_string().into());
    CompletionCandidate::new(OsString::from(value)).help(help)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(candidates: &[CompletionCandidate]) -> Vec<String> {
        candidates.iter().map(|it| it.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn what_a_shell_would_run_is_never_offered() {
        let schema = json!({"properties": {
            "good": {"enum": ["a", "$(reboot)", "b c", "`x`", "d;e", "f\n", "é"]},
            "x;reboot": {}, "$(x)": {}, "a b": {}, "-rf": {},
        }});
        let node = Node::whole(&schema);
        assert_eq!(shown(&names(&node, "", &[])), ["good="]);
        assert_eq!(shown(&values(&node, "good")), ["good=a", "good=é"]);
    }

    #[test]
    fn objects_are_reached_into_and_lists_take_more() {
        let schema = json!({"properties": {
            "place": {"type": "object", "properties": {"city": {}}},
            "tags": {"type": "array", "items": {"enum": ["x"]}},
            "on": {"type": "boolean"},
        }});
        let node = Node::whole(&schema);
        let given = ["tags=x".to_owned(), "on=true".to_owned()];
        assert_eq!(shown(&names(&node, "", &given)), ["place.", "tags="]);
        assert_eq!(shown(&names(&node, "place.c", &given)), ["place.city="]);
        assert_eq!(shown(&values(&node, "tags")), ["tags=x"]);
        assert_eq!(shown(&values(&node, "on")), ["on=true", "on=false"]);
    }
}
