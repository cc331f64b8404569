//! Which of the places that name a setting wins.

use std::env;
use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;

use super::discovery::{self, DATA_NAME, Mark, Top};
use super::error::{ConfigError, RULE, SIZE, SettingError, TIME, WORDS_OF_TRUST};
use super::file::{self, FileSettings};
use super::paths;
use super::{
    CompileSources, Config, ConfigFile, Flags, PartialLimits, Source, Sourced, SourcedLimits,
};
use crate::model::limits::{CompileBudget, Limits};
use crate::policy::RecordPolicy;
use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy, Untrusted};

const PLUGINS: &str = "OPHOST_PLUGINS";
const DATA: &str = "OPHOST_DATA";
const CACHE: &str = "OPHOST_CACHE";

/// How the environment is asked for a variable.
type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Config {
    /// Returns every setting as it is for this process, in its current directory.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError`] for the first thing that is not understood.
    pub fn read(flags: Flags) -> Result<Self, ConfigError> {
        let here = env::current_dir().map_err(ConfigError::NoDirectory)?;
        Self::resolve(flags, &here, &|name| env::var_os(name))
    }

    fn resolve(flags: Flags, here: &Path, variables: Variables<'_>) -> Result<Self, ConfigError> {
        let environment = Environment(variables);
        // What is trusted is not said by what is to be trusted.
        let trust = environment.trust(&flags.trust)?;
        let policy = trust.as_ref().map(|trust| trust.value.clone()).unwrap_or_default();
        let Project { base, is_marked, decides, file, untrusted, said } = project(here, &policy)?;
        let place = Place { base: &base, here, decides: decides.as_deref() };
        let compile = environment.compile(&said)?;
        let config = Self {
            plugins: place.plugins(&flags, variables, said.plugins)?,
            data: place.data(flags.data, variables, said.data)?,
            cache: environment.cache()?,
            trust: trust.or(said.trust).unwrap_or(Sourced::default(TrustPolicy::default())),
            record: environment.record(said.record)?,
            limits: environment.limits(said.limits)?,
            maxima: merge_limits(said.maxima, Limits::DEFAULT_MAXIMA),
            operations: said.operations,
            compile: CompileBudget { memory: compile.0.value, time: compile.1.value },
            compile_sources: CompileSources { memory: compile.0.source, time: compile.1.source },
            project: base,
            is_marked,
            file,
            untrusted,
        };
        config.without_overridden().checked()
    }

    /// Does not call a setting left out that a flag or a variable says anyway.
    fn without_overridden(mut self) -> Self {
        let is_said = |source: &Source| matches!(source, Source::Flag(_) | Source::Variable(_));
        let said = [
            ("plugins", is_said(&self.plugins.source)),
            ("data", is_said(&self.data.source)),
            ("trust", is_said(&self.trust.source)),
        ];
        if let Some(file) = &mut self.file {
            file.left_out.retain(|key| !said.iter().any(|(name, is_said)| *is_said && key == name));
        }
        self
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

/// The top of a project, and what its file says as far as that may be believed.
#[derive(Default)]
struct Project {
    base: PathBuf,
    is_marked: bool,
    /// What is not trusted and makes `base` the top, if that would be elsewhere without it.
    decides: Option<PathBuf>,
    file: Option<ConfigFile>,
    untrusted: Option<Untrusted>,
    said: FileSettings,
}

fn project(here: &Path, policy: &TrustPolicy) -> Result<Project, ConfigError> {
    let Some(Top { directory, mark }) = discovery::top(here) else {
        return Ok(Project { base: here.to_owned(), ..Project::default() });
    };
    let (path, exposed, file, said) = match mark {
        Mark::Data(path) => {
            let name = discovery::shortened(&path, here);
            let exposed = foreign(&path, &name, policy);
            (name, exposed, None, FileSettings::default())
        }
        Mark::File(path) => {
            let name = discovery::shortened(&path, here);
            let (mut said, exposed) = file::read((&path, &name), policy)?;
            let left_out = exposed.iter().flat_map(|_| tighten(&mut said, &name)).collect();
            (name.clone(), exposed, Some(ConfigFile { path: name, left_out }), said)
        }
    };
    // Whoever owns the mark chose the directory; who can only write to it found it there.
    let is_foreign = exposed.as_ref().is_some_and(|exposed| exposed.owner.is_some());
    let decides = (is_foreign && directory != here).then_some(path);
    let untrusted = exposed.map(Untrusted::from);
    Ok(Project { base: directory, is_marked: true, decides, file, untrusted, said })
}

/// Returns the owner of a data directory that marks a project, if that is another user. Its mode
/// does not matter: what is in it is judged when it is used.
fn foreign(path: &Path, name: &Path, policy: &TrustPolicy) -> Option<Exposed> {
    let status = fs::metadata(path).ok()?;
    let judge = Judge::new(policy);
    let exposed = judge.link_exposure(path, Purpose::Input);
    let exposed = exposed.or_else(|| judge.exposure(path, &status, Purpose::Input))?;
    exposed.owner.is_some().then(|| Exposed { path: name.to_owned(), ..exposed })
}

/// Takes out what grants, and returns the keys of that. Where the data and the plugins are is
/// kept, but marked: nobody is to use another place in silence.
fn tighten(said: &mut FileSettings, file: &Path) -> Vec<String> {
    let mut left_out = Vec::new();
    mark(&mut said.plugins, "plugins", file, &mut left_out);
    mark(&mut said.data, "data", file, &mut left_out);
    drop_if(&mut said.trust, "trust", &mut left_out, |_| true);
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

fn mark<T>(setting: &mut Option<Sourced<T>>, key: &str, file: &Path, left_out: &mut Vec<String>) {
    if let Some(setting) = setting {
        setting.source = Source::Untrusted { file: file.to_owned() };
        left_out.push(key.to_owned());
    }
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
    /// What is not trusted and makes `base` the top, if that would be elsewhere without it.
    decides: Option<&'a Path>,
}

impl Place<'_> {
    fn plugins(
        &self,
        flags: &Flags,
        variables: Variables<'_>,
        said: Option<Sourced<Vec<PathBuf>>>,
    ) -> Result<Sourced<Vec<PathBuf>>, ConfigError> {
        if !flags.plugins.is_empty() {
            return named(Source::Flag("--plugins"), "plugins", flags.plugins.iter().cloned());
        }
        // Empty parts come from `A:$UNSET`: they name nothing.
        let list = variables(PLUGINS).map(|list| paths::bare(&list)).unwrap_or_default();
        let parts =
            env::split_paths(&list).map(|path| PathBuf::from(paths::bare(path.as_os_str())));
        let parts: Vec<_> = parts.filter(|path| !path.as_os_str().is_empty()).collect();
        if !parts.is_empty() {
            return named(Source::Variable(PLUGINS), "plugins", parts.into_iter());
        }
        Ok(match said {
            Some(Sourced { value, source }) => {
                Sourced { value: value.iter().map(|path| self.below(path)).collect(), source }
            }
            None => {
                Sourced { value: vec![self.below(Path::new("plugins"))], source: self.default() }
            }
        })
    }

    fn data(
        &self,
        flag: Option<PathBuf>,
        variables: Variables<'_>,
        said: Option<Sourced<PathBuf>>,
    ) -> Result<Sourced<PathBuf>, ConfigError> {
        let variable = variables(DATA).map(|value| paths::bare(&value));
        let variable = variable.filter(|value| !value.is_empty());
        match (flag, variable, said) {
            (Some(value), _, _) => one(Source::Flag("--data"), "data", &value),
            (None, Some(value), _) => one(Source::Variable(DATA), "data", Path::new(&value)),
            (None, None, Some(said)) => Ok(Sourced { value: self.below(&said.value), ..said }),
            (None, None, None) => {
                Ok(Sourced { value: self.below(Path::new(DATA_NAME)), source: self.default() })
            }
        }
    }

    /// Returns the source of what nobody says: the place of the project.
    fn default(&self) -> Source {
        match self.decides {
            Some(mark) => Source::Untrusted { file: mark.to_owned() },
            None => Source::Default,
        }
    }

    fn below(&self, path: &Path) -> PathBuf {
        discovery::shortened(&self.base.join(path), self.here)
    }
}

/// Returns a path that a flag or a variable names.
fn one(source: Source, key: &str, path: &Path) -> Result<Sourced<PathBuf>, ConfigError> {
    match paths::path(key, path) {
        Ok(value) => Ok(Sourced { value, source }),
        Err(problem) => Err(ConfigError::setting(source, problem)),
    }
}

fn named(
    source: Source,
    key: &str,
    all: impl Iterator<Item = PathBuf>,
) -> Result<Sourced<Vec<PathBuf>>, ConfigError> {
    let value: Result<_, _> = all.map(|path| one(source.clone(), key, &path)).collect();
    let value: Vec<Sourced<PathBuf>> = value?;
    Ok(Sourced { value: value.into_iter().map(|it| it.value).collect(), source })
}

/// The environment, for settings that no file holds or that are no paths.
struct Environment<'a>(Variables<'a>);

impl Environment<'_> {
    /// Returns what the words of the flag or of the variable accept, if there are any.
    fn trust(&self, flag: &[String]) -> Result<Option<Sourced<TrustPolicy>>, ConfigError> {
        let read = |_: &str, text: &str| {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            words
                .into_iter()
                .try_fold(TrustPolicy::default(), |policy, word| file::trust("trust", policy, word))
        };
        if flag.is_empty() {
            return self.value("OPHOST_TRUST", ("trust", WORDS_OF_TRUST), read);
        }
        let source = Source::Flag("--trust");
        match read("trust", &flag.join(",")) {
            Ok(value) => Ok(Some(Sourced { value, source })),
            Err(problem) => Err(ConfigError::setting(source, problem)),
        }
    }

    fn cache(&self) -> Result<Option<Sourced<PathBuf>>, ConfigError> {
        let value = self.0(CACHE).map(|value| paths::bare(&value));
        let value = value.filter(|value| !value.is_empty());
        value.map(|value| one(Source::Variable(CACHE), "cache", Path::new(&value))).transpose()
    }

    fn limits(&self, said: PartialLimits) -> Result<SourcedLimits, ConfigError> {
        let set = PartialLimits {
            timeout: self.time("OPHOST_TIMEOUT", "limits.timeout")?.or(said.timeout),
            memory: self.size("OPHOST_MEMORY", "limits.memory")?.or(said.memory),
            output: self.size("OPHOST_OUTPUT", "limits.output")?.or(said.output),
            effects: self.size("OPHOST_EFFECTS", "limits.effects")?.or(said.effects),
            log: self.size("OPHOST_LOG", "limits.log")?.or(said.log),
        };
        Ok(merge_limits(set, Limits::DEFAULT))
    }

    fn record(
        &self,
        said: Option<Sourced<RecordPolicy>>,
    ) -> Result<Sourced<RecordPolicy>, ConfigError> {
        let variable = self.value("OPHOST_RECORD", ("record", RULE), file::rule)?;
        Ok(variable.or(said).unwrap_or(Sourced::default(RecordPolicy::default())))
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
        read: impl FnOnce(&str, &str) -> Result<T, SettingError>,
    ) -> Result<Option<Sourced<T>>, ConfigError> {
        let text = self.0(name).map(|text| paths::bare(&text));
        let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
        let source = Source::Variable(name);
        let value = match text.to_str() {
            Some(text) => read(key, text),
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

/// Returns what was set, and the rest as it is where nobody sets anything.
fn merge_limits(set: PartialLimits, rest: Limits) -> SourcedLimits {
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
    fn a_flag_wins_over_a_variable_and_that_over_the_default() {
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
        let left_out = tighten(&mut said, Path::new("ophost.toml"));
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
        assert_eq!(config.plugins.value, [top.join("a/p"), PathBuf::from("q")]);
    }
}
