//! Completion candidates for arguments.
//!
//! No function prints or fails. If an error occurs or loading takes too long, the candidates are
//! empty. A plugin chooses the names of its fields and values, and they are inserted into the
//! user's command line. So candidates that a shell would not read as one plain word are left out.

use std::env;
use std::ffi::{OsStr, OsString};
use std::sync::OnceLock;
use std::time::Duration;

use chrono::Local;
use clap::{CommandFactory, FromArgMatches};
use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter};
use serde_json::Value;

use ophost::{Catalog, RunFilter, RunSummary};
use ophost_document::text;

use super::super::Cli;
use super::super::escape::is_safe;
use super::super::field_path::{self, escape};
use super::super::output::{EscapedLine, first_paragraph};
use super::super::schema_view::{Field, Node};
use super::super::settings::{Settings, builder, store_builder};
use super::super::timeout::run_with_timeout;

/// The maximum length of the help of a candidate, in characters.
const MAX_HELP: usize = 80;
/// The maximum number of candidates.
const MAX_CANDIDATES: usize = 200;
/// The maximum number of runs among the candidates.
const MAX_RUNS: usize = 20;

/// How long loading may take. Only plugins that are not in the code cache take this long.
const COMPLETION_TIMEOUT: Duration = Duration::from_secs(3);

/// The parts of the command line that candidates depend on.
#[derive(Debug, Default)]
struct CommandLine {
    settings: Settings,
    /// The name of the operation.
    name: Option<String>,
    /// The fields that are already given.
    fields: Vec<String>,
}

