//! Which of the places that name a setting wins.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use super::error::{ConfigError, Problem, RULE, SIZE, TIME};
use super::file::{self, FileSettings};
use super::find::{self, DATA_NAME, Top};
use super::trust::Trust;
use super::{
    CompileSources, Config, ConfigFile, Flags, PartialLimits, Source, Sourced, SourcedLimits,
};
use crate::policy::{CompileBudget, Limits};
use crate::record::RecordRule;

const PLUGINS: &str = "OPHOST_PLUGINS";
const DATA: &str = "OPHOST_DATA";

/// How the environment is asked for a variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Config {
    /// Returns every setting as it is for this process, in its current directory.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] for the first thing that is not understood.
    pub(crate) fn read(flags: Flags) -> Result<Self, ConfigError> {
        let here = env::current_dir().map_err(ConfigError::NoDirectory)?;
        Self::resolve(flags, &here, &|name| env::var_os(name))
    }

    fn resolve(flags: Flags, here: &Path, variables: Variables<'_>) -> Result<Self, ConfigError> {
        let (top, file, said) = project(here)?;
        let is_marked = top.is_some();
        let base = top.unwrap_or_else(|| here.to_owned());
        let place = Place { base: &base, here };
        let compile = Environment(variables).compile(&said)?;
        let config = Self {
            plugins: place.plugins(&flags, variables, said.plugins),
            data: place.data(flags.data, variables, said.data),
            record: Environment(variables).record(said.record)?,
            limits: Environment(variables).limits(said.limits)?,
            maxima: over(said.maxima, Limits::DEFAULT_MAXIMA),
            operations: said.operations,
            compile: CompileBudget { memory: compile.0.value, time: compile.1.value },
            compile_sources: CompileSources { memory: compile.0.source, time: compile.1.source },
            project: base,
            is_marked,
            file,
        };
        config.checked()
    }

    /// Refuses a limit that somebody set above its maximum: it would be cut without a word.
    fn checked(self) -> Result<Self, ConfigError> {
        within("limits", &some(&self.limits), &self.maxima)?;
        for (name, settings) in &self.operations {
            let maxima = merged(settings.maxima.clone(), &self.maxima);
            within(&format!("operations.{name}"), &settings.defaults, &maxima)?;
        }
        Ok(self)
    }
}

/// Returns the top of the project, its file, and what that says as far as it may.
fn project(
    here: &Path,
) -> Result<(Option<PathBuf>, Option<ConfigFile>, FileSettings), ConfigError> {
    let Some(Top { directory, file }) = find::top(here) else {
        return Ok((None, None, FileSettings::default()));
    };
    let Some(path) = file else { return Ok((Some(directory), None, FileSettings::default())) };
    let name = find::shortened(&path, here);
    let (mut said, trust) = file::read(&path, &name)?;
    let left_out = match trust {
        Trust::Trusted => Vec::new(),
        Trust::Foreign { .. } | Trust::Writable { .. } => tighten(&mut said),
    };
    // Whoever owns the file chose the directory: its plugins would be a grant too.
    let top = (!matches!(trust, Trust::Foreign { .. })).then_some(directory);
    Ok((top, Some(ConfigFile { path: name, trust, left_out }), said))
}

/// Takes out what grants, and returns the keys of that.
fn tighten(said: &mut FileSettings) -> Vec<String> {
    let mut left_out = Vec::new();
    drop_if(&mut said.plugins, "plugins", &mut left_out, |_| true);
    drop_if(&mut said.data, "data", &mut left_out, |_| true);
    tighten_limits(&mut said.limits, "limits", &Limits::DEFAULT, &mut left_out);
    tighten_limits(&mut said.maxima, "limits.max", &Limits::DEFAULT_MAXIMA, &mut left_out);
    for (name, settings) in &mut said.operations {
        let key = format!("operations.{name}");
        tighten_limits(&mut settings.defaults, &key, &Limits::DEFAULT, &mut left_out);
        let key = format!("{key}.max");
        tighten_limits(&mut settings.maxima, &key, &Limits::DEFAULT_MAXIMA, &mut left_out);
    }
    let most = CompileBudget::DEFAULT;
    drop_if(&mut said.compile_memory, "compile.memory", &mut left_out, |it| *it > most.memory);
    drop_if(&mut said.compile_time, "compile.time", &mut left_out, |it| *it > most.time);
    left_out
}

