//! Resolves the settings by precedence: flag, environment variable, file, default.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use super::discovery::{self, DATA_NAME, Marker, ProjectRoot};
use super::error::{
    COMPILER, ConfigError, DURATION, RECORD_POLICY, RUN_COUNT, SIZE, SettingError, TRUST_WORDS,
};
use super::file::{self, FileSettings};
use super::paths;
use super::{
    CompileSources, Config, ConfigFile, Flags, PartialLimits, RetentionSettings, Source, Sourced,
    SourcedLimits,
};
use crate::model::compiler::CompilerBackend;
use crate::model::limits::{CompileBudget, Limits};
use crate::policy::RecordPolicy;
use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy, Untrusted};

const PLUGINS: &str = "OPHOST_PLUGINS";
const DATA: &str = "OPHOST_DATA";
const CACHE: &str = "OPHOST_CACHE";

/// A function that returns the value of an environment variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Config {
    /// Returns the settings of this process in its current directory.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] for the first invalid setting.
    pub fn read(flags: Flags) -> Result<Self, ConfigError> {
        let here = env::current_dir().map_err(ConfigError::NoDirectory)?;
        Self::resolve(flags, &here, &|name| env::var_os(name))
    }

    fn resolve(flags: Flags, here: &Path, variables: Variables<'_>) -> Result<Self, ConfigError> {
        let environment = Environment(variables);
        // The policy that applies to the settings file cannot come from that file.
        let trust = environment.trust(&flags.trust)?;
        let policy = trust.as_ref().map(|trust| trust.value.clone()).unwrap_or_default();
        let Project { base, is_marked, untrusted_marker, file, untrusted, settings } =
            project(here, &policy)?;
        let untrusted_marker = untrusted_marker.as_deref();
        let resolver = PathResolver { base: &base, here, untrusted_marker };
        let compile = environment.compile(&settings)?;
        let config = Self {
            plugins: resolver.plugins(&flags, variables, settings.plugins)?,
            data: resolver.data(flags.data, variables, settings.data)?,
            cache: environment.cache()?,
            trust: trust.or(settings.trust).unwrap_or(Sourced::default(TrustPolicy::default())),
            record: environment.record(settings.record)?,
            limits: environment.limits(settings.limits)?,
            maxima: with_defaults(settings.maxima, Limits::DEFAULT_MAXIMA),
            operations: settings.operations,
            collections: settings.collections,
            compile: CompileBudget { memory: compile.0.value, time: compile.1.value },
            compile_sources: CompileSources { memory: compile.0.source, time: compile.1.source },
            compiler: environment.compiler(settings.compiler)?,
            retention: environment.retention(settings.retention)?,
            project: base,
            is_marked,
            file,
            untrusted,
        };
        config.without_overridden().check_maxima()
    }

    /// Removes settings from the ignored ones if a flag or a variable sets them.
    fn without_overridden(mut self) -> Self {
        let is_set = |source: &Source| matches!(source, Source::Flag(_) | Source::Variable(_));
        let overridden = [
            ("plugins", is_set(&self.plugins.source)),
            ("data", is_set(&self.data.source)),
            ("trust", is_set(&self.trust.source)),
        ];
        if let Some(file) = &mut self.file {
            file.ignored
                .retain(|key| !overridden.iter().any(|(name, is_set)| *is_set && key == name));
        }
        self
    }

    /// Checks that no explicit limit is above its maximum, because a run would silently get the
    /// maximum.
    fn check_maxima(self) -> Result<Self, ConfigError> {
        check_limits("limits", &explicit_limits(&self.limits), &self.maxima)?;
        for (name, settings) in &self.operations {
            let maxima = with_fallback(settings.maxima.clone(), &self.maxima);
            check_limits(&format!("operations.{name}"), &settings.defaults, &maxima)?;
        }
        Ok(self)
    }
}

/// The project root, and the settings of its file without those that are ignored.
#[derive(Default)]
struct Project {
    base: PathBuf,
    is_marked: bool,
    /// The marker of `base`, if another user owns the marker and `base` is a parent of the current
    /// directory. In this case, the other user selected the project.
    untrusted_marker: Option<PathBuf>,
    file: Option<ConfigFile>,
    untrusted: Option<Untrusted>,
    settings: FileSettings,
}

