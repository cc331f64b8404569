//! `ophost doctor`: checks the environment and suggests fixes.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use bytesize::ByteSize;
use rustix::fs::{Access, access, statvfs};
use serde_json::{Value, json};

use ophost::config::{Config, FILE_NAME};
use ophost::trust::{Exposed, Judge, Purpose, Untrusted, is_on_read_only_mount};
use ophost::{Host, Inspector, LastPrune, RunFilter, RunPage, Status, StoreError};
use ophost_toolchain::ToolchainReport;

use super::documents::incomplete_indexes;
use super::error::{CliError, Exit};
use super::output::{self, ERROR, EscapedLine, HINT, NAME, OK, WARNING, quoted};
use super::settings::{Settings, builder, store_builder};
use super::untrusted::{fix, permit};

/// Free space below which the doctor warns, in bytes.
const LOW_SPACE: u64 = 256 << 20;

/// Free space below which runs cannot be recorded, in bytes.
const MIN_SPACE: u64 = 1 << 20;

/// Size of a store from which the doctor proposes retention, in bytes.
const LARGE_STORE: u64 = 1_000_000_000;

/// Time after which expired data is reported.
const MAX_PRUNE_AGE: Duration = Duration::from_secs(24 * 3600);

/// Maximum number of runs in progress that are counted.
const MAX_RUNNING: usize = 1_000;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// The subject works, but a part of it does not, or it is less safe than possible.
    Warning,
    /// The subject does not work.
    Problem,
}

impl State {
    fn label(self) -> (&'static str, Style) {
        match self {
            Self::Ok => ("ok", OK),
            Self::Warning => ("warning", WARNING),
            Self::Problem => ("problem", ERROR),
        }
    }
}

