//! `ophost config show`: shows every setting with its value and source.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use ophost::CompilerBackend;
use ophost::config::{
    Config, PartialLimits, RequestedIndex, RetentionSettings, RunRetentionSettings, Source,
    Sourced, SourcedLimits,
};
use ophost::document::CollectionName;

use super::error::CliError;
use super::output;
use super::settings;
use super::table::{Overflow, table};

#[derive(Debug, Args)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum ConfigCommand {
    /// Show every setting with its value and source.
    #[command(after_help = NOTES)]
    Show,
}

const NOTES: &str = "\
Sources, highest precedence first: flag, environment variable, `ophost.toml`, default. The file is
read from the current directory or its nearest parent that has one.

Variables: OPHOST_PLUGINS (directories separated by `:`), OPHOST_DATA, OPHOST_CACHE, OPHOST_TRUST
(words separated by `,`), OPHOST_RECORD, OPHOST_TIMEOUT, OPHOST_MEMORY, OPHOST_OUTPUT,
OPHOST_EFFECTS, OPHOST_LOG, OPHOST_COMPILE_MEMORY, OPHOST_COMPILE_TIME, OPHOST_COMPILE_COMPILER,
OPHOST_RETENTION_MAX_AGE, OPHOST_RETENTION_MAX_RUNS, OPHOST_RETENTION_HISTORY_MAX_AGE.";

