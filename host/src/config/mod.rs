//! Settings: what flags, the environment and `ophost.toml` say, and where each value came
//! from.
//!
//! - [`Config`] is the answer: a flag wins over a variable, that over the file, that over the
//!   default.
//! - [`Source`] says where a value came from; [`Sourced`] is a value that knows.
//! - A file that other users can change grants nothing. If it says where the data or the plugins
//!   are, nothing that needs them goes on: see [`Config::check_trusted`].
//! - [`ConfigError`] names the file, the line and the way out.

mod discovery;
mod error;
mod file;
mod paths;
mod resolve;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::discovery::FILE_NAME;
pub use self::error::ConfigError;
pub use self::file::is_without_unit;
use crate::model::limits::{CompileBudget, LimitRequest, Limits, OperationLimits};
use crate::model::operation::OperationName;
use crate::policy::RecordPolicy;
use crate::util::trust::{TrustPolicy, Untrusted};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the environment.
    Variable(&'static str),
    /// A line of a file.
    File {
        /// The file, as short as it can be written from here.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A file, or a directory that marks the project, that is not trusted: the value is what
    /// it would be.
    Untrusted {
        /// The file, as short as it can be written from here.
        file: PathBuf,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Untrusted { file } => write!(f, "{}, not trusted", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub source: Source,
}

impl<T> Sourced<T> {
    fn default(value: T) -> Self {
        Self { value, source: Source::Default }
    }
}

/// A value for each limit, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialLimits {
    /// See [`Limits::timeout`].
    pub timeout: Option<Sourced<Duration>>,
    /// See [`Limits::memory`].
    pub memory: Option<Sourced<u64>>,
    /// See [`Limits::output`].
    pub output: Option<Sourced<u64>>,
    /// See [`Limits::effects`].
    pub effects: Option<Sourced<u64>>,
    /// See [`Limits::log`].
    pub log: Option<Sourced<u64>>,
}

impl PartialLimits {
    fn request(&self) -> LimitRequest {
        LimitRequest {
            timeout: self.timeout.as_ref().map(|it| it.value),
            memory: self.memory.as_ref().map(|it| it.value),
            output: self.output.as_ref().map(|it| it.value),
            effects: self.effects.as_ref().map(|it| it.value),
            log: self.log.as_ref().map(|it| it.value),
        }
    }
}

/// A value for each limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcedLimits {
    /// See [`Limits::timeout`].
    pub timeout: Sourced<Duration>,
    /// See [`Limits::memory`].
    pub memory: Sourced<u64>,
    /// See [`Limits::output`].
    pub output: Sourced<u64>,
    /// See [`Limits::effects`].
    pub effects: Sourced<u64>,
    /// See [`Limits::log`].
    pub log: Sourced<u64>,
}

impl SourcedLimits {
    fn limits(&self) -> Limits {
        Limits {
            timeout: self.timeout.value,
            memory: self.memory.value,
            output: self.output.value,
            effects: self.effects.value,
            log: self.log.value,
        }
    }
}

/// What is said of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationSettings {
    /// What its runs get where the caller says nothing.
    pub defaults: PartialLimits,
    /// The most that its callers may ask for.
    pub maxima: PartialLimits,
}

/// Where the values of a [`CompileBudget`] came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileSources {
    /// That of [`CompileBudget::memory`].
    pub memory: Source,
    /// That of [`CompileBudget::time`].
    pub time: Source,
}

/// The file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// The file, as short as it can be written from here.
    pub path: PathBuf,
    /// The settings that were left out because it is not trusted.
    pub left_out: Vec<String>,
}

/// What a command line says of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `--plugins`, each time it stands there.
    pub plugins: Vec<PathBuf>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// The words of `--trust`.
    pub trust: Vec<String>,
}

/// Every setting, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The top of the project; the current directory where there is none.
    pub project: PathBuf,
    /// Whether something marks the top of a project.
    pub is_marked: bool,
    /// The file, if there is one.
    pub file: Option<ConfigFile>,
    /// Why the file, or the data directory that marks the project, is not trusted.
    pub untrusted: Option<Untrusted>,
    /// The directories of plugins, at least one, whether they exist or not.
    pub plugins: Sourced<Vec<PathBuf>>,
    /// The directory of what the host keeps, whether it exists or not.
    pub data: Sourced<PathBuf>,
    /// The directory of compiled code, if it is not in the data directory.
    pub cache: Option<Sourced<PathBuf>>,
    /// Which owners and modes of plugins and data are accepted.
    pub trust: Sourced<TrustPolicy>,
    /// Which direct calls are recorded.
    pub record: Sourced<RecordPolicy>,
    /// What runs get where caller and operation say nothing.
    pub limits: SourcedLimits,
    /// The most that callers may ask for.
    pub maxima: SourcedLimits,
    /// What is said of single operations.
    pub operations: BTreeMap<OperationName, OperationSettings>,
    /// The bounds of compiling one plugin.
    pub compile: CompileBudget,
    /// Where those came from.
    pub compile_sources: CompileSources,
}

impl Config {
    /// Returns the limits of runs whose caller and operation say nothing.
    pub fn limits(&self) -> Limits {
        self.limits.limits()
    }

    /// Returns the most that callers may ask for.
    pub fn max_limits(&self) -> Limits {
        self.maxima.limits()
    }

    /// Returns what is said of single operations.
    pub fn operation_limits(&self) -> impl Iterator<Item = (OperationName, OperationLimits)> {
        self.operations.iter().map(|(name, settings)| {
            let (defaults, maxima) = (settings.defaults.request(), settings.maxima.request());
            (name.clone(), OperationLimits { defaults, maxima })
        })
    }

    /// Makes sure that no file that is not trusted says where the data are and, if `with_plugins`,
    /// where the plugins are.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Untrusted`] if one does.
    pub fn check_trusted(&self, with_plugins: bool) -> Result<(), ConfigError> {
        let plugins = with_plugins.then_some(("plugins", &self.plugins.source));
        let all = [("data", &self.data.source)].into_iter().chain(plugins);
        let is_untrusted = |source: &Source| matches!(source, Source::Untrusted { .. });
        let keys: Vec<_> = all.filter(|(_, it)| is_untrusted(it)).map(|(key, _)| key).collect();
        match &self.untrusted {
            Some(untrusted) if !keys.is_empty() => {
                Err(ConfigError::Untrusted { keys, untrusted: untrusted.clone() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Returns the directory of compiled code.
    pub fn cache_directory(&self) -> Sourced<PathBuf> {
        self.cache.clone().unwrap_or_else(|| {
            let Sourced { value, source } = &self.data;
            Sourced { value: value.join("cache"), source: source.clone() }
        })
    }

    /// Returns the directory that new plugins go to: the first one.
    pub fn install_directory(&self) -> &Path {
        self.plugins.value.first().map_or(Path::new("plugins"), PathBuf::as_path)
    }
}