/// One finding of the doctor.
struct Finding {
    subject: &'static str,
    state: State,
    text: String,
    fix: Option<String>,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, text: text.into(), fix: None }
    }

    fn warning(subject: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { subject, state: State::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    /// Returns a problem. A fix that suggests `ophost doctor` is dropped, because it is running.
    fn problem(subject: &'static str, text: impl Into<String>, fix: Option<String>) -> Self {
        let fix = fix.filter(|fix| !fix.contains("`ophost doctor`"));
        Self { subject, state: State::Problem, text: text.into(), fix }
    }

    fn text(&self) -> String {
        let (label, style) = self.state.label();
        let (subject, text) = (self.subject, EscapedLine(&self.text));
        let mut line = format!("{style}{label:7}{style:#}  {NAME}{subject:11}{NAME:#}  {text}\n");
        if let Some(fix) = &self.fix {
            let _ = writeln!(line, "         {HINT}fix{HINT:#}: {}", EscapedLine(fix));
        }
        line
    }

    fn as_json(&self) -> Value {
        json!({
            "check": self.subject,
            "state": self.state.label().0,
            "text": self.text,
            "fix": self.fix,
        })
    }
}

pub(super) fn run(settings: Settings, json: bool) -> Result<ExitCode, CliError> {
    let findings = check_all(settings);
    let count = |state| findings.iter().filter(|it| it.state == state).count();
    let (warnings, problems) = (count(State::Warning), count(State::Problem));
    if json {
        let findings: Vec<_> = findings.iter().map(Finding::as_json).collect();
        let all = json!({"findings": findings, "warnings": warnings, "problems": problems});
        output::json(&all)?;
    } else {
        let lines: String = findings.iter().map(Finding::text).collect();
        output::stdout(&format!("{lines}\n{}\n", summary(warnings, problems)))?;
    }
    Ok(if problems == 0 { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn summary(warnings: usize, problems: usize) -> String {
    let counted = |count, noun: &str| match count {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    };
    format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning"))
}

fn check_all(settings: Settings) -> Vec<Finding> {
    let mut findings = vec![versions(), sandbox()];
    match settings.silent() {
        Ok(config) => {
            findings.extend(settings_of(&config));
            findings.extend(project_of(&config));
        }
        Err(error) => {
            findings.push(Finding::problem("settings", error.message(), error.hint()));
        }
    }
    findings.extend(rust());
    findings.push(terminal());
    findings
}

fn versions() -> Finding {
    let (engine, contract) = Inspector::VERSIONS;
    let version = env!("CARGO_PKG_VERSION");
    Finding::ok("versions", format!("ophost {version}, wasmtime {engine}, contract {contract}x"))
}

fn sandbox() -> Finding {
    match Inspector::new(&Host::builder()) {
        Ok(_) => Finding::ok("sandbox", "WebAssembly runs on this machine"),
        Err(error) => {
            let error = CliError::from(error);
            let fix = "raise the limits for memory and threads; run `ulimit -a` to show them";
            let fix = error.hint().unwrap_or_else(|| fix.to_owned());
            Finding::problem("sandbox", error.message(), Some(fix))
        }
    }
}

fn settings_of(config: &Config) -> [Finding; 2] {
    let directory = config.project.display();
    let project = if config.is_marked {
        Finding::ok("project", format!("`{directory}`"))
    } else {
        Finding::ok(
            "project",
            format!("`{directory}`: no `{FILE_NAME}` or `.ophost` here or in a parent"),
        )
    };
    [project, settings_file(config)]
}

fn settings_file(config: &Config) -> Finding {
    let subject = "settings";
    // Check the plugin directories too, which commands that need only the data directory ignore.
    if let Err(error) = config.check_trusted(true).map_err(CliError::from) {
        return Finding::problem(subject, error.message(), error.hint());
    }
    match (&config.file, &config.untrusted) {
        (None, _) => Finding::ok(subject, format!("no `{FILE_NAME}`; using the defaults")),
        (Some(file), None) => Finding::ok(subject, format!("`{}`", file.path.display())),
        (Some(file), Some(untrusted)) => {
            let (path, reason) = (file.path.display(), untrusted.reason_for(&file.path));
            let mut text = format!("`{path}` is not trusted: {reason}");
            if !file.ignored.is_empty() {
                let _ = write!(text, "; ignored: {}", file.ignored.join(", "));
            }
            Finding::warning(subject, text, fix(untrusted))
        }
    }
}

/// Checks the plugins, data and cache of the settings, if they are trusted.
fn project_of(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let has_plugins = config.check_trusted(true).is_ok();
    if has_plugins {
        findings.extend(config.plugins.value.iter().map(|path| plugin_directory(path, config)));
    }
    if config.check_trusted(false).is_ok() {
        let data = data_directory(&config.data.value, config);
        let is_usable = data.state != State::Problem;
        findings.push(data);
        if is_usable {
            findings.push(records(config));
            findings.extend(retention(config));
            findings.extend(indexes(config));
        }
        findings.extend(code_cache(config));
    }
    if has_plugins {
        findings.extend(plugins(config));
    }
    findings
}

fn plugin_directory(path: &Path, config: &Config) -> Finding {
    let subject = "plugins";
    let name = path.display();
    let shell = quoted(&name.to_string());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::warning(
                subject,
                format!("`{name}` does not exist"),
                format!("run `mkdir -p {shell}`"),
            );
        }
        Err(error) => return Finding::problem(subject, format!("`{name}`: {error}"), None),
    };
    if !metadata.is_dir() {
        let fix = "pass a directory of `.wasm` files to `--plugins`".to_owned();
        return Finding::problem(subject, format!("`{name}` is not a directory"), Some(fix));
    }
    if access(path, Access::READ_OK | Access::EXEC_OK).is_err() {
        let fix = permit(path, "u+rx");
        return Finding::problem(subject, format!("cannot read `{name}`"), Some(fix));
    }
    match Judge::new(&config.trust.value).exposure(path, &metadata, Purpose::Input) {
        None => Finding::ok(subject, format!("`{name}`")),
        Some(exposed) => {
            Finding::problem(subject, exposed.to_string(), Some(fix(&Untrusted::from(exposed))))
        }
    }
}

fn data_directory(path: &Path, config: &Config) -> Finding {
    let subject = "data";
    let name = path.display();
    let Ok(metadata) = fs::metadata(path) else {
        let parent = existing_parent(path);
        return if access(&parent, Access::WRITE_OK).is_ok() {
            space(&parent, format!("`{name}`, created on first use"))
        } else {
            let fix = format!("{}, or pass another directory to `--data`", permit(&parent, "u+w"));
            Finding::problem(subject, format!("cannot create `{name}`"), Some(fix))
        };
    };
    if !metadata.is_dir() {
        let fix = "pass a directory to `--data`".to_owned();
        return Finding::problem(subject, format!("`{name}` is not a directory"), Some(fix));
    }
    if let Some(untrusted) = untrusted_data(config) {
        // Other users may read the directory: trusted files are in private directories below.
        let is_harmless = |it: &Exposed| it.purpose == Purpose::DataDirectory && it.owner.is_none();
        let (text, fix) = (untrusted.to_string(), fix(&untrusted));
        return match untrusted.paths.iter().all(is_harmless) {
            true => Finding::warning(subject, text, fix),
            false => Finding::problem(subject, text, Some(fix)),
        };
    }
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let (text, fix) = match is_on_read_only_mount(path) {
            true => (
                format!("`{name}` is on a read-only mount"),
                "pass a writable directory to `--data`".to_owned(),
            ),
            false => (format!("cannot write to `{name}`"), permit(path, "u+rwx")),
        };
        return Finding::problem(subject, text, Some(fix));
    }
    space(path, format!("`{name}`"))
}

fn untrusted_data(config: &Config) -> Option<Untrusted> {
    store_builder(config).ok()?.untrusted_data()
}

/// Checks the code cache, to which the trust policy does not apply.
fn code_cache(config: &Config) -> Option<Finding> {
    let problem = store_builder(config).ok()?.code_problem()?;
    let path = quoted(&config.cache_directory().value.display().to_string());
    let fix =
        format!("run `rm -rf {path}` to recompile, or set `OPHOST_CACHE` to another directory");
    Some(Finding::warning("cache", problem, fix))
}

/// Returns the nearest existing parent directory of a path.
fn existing_parent(path: &Path) -> PathBuf {
    let parent = path.ancestors().skip(1).find(|it| it.exists());
    parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn space(path: &Path, text: String) -> Finding {
    let Ok(status) = statvfs(path) else { return Finding::ok("data", text) };
    space_finding(status.f_bavail.saturating_mul(status.f_frsize), &text)
}

fn space_finding(free: u64, text: &str) -> Finding {
    let text = format!("{text}, {} free", ByteSize(free));
    let fix = "free disk space, or pass another directory to `--data`";
    match free {
        ..MIN_SPACE => Finding::problem("data", text, Some(fix.to_owned())),
        MIN_SPACE..LOW_SPACE => Finding::warning("data", text, fix),
        LOW_SPACE.. => Finding::ok("data", text),
    }
}

/// Checks that the store can be read and written, without reading all of its records.
fn records(config: &Config) -> Finding {
    let subject = "records";
    match super::runtime().map_err(CliError::from).and_then(|it| it.block_on(inspect_store(config)))
    {
        Ok((None, _)) => Finding::ok(subject, "none yet"),
        Ok((Some(size), page)) if page.corrupted.is_empty() => {
            let more = if page.next.is_some() { "more than " } else { "" };
            let running = match page.runs.len() {
                0 => "no run in progress".to_owned(),
                1 => "1 run in progress".to_owned(),
                count => format!("{more}{count} runs in progress"),
            };
            let text = format!(
                "{}, {running}; run `ophost store check` to check all records",
                ByteSize(size)
            );
            Finding::ok(subject, text)
        }
        Ok((Some(_), page)) => {
            let text = format!("corrupted: {}", page.corrupted[0]);
            Finding::problem(
                subject,
                text,
                Some("run `ophost store check` to list all corruption".to_owned()),
            )
        }
        Err(CliError::Store(StoreError::ReadOnly(error) | StoreError::Io(error)))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            let (text, fix) = (StoreError::Io(error).to_string(), permission_fix(config));
            Finding::problem(subject, text, fix)
        }
        Err(error) => Finding::problem(subject, error.message(), error.hint()),
    }
}

/// What the doctor knows about retention.
struct RetentionState {
    /// The size of the store, in bytes.
    size: u64,
    /// Whether runs or document changes exceed the retention; `None` without a retention.
    expired: Option<bool>,
    last: Option<LastPrune>,
}

/// Checks whether retention keeps up, and proposes it for a large store.
fn retention(config: &Config) -> Option<Finding> {
    // The finding on the records reports an unreadable store.
    let state = super::runtime().ok()?.block_on(inspect_retention(config)).ok()?;
    retention_finding(&state)
}

async fn inspect_retention(config: &Config) -> Result<RetentionState, CliError> {
    let host = store_builder(config)?.build_without_plugins()?;
    let runs = host.runs().ok_or_else(|| CliError::usage("no data directory is set"))?;
    let (size, policy) = (runs.size()?.unwrap_or(0), config.retention.policy());
    let expired = match policy.is_empty() {
        true => None,
        false => Some(runs.has_expired(&policy).await?),
    };
    Ok(RetentionState { size, expired, last: runs.last_prune().await? })
}

fn retention_finding(state: &RetentionState) -> Option<Finding> {
    let subject = "retention";
    let Some(has_expired) = state.expired else {
        let text = format!("the store has {} and no retention", ByteSize(state.size));
        let fix = format!("set `[retention]` in `{FILE_NAME}`, or run `ophost runs prune`");
        return (state.size >= LARGE_STORE).then(|| Finding::warning(subject, text, fix));
    };
    let age = state.last.map(|last| ophost::clock::now().signed_duration_since(last.at));
    let age = age.map(|age| age.to_std().unwrap_or_default());
    let last = match age {
        None => "never pruned".to_owned(),
        Some(age) => {
            let age = Duration::from_secs(age.as_secs());
            format!("last pruned {} ago", humantime::format_duration(age))
        }
    };
    let is_late = age.is_none_or(|age| age > MAX_PRUNE_AGE)
        || state.last.is_some_and(|last| !last.is_complete);
    if has_expired && is_late {
        let text = format!("{last}; some data exceeds the retention");
        return Some(Finding::warning(subject, text, "run `ophost runs prune`"));
    }
    Some(Finding::ok(subject, last))
}

/// Returns a warning if indexes that the settings request are not complete.
fn indexes(config: &Config) -> Option<Finding> {
    let host = store_builder(config).ok()?.build_without_plugins().ok()?;
    // The check of the records reports an unreadable store.
    let known = super::runtime().ok()?.block_on(host.indexes()?.list()).ok()?;
    let incomplete = incomplete_indexes(&known, config);
    let names = incomplete.iter().map(|it| format!("`{}` of `{}`", it.field, it.collection));
    let text = format!("requested, but not built: {}", names.collect::<Vec<_>>().join(", "));
    let fix = "run `ophost documents index sync` to build them";
    (!incomplete.is_empty()).then(|| Finding::warning("indexes", text, fix))
}

/// Returns the command that gives this user the permissions that the store needs.
fn permission_fix(config: &Config) -> Option<String> {
    let directory = config.data.value.join("store");
    let file = directory.join(ophost::STORE_FILE);
    if access(&directory, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Some(permit(&directory, "u+rwx"));
    }
    let is_denied = access(&file, Access::READ_OK | Access::WRITE_OK).is_err();
    is_denied.then(|| permit(&file, "u+rw"))
}

/// Returns the size of the store, in bytes, and the runs in progress.
async fn inspect_store(config: &Config) -> Result<(Option<u64>, RunPage), CliError> {
    let host = store_builder(config)?.build_without_plugins()?;
    let runs = host.runs().ok_or_else(|| CliError::usage("no data directory is set"))?;
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    let page = runs.list(&running, None, MAX_RUNNING).await?;
    // Do not write to a corrupted store.
    if page.corrupted.is_empty() {
        runs.probe_write().await?;
    }
    Ok((runs.size()?, page))
}

fn plugins(config: &Config) -> Vec<Finding> {
    let host = match load(config) {
        Ok(host) => host,
        Err(error) => {
            return vec![Finding::problem("operations", error.message(), error.hint())];
        }
    };
    let mut findings = vec![operations(&host)];
    let catalog = host.catalog();
    let unknown = config.operations.keys().filter(|name| catalog.get(name.as_str()).is_none());
    findings.extend(unknown.map(|name| {
        let text = format!("`[operations.{name}]` is not the name of an operation");
        Finding::warning("settings", text, "run `ophost list` to list the names")
    }));
    findings
}

fn load(config: &Config) -> Result<Host, CliError> {
    Ok(super::runtime()?.block_on(builder(config)?.build())?)
}

fn operations(host: &Host) -> Finding {
    let catalog = host.catalog();
    let (known, rejected) = (catalog.operations().count(), catalog.rejected().count());
    let files = if rejected == 1 { "file" } else { "files" };
    let text = format!("{known} available; {rejected} plugin {files} rejected");
    match (known, rejected) {
        (0, 0) => Finding::ok("operations", "none yet"),
        (_, 0) => Finding::ok("operations", format!("{known} available")),
        (_, _) => Finding::warning(
            "operations",
            text,
            match catalog.untrusted() {
                Some(untrusted) => {
                    format!("{}; run `ophost plugins` to show details", fix(&untrusted))
                }
                None => "run `ophost plugins` to show the reasons".to_owned(),
            },
        ),
    }
}

fn rust() -> [Finding; 2] {
    let ToolchainReport { rust, rustup, targets } = ophost_toolchain::probe(Path::new("."));
    let only = "needed only by `ophost build`";
    let found = match (&rust, &rustup) {
        (Ok(rust), Some(rustup)) => Finding::ok("rust", format!("{rust}; {rustup}")),
        (Ok(rust), None) => Finding::ok("rust", format!("{rust}; no rustup")),
        (Err(error), _) => Finding::warning(
            "rust",
            format!("{error}; {only}"),
            "install Rust with rustup, https://rustup.rs",
        ),
    };
    let target = match targets.split_first() {
        Some((first, [])) => Finding::ok("wasm target", format!("builds use {first}")),
        Some((first, rest)) => Finding::ok(
            "wasm target",
            format!("builds use {first}, or else {}", rest.join(", or else ")),
        ),
        None => Finding::warning(
            "wasm target",
            format!("not installed; {only}"),
            "run `rustup target add wasm32-wasip2`",
        ),
    };
    [found, target]
}

fn terminal() -> Finding {
    let width = match output::width() {
        Some(width) => format!("{width} columns"),
        None if io::stdout().is_terminal() => "of unknown width".to_owned(),
        None => "none; plain text, JSON on one line".to_owned(),
    };
    let colour = match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never if env::var_os("NO_COLOR").is_some() => "off by `NO_COLOR`",
        ColorChoice::Never => "off",
        ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => "on",
    };
    Finding::ok("terminal", format!("{width}; colours {colour}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_proposed_for_a_large_store_and_reported_if_it_is_set() {
        let finding = |state: RetentionState| retention_finding(&state).map(|it| it.text());
        let none = RetentionState { size: LARGE_STORE - 1, expired: None, last: None };
        assert_eq!(finding(none), None);
        let large = RetentionState { size: LARGE_STORE, expired: None, last: None };
        let text = retention_finding(&large).unwrap();
        assert_eq!(
            (text.state, text.text.as_str()),
            (State::Warning, "the store has 953.7 MiB and no retention")
        );
        let at = |days| LastPrune {
            at: ophost::clock::now() - chrono::TimeDelta::days(days),
            is_complete: true,
        };
        let state = |is_expired, last| {
            let state = RetentionState { size: 0, expired: Some(is_expired), last };
            retention_finding(&state).unwrap().state
        };
        assert_eq!(state(false, None), State::Ok);
        assert_eq!(state(true, Some(at(0))), State::Ok);
        assert_eq!(state(true, None), State::Warning);
        assert_eq!(state(true, Some(at(2))), State::Warning);
        let unfinished = LastPrune { is_complete: false, ..at(0) };
        assert_eq!(state(true, Some(unfinished)), State::Warning);
    }

    #[test]
    fn low_space_is_a_warning_and_insufficient_space_is_a_problem() {
        let states = [0, MIN_SPACE - 1, MIN_SPACE, LOW_SPACE - 1, LOW_SPACE]
            .map(|free| space_finding(free, "`it`").state);
        let (problem, warning) = (State::Problem, State::Warning);
        assert_eq!(states, [problem, problem, warning, warning, State::Ok]);
        assert_eq!(space_finding(3 << 10, "`it`").text, "`it`, 3.0 KiB free");
    }
}