pub(super) fn run(args: &ConfigArgs, config: &Config, json: bool) -> Result<ExitCode, CliError> {
    let ConfigCommand::Show = args.command;
    settings::warn_about_ignored(config);
    settings::warn_about_plugins(config);
    let rows = rows(config);
    if json {
        output::json(&as_json(config, &rows))?;
    } else {
        let width = output::width();
        let cells: Vec<_> = rows.iter().map(Row::cells).collect();
        output::stdout(&format!("{}\n{}", head(config), table(&cells, 0, Overflow::Wrap, width)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Seconds of a day.
const DAY: u64 = 24 * 3600;

/// A row of the table of settings.
struct Row {
    key: String,
    /// The value in JSON: seconds, bytes, a path, or a list of paths or words.
    value: Value,
    text: String,
    source: Source,
}

impl Row {
    fn cells(&self) -> [String; 3] {
        [self.key.clone(), self.text.clone(), self.source.to_string()]
    }

    fn time(key: String, it: &Sourced<Duration>) -> Self {
        let text = match it.value.as_secs() {
            // Months and years of `humantime` are not a whole number of days.
            seconds @ DAY.. if it.value.subsec_nanos() == 0 && seconds.is_multiple_of(DAY) => {
                format!("{}d", seconds / DAY)
            }
            _ => humantime::format_duration(it.value).to_string(),
        };
        Self { key, value: json!(it.value.as_secs_f64()), text, source: it.source.clone() }
    }

    fn size(key: String, it: &Sourced<u64>) -> Self {
        let text = ByteSize(it.value).to_string();
        Self { key, value: json!(it.value), text, source: it.source.clone() }
    }

    fn as_json(&self) -> Value {
        let mut row = json!({"key": self.key, "value": self.value});
        match &self.source {
            Source::Flag(name) => row["source"] = json!({"kind": "flag", "name": name}),
            Source::Variable(name) => row["source"] = json!({"kind": "variable", "name": name}),
            Source::File { file, line } => {
                let file = file.display().to_string();
                row["source"] = json!({"kind": "file", "file": file, "line": line});
            }
            Source::Untrusted { file } => {
                let file = file.display().to_string();
                row["source"] = json!({"kind": "untrusted", "file": file});
            }
            Source::Default => row["source"] = json!({"kind": "default"}),
        }
        row
    }
}

fn rows(config: &Config) -> Vec<Row> {
    let show = |path: &PathBuf| path.display().to_string();
    let plugins: Vec<_> = config.plugins.value.iter().map(show).collect();
    let data = show(&config.data.value);
    let rule = config.record.value.as_str();
    let (text, source) = (plugins.join(", "), config.plugins.source.clone());
    let mut rows = vec![
        Row { key: "plugins".into(), value: json!(plugins), text, source },
        Row {
            key: "data".into(),
            value: json!(data),
            text: data,
            source: config.data.source.clone(),
        },
        cache(config),
        trust(config),
        Row {
            key: "record".into(),
            value: json!(rule),
            text: rule.to_owned(),
            source: config.record.source.clone(),
        },
    ];
    rows.extend(limit_rows("limits", &config.limits));
    rows.extend(limit_rows("limits.max", &config.maxima));
    let (compile, sources) = (config.compile, config.compile_sources.clone());
    let memory = Sourced { value: compile.memory, source: sources.memory };
    rows.push(Row::size("compile.memory".into(), &memory));
    let time = Sourced { value: compile.time, source: sources.time };
    rows.push(Row::time("compile.time".into(), &time));
    rows.push(compiler(config));
    rows.extend(retention_rows(&config.retention));
    for (name, settings) in &config.operations {
        rows.extend(operation_limit_rows(&format!("operations.{name}"), &settings.defaults));
        rows.extend(operation_limit_rows(&format!("operations.{name}.max"), &settings.maxima));
    }
    rows.extend(config.collections.iter().map(|(name, settings)| indexes(name, &settings.indexes)));
    rows
}

fn cache(config: &Config) -> Row {
    let Sourced { value, source } = config.cache_directory();
    let path = value.display().to_string();
    Row { key: "cache".into(), value: json!(path), text: path, source }
}

fn compiler(config: &Config) -> Row {
    let (name, source) = match &config.compiler {
        Some(compiler) => (compiler.value.as_str(), compiler.source.clone()),
        None => (CompilerBackend::default().as_str(), Source::Default),
    };
    Row { key: "compile.compiler".into(), value: json!(name), text: name.to_owned(), source }
}

fn trust(config: &Config) -> Row {
    let words = config.trust.value.words();
    let text = if words.is_empty() { "owner only".to_owned() } else { words.join(", ") };
    Row { key: "trust".into(), value: json!(words), text, source: config.trust.source.clone() }
}

fn indexes(collection: &CollectionName, indexes: &Sourced<Vec<RequestedIndex>>) -> Row {
    let text = |RequestedIndex { field, unique }: &RequestedIndex| match unique {
        true => format!("{field} (unique)"),
        false => field.to_string(),
    };
    let json = |it: &RequestedIndex| json!({"field": it.field, "unique": it.unique});
    Row {
        key: format!("collections.{collection}.indexes"),
        value: indexes.value.iter().map(json).collect(),
        text: indexes.value.iter().map(text).collect::<Vec<_>>().join(", "),
        source: indexes.source.clone(),
    }
}

fn limit_rows(key: &str, limits: &SourcedLimits) -> [Row; 5] {
    [
        Row::time(format!("{key}.timeout"), &limits.timeout),
        Row::size(format!("{key}.memory"), &limits.memory),
        Row::size(format!("{key}.output"), &limits.output),
        Row::size(format!("{key}.effects"), &limits.effects),
        Row::size(format!("{key}.log"), &limits.log),
    ]
}

fn operation_limit_rows(key: &str, limits: &PartialLimits) -> Vec<Row> {
    let size = |name, it: &Option<Sourced<u64>>| {
        it.as_ref().map(|it| Row::size(format!("{key}.{name}"), it))
    };
    let timeout = limits.timeout.as_ref().map(|it| Row::time(format!("{key}.timeout"), it));
    let sizes = [
        ("memory", &limits.memory),
        ("output", &limits.output),
        ("effects", &limits.effects),
        ("log", &limits.log),
    ];
    timeout.into_iter().chain(sizes.into_iter().filter_map(|(name, it)| size(name, it))).collect()
}

/// Returns the general limits of retention, and those of a status that are set.
fn retention_rows(settings: &RetentionSettings) -> Vec<Row> {
    let unlimited = |key: &str| Row {
        key: key.to_owned(),
        value: Value::Null,
        text: "none".to_owned(),
        source: Source::Default,
    };
    let or_unlimited =
        |row: Option<Row>, key: &str| row.unwrap_or_else(|| unlimited(&format!("retention.{key}")));
    let (max_age, max_runs) = run_retention_rows("retention", &settings.runs);
    let history = settings.history_max_age.as_ref();
    let history = history.map(|it| Row::time("retention.history_max_age".into(), it));
    let mut rows = vec![
        or_unlimited(max_age, "max_age"),
        or_unlimited(max_runs, "max_runs"),
        or_unlimited(history, "history_max_age"),
    ];
    let statuses = [
        ("success", &settings.success),
        ("failed", &settings.failed),
        ("cancelled", &settings.cancelled),
    ];
    for (name, own) in statuses.iter().filter_map(|(name, own)| Some((name, own.as_ref()?))) {
        let (max_age, max_runs) = run_retention_rows(&format!("retention.{name}"), own);
        rows.extend(max_age.into_iter().chain(max_runs));
    }
    rows
}

fn run_retention_rows(table: &str, limits: &RunRetentionSettings) -> (Option<Row>, Option<Row>) {
    let count = |it: &Sourced<u64>| Row {
        key: format!("{table}.max_runs"),
        value: json!(it.value),
        text: it.value.to_string(),
        source: it.source.clone(),
    };
    let max_age = limits.max_age.as_ref().map(|it| Row::time(format!("{table}.max_age"), it));
    (max_age, limits.max_runs.as_ref().map(count))
}

fn head(config: &Config) -> String {
    let file = match &config.file {
        Some(file) => file.path.display().to_string(),
        None => "none".to_owned(),
    };
    let rows =
        [["project".to_owned(), config.project.display().to_string()], ["file".to_owned(), file]];
    table(&rows, 0, Overflow::Wrap, None)
}

fn as_json(config: &Config, rows: &[Row]) -> Value {
    let file = config.file.as_ref().map(|file| {
        json!({
            "path": file.path.display().to_string(),
            "trusted": config.untrusted.is_none(),
            "ignored": file.ignored,
        })
    });
    json!({
        "project": config.project.display().to_string(),
        "file": file,
        "settings": rows.iter().map(Row::as_json).collect::<Vec<_>>(),
    })
}
