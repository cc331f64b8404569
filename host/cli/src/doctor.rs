//! `ophost doctor`: whether everything is as it should be here, and what to do where not.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use bytesize::ByteSize;
use ophost_toolchain::ToolchainReport;
use rustix::fs::{Access, access, statvfs};
use serde_json::{Value, json};

use super::error::{CliError, Exit};
use super::output::{self, ERROR, EscapedLine, HINT, NAME, OK, WARNING, quoted};
use super::settings::{Settings, builder, store_builder};
use super::untrusted::{fix, permit};
use ophost::Status;
use ophost::config::{Config, FILE_NAME};
use ophost::trust::{Exposed, Judge, Purpose, Untrusted, is_on_read_only_mount};
use ophost::{self, RunFilter, RunPage, StoreError};
use ophost::{Host, Inspector};

/// Less free space than this is worth a warning, in bytes.
const LITTLE_SPACE: u64 = 256 << 20;

/// With less free space than this runs are no longer recorded, in bytes.
const NO_SPACE: u64 = 1 << 20;

/// How many running runs are counted.
const MAX_RUNNING: usize = 1_000;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    /// It works, but not all of it, or not as safely as it could.
    Warning,
    /// It does not work.
    Problem,
}

impl State {
    fn word(self) -> (&'static str, Style) {
        match self {
            Self::Ok => ("ok", OK),
            Self::Warning => ("warning", WARNING),
            Self::Problem => ("problem", ERROR),
        }
    }
}

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    state: State,
    text: String,
    fix: Option<String>,
}

impl Finding {
    fn ok(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, state: State::Ok, text: text.into(), fix: None }
    }

    fn warning(what: &'static str, text: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what, state: State::Warning, text: text.into(), fix: Some(fix.into()) }
    }

    /// A fix that names this command is none.
    fn problem(what: &'static str, text: impl Into<String>, fix: Option<String>) -> Self {
        let fix = fix.filter(|fix| !fix.contains("`ophost doctor`"));
        Self { what, state: State::Problem, text: text.into(), fix }
    }

    fn text(&self) -> String {
        let (word, style) = self.state.word();
        let (what, text) = (self.what, EscapedLine(&self.text));
        let mut line = format!("{style}{word:7}{style:#}  {NAME}{what:11}{NAME:#}  {text}\n");
        if let Some(fix) = &self.fix {
            let _ = writeln!(line, "         {HINT}fix{HINT:#}: {}", EscapedLine(fix));
        }
        line
    }

    fn as_json(&self) -> Value {
        json!({
            "check": self.what,
            "state": self.state.word().0,
            "text": self.text,
            "fix": self.fix,
        })
    }
}

pub(super) fn run(settings: Settings, json: bool) -> Result<ExitCode, CliError> {
    let findings = look(settings);
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
    let counted = |count, what: &str| match count {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    format!("{}, {}", counted(problems, "problem"), counted(warnings, "warning"))
}

fn look(settings: Settings) -> Vec<Finding> {
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
    let own = env!("CARGO_PKG_VERSION");
    Finding::ok("versions", format!("ophost {own}, wasmtime {engine}, contract {contract}x"))
}

fn sandbox() -> Finding {
    match Inspector::new(&Host::builder()) {
        Ok(_) => Finding::ok("sandbox", "WebAssembly runs on this machine"),
        Err(error) => {
            let error = CliError::from(error);
            let fix = "allow more memory and threads: see `ulimit -a`";
            let fix = error.hint().unwrap_or_else(|| fix.to_owned());
            Finding::problem("sandbox", error.message(), Some(fix))
        }
    }
}

fn settings_of(config: &Config) -> [Finding; 2] {
    let top = config.project.display();
    let project = if config.is_marked {
        Finding::ok("project", format!("`{top}`"))
    } else {
        Finding::ok("project", format!("`{top}`: no `{FILE_NAME}` or `.ophost` here or above"))
    };
    [project, settings_file(config)]
}

fn settings_file(config: &Config) -> Finding {
    let what = "settings";
    // Of both, the plugins are named too; a command that needs the data alone may go on.
    if let Err(error) = config.check_trusted(true).map_err(CliError::from) {
        return Finding::problem(what, error.message(), error.hint());
    }
    match (&config.file, &config.untrusted) {
        (None, _) => Finding::ok(what, format!("no `{FILE_NAME}`: the defaults")),
        (Some(file), None) => Finding::ok(what, format!("`{}`", file.path.display())),
        (Some(file), Some(untrusted)) => {
            let (path, reason) = (file.path.display(), untrusted.reason_for(&file.path));
            let mut text = format!("`{path}` is not trusted: {reason}");
            if !file.left_out.is_empty() {
                let _ = write!(text, "; ignored: {}", file.left_out.join(", "));
            }
            Finding::warning(what, text, fix(untrusted))
        }
    }
}

/// Looks at what the settings name, as far as other commands would use it.
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
        }
        findings.extend(code(config));
    }
    if has_plugins {
        findings.extend(plugins(config));
    }
    findings
}