fn project(here: &Path, policy: &TrustPolicy) -> Result<Project, ConfigError> {
    let Some(ProjectRoot { directory, marker }) = discovery::project_root(here) else {
        return Ok(Project { base: here.to_owned(), ..Project::default() });
    };
    let (path, exposed, file, settings) = match marker {
        Marker::Data(path) => {
            let name = discovery::shortened(&path, here);
            let exposed = owner_exposure(&path, &name, policy);
            (name, exposed, None, FileSettings::default())
        }
        Marker::File(path) => {
            let name = discovery::shortened(&path, here);
            let (mut settings, exposed) = file::read((&path, &name), policy)?;
            let ignored =
                exposed.iter().flat_map(|_| remove_grants(&mut settings, &name)).collect();
            (name.clone(), exposed, Some(ConfigFile { path: name, ignored }), settings)
        }
    };
    // Only the owner of the marker selected the directory. Users with write permission can change
    // the marker, but they did not create it.
    let has_wrong_owner = exposed.as_ref().is_some_and(|exposed| exposed.owner.is_some());
    let untrusted_marker = (has_wrong_owner && directory != here).then_some(path);
    let untrusted = exposed.map(Untrusted::from);
    Ok(Project { base: directory, is_marked: true, untrusted_marker, file, untrusted, settings })
}

/// Returns why a data directory that marks a project is not trusted, if another user owns it. Its
/// mode is not checked, because its content is checked on use.
fn owner_exposure(path: &Path, name: &Path, policy: &TrustPolicy) -> Option<Exposed> {
    let status = fs::metadata(path).ok()?;
    let judge = Judge::new(policy);
    let exposed = judge.link_exposure(path, Purpose::Input);
    let exposed = exposed.or_else(|| judge.exposure(path, &status, Purpose::Input))?;
    exposed.owner.is_some().then(|| Exposed { path: name.to_owned(), ..exposed })
}

/// Removes the settings that grant more than the defaults, and returns their keys.
///
/// The data and plugin directories remain, marked as untrusted. Otherwise the default directories
/// would be used silently.
fn remove_grants(settings: &mut FileSettings, file: &Path) -> Vec<String> {
    let mut ignored = Vec::new();
    mark_untrusted(&mut settings.plugins, "plugins", file, &mut ignored);
    mark_untrusted(&mut settings.data, "data", file, &mut ignored);
    drop_if(&mut settings.trust, "trust", &mut ignored, |_| true);
    remove_limit_grants(&mut settings.limits, "limits", &Limits::DEFAULT, &mut ignored);
    remove_limit_grants(&mut settings.maxima, "limits.max", &Limits::DEFAULT_MAXIMA, &mut ignored);
    for (name, operation) in &mut settings.operations {
        let key = format!("operations.{name}");
        remove_limit_grants(&mut operation.defaults, &key, &Limits::DEFAULT, &mut ignored);
        let key = format!("{key}.max");
        remove_limit_grants(&mut operation.maxima, &key, &Limits::DEFAULT_MAXIMA, &mut ignored);
    }
    // A unique index rejects documents.
    let collections = std::mem::take(&mut settings.collections);
    ignored.extend(collections.keys().map(|name| format!("collections.{name}.indexes")));
    let max = CompileBudget::DEFAULT;
    drop_if(&mut settings.compile_memory, "compile.memory", &mut ignored, |it| *it > max.memory);
    drop_if(&mut settings.compile_time, "compile.time", &mut ignored, |it| *it > max.time);
    // Winch is less proven than Cranelift against code of others.
    let is_winch = |it: &CompilerBackend| *it == CompilerBackend::Winch;
    drop_if(&mut settings.compiler, "compile.compiler", &mut ignored, is_winch);
    // Retention removes records.
    ignored.extend(settings.retention.clear());
    ignored
}