impl CommandLine {
    /// Reads the words that the shell passes after `--`, and ignores errors in them.
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
pub(crate) fn operations() -> Vec<CompletionCandidate> {
    let Some(catalog) = catalog(CommandLine::read().settings) else { return Vec::new() };
    let known = catalog.operations().take(MAX_CANDIDATES);
    known.map(|it| candidate(it.operation.name.as_str(), &it.operation.description)).collect()
}

/// Returns the names of the files of all plugins.
pub(crate) fn plugins() -> Vec<CompletionCandidate> {
    let Some(catalog) = catalog(CommandLine::read().settings) else { return Vec::new() };
    let plugins = catalog.plugins();
    let names = plugins.iter().filter_map(|plugin| plugin.file().file_name()?.to_str());
    let offered = names.filter(|name| is_one_word(name)).take(MAX_CANDIDATES);
    offered.map(|name| candidate(name, "")).collect()
}

/// Returns the names of the collections that hold documents.
pub(crate) fn collections() -> Vec<CompletionCandidate> {
    let settings = CommandLine::read().settings;
    let collections = run_with_timeout(COMPLETION_TIMEOUT, move || {
        let host = store_builder(&settings.silent().ok()?).ok()?.build_without_plugins().ok()?;
        crate::runtime().ok()?.block_on(host.documents()?.collections()).ok()
    });
    let known = collections.flatten().unwrap_or_default().into_iter().take(MAX_CANDIDATES);
    let documents = |count: u64| if count == 1 { "document" } else { "documents" };
    let help = |count| format!("{count} {}", documents(count));
    known.map(|(name, count)| candidate(name.as_str(), &help(count))).collect()
}

/// Returns the fields that have an index, in any collection.
pub(crate) fn index_fields() -> Vec<CompletionCandidate> {
    let settings = CommandLine::read().settings;
    let indexes = run_with_timeout(COMPLETION_TIMEOUT, move || {
        let host = store_builder(&settings.silent().ok()?).ok()?.build_without_plugins().ok()?;
        crate::runtime().ok()?.block_on(host.indexes()?.list()).ok()
    });
    let known = indexes.flatten().unwrap_or_default().into_iter().take(MAX_CANDIDATES);
    let fields = known.map(|index| (index.field.to_string(), index.collection.to_string()));
    fields
        .filter(|(field, _)| is_one_word(field))
        .map(|(field, of)| candidate(&field, &of))
        .collect()
}

/// Returns `latest` and the ids of the newest runs.
pub(crate) fn runs() -> Vec<CompletionCandidate> {
    let settings = CommandLine::read().settings;
    let page = run_with_timeout(COMPLETION_TIMEOUT, move || {
        let host = store_builder(&settings.silent().ok()?).ok()?.build_without_plugins().ok()?;
        let newest = async { host.runs()?.list(&RunFilter::default(), None, MAX_RUNS).await.ok() };
        crate::runtime().ok()?.block_on(newest)
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

/// Returns the fields of the operation on the command line, or the values of the current field.
pub(crate) fn fields(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    if let Some((field, file)) = current.split_once("=@") {
        return files(&format!("{field}=@"), file);
    }
    let line = CommandLine::read();
    let Some(name) = line.name else { return Vec::new() };
    let Some(catalog) = catalog(line.settings) else { return Vec::new() };
    let Some(known) = catalog.get(&name) else { return Vec::new() };
    let schema = &known.operation.input_schema;
    let shell = Backslashes::of_shell();
    let written = shell.read(current);
    let offered = match written.split_once('=') {
        Some((field, _)) => values(&Node::new(schema), field),
        None => names(&Node::new(schema), &written, &line.fields),
    };
    let offered = offered.into_iter().filter_map(|it| shell.write(it));
    let fits = |it: &CompletionCandidate| it.get_value().to_string_lossy().starts_with(current);
    offered.filter(fits).take(MAX_CANDIDATES).collect()
}

/// How the requesting shell treats backslashes. The completion engine does not pass this on.
static SHELL: OnceLock<Backslashes> = OnceLock::new();

/// Sets the requesting shell.
pub(super) fn set_shell(shell: &OsStr) {
    let backslashes = match shell.to_str() {
        Some("bash") => Backslashes::Doubled,
        Some("fish") => Backslashes::ByShell,
        _ => Backslashes::Unknown,
    };
    // Each process answers one request, so the value is not set yet.
    SHELL.set(backslashes).ok();
}

/// How a shell treats backslashes, which escape dots in field names.
#[derive(Clone, Copy, Debug)]
enum Backslashes {
    /// The shell passes words as typed and inserts candidates unchanged, so each is doubled.
    Doubled,
    /// The shell removes and adds backslashes itself.
    ByShell,
    /// The behaviour of the shell is unknown.
    Unknown,
}

impl Backslashes {
    fn of_shell() -> Self {
        SHELL.get().copied().unwrap_or(Self::Unknown)
    }

    fn read(self, word: &str) -> String {
        match self {
            Self::Doubled => word.replace(r"\\", r"\"),
            Self::ByShell | Self::Unknown => word.to_owned(),
        }
    }

    /// Returns a candidate in the form that the shell inserts; `None` if the form is unknown.
    fn write(self, candidate: CompletionCandidate) -> Option<CompletionCandidate> {
        let value = candidate.get_value().to_str()?;
        match self {
            _ if !value.contains('\\') => Some(candidate),
            Self::ByShell => Some(candidate),
            Self::Doubled => {
                let doubled = value.replace('\\', r"\\");
                Some(CompletionCandidate::new(doubled).help(candidate.get_help().cloned()))
            }
            Self::Unknown => None,
        }
    }
}

/// Returns the values of `--input`: `-` or a file.
pub(crate) fn inputs(current: &OsStr) -> Vec<CompletionCandidate> {
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

/// Returns directories whose names are safe to show on a terminal.
pub(crate) fn directories(current: &OsStr) -> Vec<CompletionCandidate> {
    let paths = PathCompleter::dir().complete(current).into_iter();
    paths.filter(|it| it.get_value().to_str().is_some_and(is_safe)).collect()
}

/// Returns the catalog; `None` if it cannot be loaded within [`COMPLETION_TIMEOUT`].
fn catalog(settings: Settings) -> Option<Catalog> {
    run_with_timeout(COMPLETION_TIMEOUT, move || {
        let config = settings.silent().ok()?;
        let host = crate::runtime().ok()?.block_on(builder(&config).ok()?.build()).ok()?;
        Some(host.catalog())
    })?
}

/// Returns the fields as `name=`, required fields first. A field that is already given is left
/// out, unless it is a list, which takes more values.
fn names(schema: &Node<'_>, current: &str, rest: &[String]) -> Vec<CompletionCandidate> {
    let path = field_path::parse_path(current);
    let parent = path.split_last().map_or(&[][..], |(_, parent)| parent);
    let prefix: String = parent.iter().map(|name| format!("{}.", escape(name))).collect();
    let is_given = |field: &Field<'_>| {
        let is_same = |word: &String| {
            field_path::parse(word).is_some_and(|word| {
                word.path
                    .split_last()
                    .is_some_and(|(name, all)| name == field.name && all == parent)
            })
        };
        rest.iter().any(is_same) && !accepts(&field.node, "array")
    };
    let fields = schema.field(parent).fields();
    let missing = fields.iter().filter(|field| !is_given(field));
    let offered = missing.filter(|field| is_field_name(field.name));
    offered.map(|field| name_candidate(&prefix, field)).collect()
}

fn name_candidate(prefix: &str, field: &Field<'_>) -> CompletionCandidate {
    let has_inner = accepts(&field.node, "object") && !field.node.fields().is_empty();
    let end = if has_inner { '.' } else { '=' };
    let start = if field.is_required { "required. " } else { "" };
    let help = format!("{start}{}", field.node.description());
    candidate(&format!("{prefix}{}{end}", escape(field.name)), &help)
}

fn accepts(node: &Node<'_>, name: &str) -> bool {
    node.types().contains(&name)
}

fn is_field_name(name: &str) -> bool {
    is_one_word(name) && !name.contains(['=', ':', '@']) && !name.starts_with('-')
}

/// Returns `field=value` for each value that the schema lists.
fn values(schema: &Node<'_>, field: &str) -> Vec<CompletionCandidate> {
    let node = schema.field(&field_path::parse_path(field.trim_end_matches(':')));
    let node = if accepts(&node, "array") { node.items() } else { node };
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

/// Returns whether every shell reads a text as one word and shows it unchanged.
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
    fn candidates_with_shell_syntax_are_excluded() {
        let schema = json!({"properties": {
            "good": {"enum": ["a", "$(reboot)", "b c", "`x`", "d;e", "f\n", "é"]},
            "x;reboot": {}, "$(x)": {}, "a b": {}, "-rf": {},
        }});
        let node = Node::new(&schema);
        assert_eq!(shown(&names(&node, "", &[])), ["good="]);
        assert_eq!(shown(&values(&node, "good")), ["good=a", "good=é"]);
    }

    #[test]
    fn fields_of_objects_and_given_lists_are_offered() {
        let schema = json!({"properties": {
            "place": {"type": "object", "properties": {"city": {}}},
            "tags": {"type": "array", "items": {"enum": ["x"]}},
            "on": {"type": "boolean"},
        }});
        let node = Node::new(&schema);
        let given = ["tags=x".to_owned(), "on=true".to_owned()];
        assert_eq!(shown(&names(&node, "", &given)), ["place.", "tags="]);
        assert_eq!(shown(&names(&node, "place.c", &given)), ["place.city="]);
        assert_eq!(shown(&values(&node, "tags")), ["tags=x"]);
        assert_eq!(shown(&values(&node, "on")), ["on=true", "on=false"]);
    }
}