fn tighten_limits(
    limits: &mut PartialLimits,
    key: &str,
    most: &Limits,
    left_out: &mut Vec<String>,
) {
    drop_if(&mut limits.timeout, &format!("{key}.timeout"), left_out, |it| *it > most.timeout);
    drop_if(&mut limits.memory, &format!("{key}.memory"), left_out, |it| *it > most.memory);
    drop_if(&mut limits.output, &format!("{key}.output"), left_out, |it| *it > most.output);
    drop_if(&mut limits.effects, &format!("{key}.effects"), left_out, |it| *it > most.effects);
    drop_if(&mut limits.log, &format!("{key}.log"), left_out, |it| *it > most.log);
}

fn drop_if<T>(
    setting: &mut Option<Sourced<T>>,
    key: &str,
    left_out: &mut Vec<String>,
    grants: impl FnOnce(&T) -> bool,
) {
    if setting.take_if(|it| grants(&it.value)).is_some() {
        left_out.push(key.to_owned());
    }
}

/// Where paths are relative to.
struct Place<'a> {
    /// The top of the project.
    base: &'a Path,
    here: &'a Path,
}

impl Place<'_> {
    fn plugins(
        &self,
        flags: &Flags,
        variables: Variables<'_>,
        said: Option<Sourced<Vec<PathBuf>>>,
    ) -> Sourced<Vec<PathBuf>> {
        if !flags.plugins.is_empty() {
            return Sourced { value: flags.plugins.clone(), source: Source::Flag("--plugins") };
        }
        // Empty parts come from `A:$UNSET`: they name nothing.
        let list = variables(PLUGINS).unwrap_or_default();
        let named: Vec<_> =
            env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect();
        if !named.is_empty() {
            return Sourced { value: named, source: Source::Variable(PLUGINS) };
        }
        match said {
            Some(Sourced { value, source }) => {
                Sourced { value: value.iter().map(|path| self.below(path)).collect(), source }
            }
            None => Sourced::default(vec![self.below(Path::new("plugins"))]),
        }
    }

    fn data(
        &self,
        flag: Option<PathBuf>,
        variables: Variables<'_>,
        said: Option<Sourced<PathBuf>>,
    ) -> Sourced<PathBuf> {
        let variable = variables(DATA).filter(|value| !value.is_empty());
        match (flag, variable, said) {
            (Some(value), _, _) => Sourced { value, source: Source::Flag("--data") },
            (None, Some(value), _) => {
                Sourced { value: value.into(), source: Source::Variable(DATA) }
            }
            (None, None, Some(said)) => Sourced { value: self.below(&said.value), ..said },
            (None, None, None) => Sourced::default(self.below(Path::new(DATA_NAME))),
        }
    }

    fn below(&self, path: &Path) -> PathBuf {
        find::shortened(&self.base.join(path), self.here)
    }
}

/// The environment, for settings that are no paths.
struct Environment<'a>(Variables<'a>);