fn plugin_directory(path: &Path, config: &Config) -> Finding {
    let what = "plugins";
    let name = path.display();
    let shell = quoted(&name.to_string());
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Finding::warning(
                what,
                format!("no directory `{name}`"),
                format!("`mkdir -p {shell}`"),
            );
        }
        Err(error) => return Finding::problem(what, format!("`{name}`: {error}"), None),
    };
    if !metadata.is_dir() {
        let fix = "`--plugins` names a directory that holds `.wasm` files".to_owned();
        return Finding::problem(what, format!("`{name}` is not a directory"), Some(fix));
    }
    if access(path, Access::READ_OK | Access::EXEC_OK).is_err() {
        let fix = permit(path, "u+rx");
        return Finding::problem(what, format!("`{name}` cannot be read"), Some(fix));
    }
    match Judge::new(&config.trust.value).exposure(path, &metadata, Purpose::Input) {
        None => Finding::ok(what, format!("`{name}`")),
        Some(exposed) => {
            Finding::problem(what, exposed.to_string(), Some(fix(&Untrusted::from(exposed))))
        }
    }
}

fn data_directory(path: &Path, config: &Config) -> Finding {
    let what = "data";
    let name = path.display();
    let Ok(metadata) = fs::metadata(path) else {
        let above = existing(path);
        return if access(&above, Access::WRITE_OK).is_ok() {
            space(&above, format!("`{name}`, made when it is needed"))
        } else {
            let fix = format!("`--data DIR`, or {}", permit(&above, "u+w"));
            Finding::problem(what, format!("`{name}` cannot be made"), Some(fix))
        };
    };
    if !metadata.is_dir() {
        let fix = "`--data` names a directory".to_owned();
        return Finding::problem(what, format!("`{name}` is not a directory"), Some(fix));
    }
    if let Some(untrusted) = untrusted_data(config) {
        // Others may look into it; what is trusted lies in private directories below.
        let is_harmless = |it: &Exposed| it.purpose == Purpose::DataDirectory && it.owner.is_none();
        let (text, fix) = (untrusted.to_string(), fix(&untrusted));
        return match untrusted.paths.iter().all(is_harmless) {
            true => Finding::warning(what, text, fix),
            false => Finding::problem(what, text, Some(fix)),
        };
    }
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let (text, fix) = match is_on_read_only_mount(path) {
            true => (
                format!("`{name}` is on a read-only mount"),
                "`--data` names a directory that can be written".to_owned(),
            ),
            false => (format!("`{name}` cannot be written"), permit(path, "u+rwx")),
        };
        return Finding::problem(what, text, Some(fix));
    }
    space(path, format!("`{name}`"))
}

fn untrusted_data(config: &Config) -> Option<Untrusted> {
    store_builder(config).ok()?.untrusted_data()
}

/// Looks at the directory of compiled code, which no policy covers.
fn code(config: &Config) -> Option<Finding> {
    let problem = store_builder(config).ok()?.code_problem()?;
    let path = quoted(&config.cache_directory().value.display().to_string());
    let fix = format!("`rm -rf {path}`: code is compiled again; or `OPHOST_CACHE=DIR`");
    Some(Finding::warning("cache", problem, fix))
}

/// Returns the nearest directory above a path that exists.
fn existing(path: &Path) -> PathBuf {
    let above = path.ancestors().skip(1).find(|it| it.exists());
    above.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn space(path: &Path, text: String) -> Finding {
    let Ok(facts) = statvfs(path) else { return Finding::ok("data", text) };
    of_space(facts.f_bavail.saturating_mul(facts.f_frsize), &text)
}

fn of_space(free: u64, text: &str) -> Finding {
    let text = format!("{text}, {} free", ByteSize(free));
    let fix = "free some space, or name another directory by `--data`";
    match free {
        ..NO_SPACE => Finding::problem("data", text, Some(fix.to_owned())),
        NO_SPACE..LITTLE_SPACE => Finding::warning("data", text, fix),
        LITTLE_SPACE.. => Finding::ok("data", text),
    }
}

/// Looks at the store: whether it can be read and written, but not whether all of it can.
fn records(config: &Config) -> Finding {
    let what = "records";
    match super::runtime().map_err(CliError::from).and_then(|it| it.block_on(look_at_runs(config)))
    {
        Ok((None, _)) => Finding::ok(what, "none yet"),
        Ok((Some(size), page)) if page.damaged.is_empty() => {
            let more = if page.next.is_some() { "more than " } else { "" };
            let running = match page.runs.len() {
                0 => "none is running".to_owned(),
                1 => "1 is running".to_owned(),
                count => format!("{more}{count} are running"),
            };
            let text = format!("{}, {running}; `ophost store check` reads all", ByteSize(size));
            Finding::ok(what, text)
        }
        Ok((Some(_), page)) => {
            let text = format!("damaged: {}", page.damaged[0]);
            Finding::problem(what, text, Some("`ophost store check` finds all that is".to_owned()))
        }
        Err(CliError::Store(StoreError::ReadOnly(error) | StoreError::Io(error)))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            let (text, fix) = (StoreError::Io(error).to_string(), closed_to_this_user(config));
            Finding::problem(what, text, fix)
        }
        Err(error) => Finding::problem(what, error.message(), error.hint()),
    }
}