fn mark_untrusted<T>(
    setting: &mut Option<Sourced<T>>,
    key: &str,
    file: &Path,
    ignored: &mut Vec<String>,
) {
    if let Some(setting) = setting {
        setting.source = Source::Untrusted { file: file.to_owned() };
        ignored.push(key.to_owned());
    }
}

fn remove_limit_grants(
    limits: &mut PartialLimits,
    key: &str,
    max: &Limits,
    ignored: &mut Vec<String>,
) {
    drop_if(&mut limits.timeout, &format!("{key}.timeout"), ignored, |it| *it > max.timeout);
    drop_if(&mut limits.memory, &format!("{key}.memory"), ignored, |it| *it > max.memory);
    drop_if(&mut limits.output, &format!("{key}.output"), ignored, |it| *it > max.output);
    drop_if(&mut limits.effects, &format!("{key}.effects"), ignored, |it| *it > max.effects);
    drop_if(&mut limits.log, &format!("{key}.log"), ignored, |it| *it > max.log);
}

fn drop_if<T>(
    setting: &mut Option<Sourced<T>>,
    key: &str,
    ignored: &mut Vec<String>,
    is_grant: impl FnOnce(&T) -> bool,
) {
    if setting.take_if(|it| is_grant(&it.value)).is_some() {
        ignored.push(key.to_owned());
    }
}

/// Resolves the paths of the settings.
struct PathResolver<'a> {
    /// The project root.
    base: &'a Path,
    here: &'a Path,
    /// See [`Project::untrusted_marker`].
    untrusted_marker: Option<&'a Path>,
}

impl PathResolver<'_> {
    fn plugins(
        &self,
        flags: &Flags,
        variables: Variables<'_>,
        in_file: Option<Sourced<Vec<PathBuf>>>,
    ) -> Result<Sourced<Vec<PathBuf>>, ConfigError> {
        if !flags.plugins.is_empty() {
            return explicit_paths(
                Source::Flag("--plugins"),
                "plugins",
                flags.plugins.iter().cloned(),
            );
        }
        // Empty parts, as in `A:$UNSET`, are ignored.
        let list = variables(PLUGINS).map(|list| paths::unquote(&list)).unwrap_or_default();
        let parts =
            env::split_paths(&list).map(|path| PathBuf::from(paths::unquote(path.as_os_str())));
        let parts: Vec<_> = parts.filter(|path| !path.as_os_str().is_empty()).collect();
        if !parts.is_empty() {
            return explicit_paths(Source::Variable(PLUGINS), "plugins", parts.into_iter());
        }
        Ok(match in_file {
            Some(Sourced { value, source }) => {
                Sourced { value: value.iter().map(|path| self.resolve(path)).collect(), source }
            }
            None => Sourced {
                value: vec![self.resolve(Path::new("plugins"))],
                source: self.default_source(),
            },
        })
    }

    fn data(
        &self,
        flag: Option<PathBuf>,
        variables: Variables<'_>,
        in_file: Option<Sourced<PathBuf>>,
    ) -> Result<Sourced<PathBuf>, ConfigError> {
        let variable = variables(DATA).map(|value| paths::unquote(&value));
        let variable = variable.filter(|value| !value.is_empty());
        match (flag, variable, in_file) {
            (Some(value), _, _) => explicit_path(Source::Flag("--data"), "data", &value),
            (None, Some(value), _) => {
                explicit_path(Source::Variable(DATA), "data", Path::new(&value))
            }
            (None, None, Some(path)) => Ok(Sourced { value: self.resolve(&path.value), ..path }),
            (None, None, None) => Ok(Sourced {
                value: self.resolve(Path::new(DATA_NAME)),
                source: self.default_source(),
            }),
        }
    }

    /// Returns the source of default paths, which depend on the project root.
    fn default_source(&self) -> Source {
        match self.untrusted_marker {
            Some(marker) => Source::Untrusted { file: marker.to_owned() },
            None => Source::Default,
        }
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        discovery::shortened(&self.base.join(path), self.here)
    }
}