impl Environment<'_> {
    fn limits(&self, said: PartialLimits) -> Result<SourcedLimits, ConfigError> {
        let set = PartialLimits {
            timeout: self.time("OPHOST_TIMEOUT", "limits.timeout")?.or(said.timeout),
            memory: self.size("OPHOST_MEMORY", "limits.memory")?.or(said.memory),
            output: self.size("OPHOST_OUTPUT", "limits.output")?.or(said.output),
            effects: self.size("OPHOST_EFFECTS", "limits.effects")?.or(said.effects),
            log: self.size("OPHOST_LOG", "limits.log")?.or(said.log),
        };
        Ok(over(set, Limits::DEFAULT))
    }

    fn record(
        &self,
        said: Option<Sourced<RecordRule>>,
    ) -> Result<Sourced<RecordRule>, ConfigError> {
        let variable = self.value("OPHOST_RECORD", ("record", RULE), file::rule)?;
        Ok(variable.or(said).unwrap_or(Sourced::default(RecordRule::default())))
    }

    fn compile(
        &self,
        said: &FileSettings,
    ) -> Result<(Sourced<u64>, Sourced<Duration>), ConfigError> {
        let memory =
            self.size("OPHOST_COMPILE_MEMORY", "compile.memory")?.or(said.compile_memory.clone());
        let time = self.time("OPHOST_COMPILE_TIME", "compile.time")?.or(said.compile_time.clone());
        Ok((
            memory.unwrap_or(Sourced::default(CompileBudget::DEFAULT.memory)),
            time.unwrap_or(Sourced::default(CompileBudget::DEFAULT.time)),
        ))
    }

    fn time(
        &self,
        name: &'static str,
        key: &str,
    ) -> Result<Option<Sourced<Duration>>, ConfigError> {
        self.value(name, (key, TIME), file::time)
    }

    fn size(&self, name: &'static str, key: &str) -> Result<Option<Sourced<u64>>, ConfigError> {
        self.value(name, (key, SIZE), file::size)
    }

    /// Reads a variable as what `key` takes; an empty one is not set.
    fn value<T>(
        &self,
        name: &'static str,
        (key, expected): (&str, &'static str),
        read: fn(&str, &str) -> Result<T, Problem>,
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let Some(text) = self.0(name).filter(|text| !text.is_empty()) else { return Ok(None) };
        let source = Source::Variable(name);
        let value = match text.to_str() {
            Some(text) => read(key, text),
            None => Err(Problem::BadValue {
                key: key.to_owned(),
                value: text.to_string_lossy().into_owned(),
                expected,
            }),
        };
        match value {
            Ok(value) => Ok(Some(Sourced { value, source })),
            Err(problem) => Err(ConfigError::setting(source, problem)),
        }
    }
}

/// Returns what was set, and the rest as it is where nobody sets anything.
fn over(set: PartialLimits, rest: Limits) -> SourcedLimits {
    SourcedLimits {
        timeout: set.timeout.unwrap_or(Sourced::default(rest.timeout)),
        memory: set.memory.unwrap_or(Sourced::default(rest.memory)),
        output: set.output.unwrap_or(Sourced::default(rest.output)),
        effects: set.effects.unwrap_or(Sourced::default(rest.effects)),
        log: set.log.unwrap_or(Sourced::default(rest.log)),
    }
}

fn merged(set: PartialLimits, rest: &SourcedLimits) -> SourcedLimits {
    SourcedLimits {
        timeout: set.timeout.unwrap_or_else(|| rest.timeout.clone()),
        memory: set.memory.unwrap_or_else(|| rest.memory.clone()),
        output: set.output.unwrap_or_else(|| rest.output.clone()),
        effects: set.effects.unwrap_or_else(|| rest.effects.clone()),
        log: set.log.unwrap_or_else(|| rest.log.clone()),
    }
}

/// Returns the limits that somebody set.
fn some(limits: &SourcedLimits) -> PartialLimits {
    fn set<T: Clone>(it: &Sourced<T>) -> Option<Sourced<T>> {
        (it.source != Source::Default).then(|| it.clone())
    }
    PartialLimits {
        timeout: set(&limits.timeout),
        memory: set(&limits.memory),
        output: set(&limits.output),
        effects: set(&limits.effects),
        log: set(&limits.log),
    }
}

fn within(key: &str, limits: &PartialLimits, maxima: &SourcedLimits) -> Result<(), ConfigError> {
    let time = |it: &Duration| humantime::format_duration(*it).to_string();
    let size = |it: &u64| ByteSize(*it).to_string();
    not_above(&format!("{key}.timeout"), limits.timeout.as_ref(), &maxima.timeout, time)?;
    not_above(&format!("{key}.memory"), limits.memory.as_ref(), &maxima.memory, size)?;
    not_above(&format!("{key}.output"), limits.output.as_ref(), &maxima.output, size)?;
    not_above(&format!("{key}.effects"), limits.effects.as_ref(), &maxima.effects, size)?;
    not_above(&format!("{key}.log"), limits.log.as_ref(), &maxima.log, size)
}