/// Returns what gives this user the permissions that the store needs.
fn closed_to_this_user(config: &Config) -> Option<String> {
    let directory = config.data.value.join("store");
    let file = directory.join(ophost::STORE_FILE);
    if access(&directory, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return Some(permit(&directory, "u+rwx"));
    }
    let is_closed = access(&file, Access::READ_OK | Access::WRITE_OK).is_err();
    is_closed.then(|| permit(&file, "u+rw"))
}

/// Returns how large the store is, and which runs are running.
async fn look_at_runs(config: &Config) -> Result<(Option<u64>, RunPage), CliError> {
    let host = store_builder(config)?.build_without_plugins()?;
    let runs = host.runs().ok_or_else(|| CliError::usage("there is no data directory"))?;
    let running = RunFilter { status: Some(Status::Running), ..RunFilter::default() };
    let page = runs.list(&running, None, MAX_RUNNING).await?;
    // What is damaged already is told of as it is.
    if page.damaged.is_empty() {
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
        let text = format!("`[operations.{name}]` names no operation that there is");
        Finding::warning("settings", text, "`ophost list` shows the names")
    }));
    findings
}

fn load(config: &Config) -> Result<Host, CliError> {
    Ok(super::runtime()?.block_on(builder(config)?.build())?)
}

fn operations(host: &Host) -> Finding {
    let catalog = host.catalog();
    let (known, refused) = (catalog.operations().count(), catalog.rejected().count());
    let files = if refused == 1 { "file is" } else { "files are" };
    let text = format!("{known} can be run; {refused} plugin {files} not used");
    match (known, refused) {
        (0, 0) => Finding::ok("operations", "none yet"),
        (_, 0) => Finding::ok("operations", format!("{known} can be run")),
        (_, _) => Finding::warning(
            "operations",
            text,
            match catalog.untrusted() {
                Some(untrusted) => format!("{}; `ophost plugins` says more", fix(&untrusted)),
                None => "`ophost plugins` says why".to_owned(),
            },
        ),
    }
}

fn rust() -> [Finding; 2] {
    let ToolchainReport { rust, rustup, targets } = ophost_toolchain::probe(Path::new("."));
    let only = "only `ophost build` needs it";
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
        Some((first, [])) => Finding::ok("wasm target", format!("a build uses {first}")),
        Some((first, rest)) => Finding::ok(
            "wasm target",
            format!("a build uses {first}; else {}", rest.join("; else ")),
        ),
        None => Finding::warning(
            "wasm target",
            format!("none is installed; {only}"),
            "run `rustup target add wasm32-wasip2`",
        ),
    };
    [found, target]
}

fn terminal() -> Finding {
    let place = match output::width() {
        Some(width) => format!("{width} columns"),
        None if io::stdout().is_terminal() => "of unknown width".to_owned(),
        None => "none: plain text, JSON on one line".to_owned(),
    };
    let colour = match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never if env::var_os("NO_COLOR").is_some() => "off by `NO_COLOR`",
        ColorChoice::Never => "off",
        ColorChoice::Auto | ColorChoice::Always | ColorChoice::AlwaysAnsi => "on",
    };
    Finding::ok("terminal", format!("{place}; colours {colour}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_space_is_a_warning_and_none_a_problem() {
        let states = [0, NO_SPACE - 1, NO_SPACE, LITTLE_SPACE - 1, LITTLE_SPACE]
            .map(|free| of_space(free, "`it`").state);
        let (problem, warning) = (State::Problem, State::Warning);
        assert_eq!(states, [problem, problem, warning, warning, State::Ok]);
        assert_eq!(of_space(3 << 10, "`it`").text, "`it`, 3.0 KiB free");
    }
}