/// Returns the path that a flag or a variable sets.
fn explicit_path(source: Source, key: &str, path: &Path) -> Result<Sourced<PathBuf>, ConfigError> {
    match paths::path(key, path) {
        Ok(value) => Ok(Sourced { value, source }),
        Err(problem) => Err(ConfigError::setting(source, problem)),
    }
}

fn explicit_paths(
    source: Source,
    key: &str,
    paths: impl Iterator<Item = PathBuf>,
) -> Result<Sourced<Vec<PathBuf>>, ConfigError> {
    let value: Result<_, _> = paths.map(|path| explicit_path(source.clone(), key, &path)).collect();
    let value: Vec<Sourced<PathBuf>> = value?;
    Ok(Sourced { value: value.into_iter().map(|it| it.value).collect(), source })
}

/// The environment variables, for settings that are not paths in the file.
struct Environment<'a>(Variables<'a>);

impl Environment<'_> {
    /// Returns the policy of the flag or the variable; `None` if neither is set.
    fn trust(&self, flag: &[String]) -> Result<Option<Sourced<TrustPolicy>>, ConfigError> {
        let parse = |_: &str, text: &str| {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words
                .into_iter()
                .try_fold(TrustPolicy::default(), |policy, word| file::trust("trust", policy, word))
        };
        if flag.is_empty() {
            return self.value("OPHOST_TRUST", ("trust", TRUST_WORDS), parse);
        }
        let source = Source::Flag("--trust");
        match parse("trust", &flag.join(",")) {
            Ok(value) => Ok(Some(Sourced { value, source })),
            Err(problem) => Err(ConfigError::setting(source, problem)),
        }
    }

    fn cache(&self) -> Result<Option<Sourced<PathBuf>>, ConfigError> {
        let value = self.0(CACHE).map(|value| paths::unquote(&value));
        let value = value.filter(|value| !value.is_empty());
        value
            .map(|value| explicit_path(Source::Variable(CACHE), "cache", Path::new(&value)))
            .transpose()
    }

    fn limits(&self, in_file: PartialLimits) -> Result<SourcedLimits, ConfigError> {
        let set = PartialLimits {
            timeout: self.duration("OPHOST_TIMEOUT", "limits.timeout")?.or(in_file.timeout),
            memory: self.size("OPHOST_MEMORY", "limits.memory")?.or(in_file.memory),
            output: self.size("OPHOST_OUTPUT", "limits.output")?.or(in_file.output),
            effects: self.size("OPHOST_EFFECTS", "limits.effects")?.or(in_file.effects),
            log: self.size("OPHOST_LOG", "limits.log")?.or(in_file.log),
        };
        Ok(with_defaults(set, Limits::DEFAULT))
    }

    fn record(
        &self,
        in_file: Option<Sourced<RecordPolicy>>,
    ) -> Result<Sourced<RecordPolicy>, ConfigError> {
        let variable =
            self.value("OPHOST_RECORD", ("record", RECORD_POLICY), file::record_policy)?;
        Ok(variable.or(in_file).unwrap_or(Sourced::default(RecordPolicy::default())))
    }

    fn compile(
        &self,
        in_file: &FileSettings,
    ) -> Result<(Sourced<u64>, Sourced<Duration>), ConfigError> {
        let memory = self
            .size("OPHOST_COMPILE_MEMORY", "compile.memory")?
            .or(in_file.compile_memory.clone());
        let time =
            self.duration("OPHOST_COMPILE_TIME", "compile.time")?.or(in_file.compile_time.clone());
        Ok((
            memory.unwrap_or(Sourced::default(CompileBudget::DEFAULT.memory)),
            time.unwrap_or(Sourced::default(CompileBudget::DEFAULT.time)),
        ))
    }

    fn compiler(
        &self,
        in_file: Option<Sourced<CompilerBackend>>,
    ) -> Result<Option<Sourced<CompilerBackend>>, ConfigError> {
        let setting = ("compile.compiler", COMPILER);
        Ok(self.value("OPHOST_COMPILE_COMPILER", setting, file::compiler)?.or(in_file))
    }

    fn retention(&self, mut settings: RetentionSettings) -> Result<RetentionSettings, ConfigError> {
        let runs = &mut settings.runs;
        let max_age = self.duration("OPHOST_RETENTION_MAX_AGE", "retention.max_age")?;
        runs.max_age = max_age.or(runs.max_age.take());
        let max_runs = ("retention.max_runs", RUN_COUNT);
        let max_runs = self.value("OPHOST_RETENTION_MAX_RUNS", max_runs, file::run_count)?;
        runs.max_runs = max_runs.or(runs.max_runs.take());
        let variable = "OPHOST_RETENTION_HISTORY_MAX_AGE";
        let history_max_age = self.duration(variable, "retention.history_max_age")?;
        settings.history_max_age = history_max_age.or(settings.history_max_age.take());
        Ok(settings)
    }

    fn duration(
        &self,
        name: &'static str,
        key: &str,
    ) -> Result<Option<Sourced<Duration>>, ConfigError> {
        self.value(name, (key, DURATION), file::duration)
    }

    fn size(&self, name: &'static str, key: &str) -> Result<Option<Sourced<u64>>, ConfigError> {
        self.value(name, (key, SIZE), file::size)
    }

    /// Parses a variable as a value of the setting `key`; `None` if the variable is unset or empty.
    fn value<T>(
        &self,
        name: &'static str,
        (key, expected): (&str, &'static str),
        parse: impl FnOnce(&str, &str) -> Result<T, SettingError>,
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let text = self.0(name).map(|text| paths::unquote(&text));
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let source = Source::Variable(name);
        let value = match text.to_str() {
            Some(text) => parse(key, text),
            None => Err(SettingError::BadValue {
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

/// Adds the default of each limit that is not set.
fn with_defaults(set: PartialLimits, defaults: Limits) -> SourcedLimits {
    SourcedLimits {
        timeout: set.timeout.unwrap_or(Sourced::default(defaults.timeout)),
        memory: set.memory.unwrap_or(Sourced::default(defaults.memory)),
        output: set.output.unwrap_or(Sourced::default(defaults.output)),
        effects: set.effects.unwrap_or(Sourced::default(defaults.effects)),
        log: set.log.unwrap_or(Sourced::default(defaults.log)),
    }
}

/// Adds the value of `fallback` for each limit that is not set.
fn with_fallback(set: PartialLimits, fallback: &SourcedLimits) -> SourcedLimits {
    SourcedLimits {
        timeout: set.timeout.unwrap_or_else(|| fallback.timeout.clone()),
        memory: set.memory.unwrap_or_else(|| fallback.memory.clone()),
        output: set.output.unwrap_or_else(|| fallback.output.clone()),
        effects: set.effects.unwrap_or_else(|| fallback.effects.clone()),
        log: set.log.unwrap_or_else(|| fallback.log.clone()),
    }
}

/// Returns the limits that are not defaults.
fn explicit_limits(limits: &SourcedLimits) -> PartialLimits {
    fn explicit<T: Clone>(it: &Sourced<T>) -> Option<Sourced<T>> {
        (it.source != Source::Default).then(|| it.clone())
    }
    PartialLimits {
        timeout: explicit(&limits.timeout),
        memory: explicit(&limits.memory),
        output: explicit(&limits.output),
        effects: explicit(&limits.effects),
        log: explicit(&limits.log),
    }
}

/// Checks that no limit is above its maximum.
fn check_limits(
    key: &str,
    limits: &PartialLimits,
    maxima: &SourcedLimits,
) -> Result<(), ConfigError> {
    let time = |it: &Duration| humantime::format_duration(*it).to_string();
    let size = |it: &u64| ByteSize(*it).to_string();
    check_limit(&format!("{key}.timeout"), limits.timeout.as_ref(), &maxima.timeout, time)?;
    check_limit(&format!("{key}.memory"), limits.memory.as_ref(), &maxima.memory, size)?;
    check_limit(&format!("{key}.output"), limits.output.as_ref(), &maxima.output, size)?;
    check_limit(&format!("{key}.effects"), limits.effects.as_ref(), &maxima.effects, size)?;
    check_limit(&format!("{key}.log"), limits.log.as_ref(), &maxima.log, size)
}

fn check_limit<T: PartialOrd, D: Display>(
    key: &str,
    limit: Option<&Sourced<T>>,
    maximum: &Sourced<T>,
    show: impl Fn(&T) -> D,
) -> Result<(), ConfigError> {
    match limit {
        Some(Sourced { value, source }) if *value > maximum.value => {
            let problem = SettingError::AboveMaximum {
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

    use super::*;

    fn resolve(variables: &[(&str, &str)], flags: Flags) -> Result<Config, ConfigError> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let here = env::temp_dir();
        Config::resolve(flags, &here, &|name| variables.get(name).map(OsString::from))
    }

    #[test]
    fn flag_overrides_variable_and_variable_overrides_default() {
        let flags = Flags { plugins: vec!["f".into()], ..Flags::default() };
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
    fn empty_variable_is_unset() {
        let plugins =
            |list| resolve(&[("OPHOST_PLUGINS", list)], Flags::default()).unwrap().plugins;
        assert_eq!(plugins("").source, Source::Default);
        assert_eq!(plugins("::").source, Source::Default);
        assert_eq!(plugins(":a:").value, [Path::new("a")]);
        let config = resolve(&[("OPHOST_TIMEOUT", ""), ("OPHOST_DATA", "")], Flags::default());
        assert_eq!(config.unwrap().data.source, Source::Default);
    }

    #[test]
    fn error_of_an_invalid_variable_names_it() {
        let error =
            |name, value| resolve(&[(name, value)], Flags::default()).unwrap_err().to_string();
        assert_eq!(
            error("OPHOST_TIMEOUT", "soon"),
            "`OPHOST_TIMEOUT`: `limits.timeout` is `soon`, which is not a duration"
        );
        assert!(error("OPHOST_MEMORY", "0").contains("must be greater than zero"));
        assert!(error("OPHOST_RETENTION_MAX_RUNS", "0").contains("must be greater than zero"));
        assert_eq!(
            error("OPHOST_TIMEOUT", "2h"),
            "`OPHOST_TIMEOUT`: `limits.timeout` is 2h, above the maximum of 1h (default)"
        );
    }

    #[test]
    fn untrusted_file_can_only_lower_limits() {
        let text = "plugins = [\"a\"]\n[limits]\ntimeout = \"1s\"\nmemory = \"1GiB\"\n\
            max.log = \"1GiB\"\nmax.output = \"1MiB\"\n[operations.a]\ntimeout = \"31s\"\n\
            [compile]\ntime = \"241s\"\nmemory = \"1GiB\"\ncompiler = \"winch\"\n\
            [retention]\nmax_runs = 1\nfailed.max_age = \"1d\"\nhistory_max_age = \"1d\"\n";
        let mut settings = file::parse(text, Path::new("ophost.toml")).unwrap();
        let ignored = remove_grants(&mut settings, Path::new("ophost.toml"));
        let expected = [
            "plugins",
            "limits.memory",
            "limits.max.log",
            "operations.a.timeout",
            "compile.time",
            "compile.compiler",
            "retention.max_runs",
            "retention.failed.max_age",
            "retention.history_max_age",
        ];
        assert_eq!(ignored, expected);
        assert!(settings.retention.policy().is_empty());
        assert!(settings.limits.timeout.is_some() && settings.maxima.output.is_some());
        assert!(settings.compile_memory.is_some());
    }

    #[test]
    fn nearest_marker_is_the_root_and_paths_are_relative_to_it() {
        let root = env::temp_dir().join(format!("ophost-config-{}", std::process::id()));
        let below = root.join("a/b");
        fs::create_dir_all(&below).unwrap();
        fs::create_dir(root.join(".ophost")).unwrap();
        let read = || Config::resolve(Flags::default(), &below, &|_| None).unwrap();
        assert_eq!(read().plugins.value, [root.join("plugins")]);
        fs::write(root.join("a/ophost.toml"), "plugins = [\"p\", \"b/q\"]").unwrap();
        let config = read();
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(config.project, root.join("a"));
        assert_eq!(config.plugins.value, [root.join("a/p"), PathBuf::from("q")]);
    }
}