fn not_above<T: PartialOrd, D: Display>(
    key: &str,
    limit: Option<&Sourced<T>>,
    maximum: &Sourced<T>,
    show: impl Fn(&T) -> D,
) -> Result<(), ConfigError> {
    match limit {
        Some(Sourced { value, source }) if *value > maximum.value => {
            let problem = Problem::AboveMaximum {
                key: key.to_owned(),
                value: show(value).to_string(),
                maximum: show(&maximum.value).to_string(),
                from: maximum.source.clone(),
            };
            Err(ConfigError::setting(source.clone(), problem))
        }
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use super::*;

    fn resolve(variables: &[(&str, &str)], flags: Flags) -> Result<Config, ConfigError> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let here = env::temp_dir();
        Config::resolve(flags, &here, &|name| variables.get(name).map(OsString::from))
    }

    #[test]
    fn a_flag_wins_over_a_variable_and_that_over_the_default() {
        let flags = Flags { plugins: vec!["f".into()], data: None };
        let variables = [("OPHOST_PLUGINS", "a:b"), ("OPHOST_DATA", "d")];
        let config = resolve(&variables, flags).unwrap();
        let by_flag = Sourced { value: vec!["f".into()], source: Source::Flag("--plugins") };
        assert_eq!(config.plugins, by_flag);
        assert_eq!(config.data, Sourced { value: "d".into(), source: Source::Variable(DATA) });
        let config = resolve(&variables, Flags::default()).unwrap();
        assert_eq!(config.plugins.value, [Path::new("a"), Path::new("b")]);
        assert_eq!(config.limits.timeout.source, Source::Default);
    }

    #[test]
    fn what_is_empty_is_not_set() {
        let of = |list| resolve(&[("OPHOST_PLUGINS", list)], Flags::default()).unwrap().plugins;
        assert_eq!(of("").source, Source::Default);
        assert_eq!(of("::").source, Source::Default);
        assert_eq!(of(":a:").value, [Path::new("a")]);
        let config = resolve(&[("OPHOST_TIMEOUT", ""), ("OPHOST_DATA", "")], Flags::default());
        assert_eq!(config.unwrap().data.source, Source::Default);
    }

    #[test]
    fn a_variable_that_means_nothing_is_named() {
        let error =
            |name, value| resolve(&[(name, value)], Flags::default()).unwrap_err().to_string();
        assert_eq!(
            error("OPHOST_TIMEOUT", "soon"),
            "`OPHOST_TIMEOUT`: `limits.timeout` is `soon`, which is not a time"
        );
        assert!(error("OPHOST_MEMORY", "0").contains("of zero lets nothing run"));
        assert_eq!(
            error("OPHOST_TIMEOUT", "2h"),
            "`OPHOST_TIMEOUT`: `limits.timeout` is 2h, above the maximum of 1h (default)"
        );
    }

    #[test]
    fn what_tightens_holds_and_what_grants_does_not() {
        let text = "plugins = [\"a\"]\n[limits]\ntimeout = \"1s\"\nmemory = \"1GiB\"\n\
            max.log = \"1GiB\"\nmax.output = \"1MiB\"\n[operations.a]\ntimeout = \"31s\"\n\
            [compile]\ntime = \"61s\"\nmemory = \"1GiB\"\n";
        let mut said = file::parse(text, Path::new("ophost.toml")).unwrap();
        let left_out = tighten(&mut said);
        let granting =
            ["plugins", "limits.memory", "limits.max.log", "operations.a.timeout", "compile.time"];
        assert_eq!(left_out, granting);
        assert!(said.limits.timeout.is_some() && said.maxima.output.is_some());
        assert!(said.compile_memory.is_some());
    }

    #[test]
    fn the_nearest_mark_wins_and_paths_of_the_file_are_relative_to_it() {
        let top = env::temp_dir().join(format!("ophost-config-{}", std::process::id()));
        let below = top.join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir(top.join(".ophost")).unwrap();
        let read = || Config::resolve(Flags::default(), &below, &|_| None).unwrap();
        assert_eq!(read().plugins.value, [top.join("plugins")]);
        fs::write(top.join("a/ophost.toml"), "plugins = [\"p\", \"b/q\"]").unwrap();
        let config = read();
        fs::remove_dir_all(&top).unwrap();
        assert_eq!(config.project, top.join("a"));
        if config.file.unwrap().trust == Trust::Trusted {
            assert_eq!(config.plugins.value, [top.join("a/p"), PathBuf::from("q")]);
        }
    }
}
