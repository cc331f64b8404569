//! Settings from flags, environment variables and `ophost.toml`.
//!
//! - [`Config`] contains the resolved settings. A flag has precedence over a variable, a variable
//!   over the file, and the file over the default.
//! - [`Source`] is the source of a value, and [`Sourced`] is a value with its source.
//! - Of a file that other users can change, settings that grant more than the defaults are
//!   ignored. If it sets the data or plugin directories, commands that need them fail: see [`Config::check_trusted`].
//! - [`ConfigError`] contains the file, the line and a hint.

mod collections;
mod discovery;
mod error;
mod file;
mod paths;
mod resolve;
mod retention;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use self::collections::{CollectionSettings, RequestedIndex};
pub use self::discovery::FILE_NAME;
pub use self::error::ConfigError;
pub use self::file::is_without_unit;
pub use self::retention::{RetentionSettings, RunRetentionSettings};
use crate::model::compiler::CompilerBackend;
use crate::model::document::CollectionName;
use crate::model::limits::{CompileBudget, LimitRequest, Limits, OperationLimits};
use crate::model::operation::OperationName;
use crate::policy::RecordPolicy;
use crate::util::trust::{TrustPolicy, Untrusted};

/// The source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A command-line flag.
    Flag(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A line of a file.
    File {
        /// The file, relative to the current directory if the file is below it.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A file or marker directory that is not trusted. The value is the one that would apply if it
    /// were trusted.
    Untrusted {
        /// The file, relative to the current directory if the file is below it.
        file: PathBuf,
    },
    /// The default.
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

/// A value and its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// The source of the value.
    pub source: Source,
}

impl<T> Sourced<T> {
    fn default(value: T) -> Self {
        Self { value, source: Source::Default }
    }
}

/// An optional value for each limit.
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

/// The settings of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationSettings {
    /// The limits of its runs if the caller requests none.
    pub defaults: PartialLimits,
    /// The maxima of its limits.
    pub maxima: PartialLimits,
}

/// The sources of the values of a [`CompileBudget`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileSources {
    /// The source of [`CompileBudget::memory`].
    pub memory: Source,
    /// The source of [`CompileBudget::time`].
    pub time: Source,
}

/// The settings file of the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// The file, relative to the current directory if the file is below it.
    pub path: PathBuf,
    /// The keys of the settings that are ignored because the file is not trusted.
    pub ignored: Vec<String>,
}

/// The command-line flags of settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The values of `--plugins`, which can be repeated.
    pub plugins: Vec<PathBuf>,
    /// The value of `--data`.
    pub data: Option<PathBuf>,
    /// The words of `--trust`.
    pub trust: Vec<String>,
}

/// The resolved settings and their sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The project root; the current directory if there is no project.
    pub project: PathBuf,
    /// Whether `project` has a marker, that is, whether there is a project.
    pub is_marked: bool,
    /// The settings file, if it exists.
    pub file: Option<ConfigFile>,
    /// The reason why the file or data directory that marks the project root is not trusted.
    pub untrusted: Option<Untrusted>,
    /// One or more plugin directories, which may not exist.
    pub plugins: Sourced<Vec<PathBuf>>,
    /// The data directory, which may not exist.
    pub data: Sourced<PathBuf>,
    /// The directory of compiled code, if it is not in the data directory.
    pub cache: Option<Sourced<PathBuf>>,
    /// The owners and modes of plugins and data that are accepted beyond the default.
    pub trust: Sourced<TrustPolicy>,
    /// The policy that selects the direct calls to record.
    pub record: Sourced<RecordPolicy>,
    /// The limits of runs if neither the caller nor the operation sets one.
    pub limits: SourcedLimits,
    /// The maxima that callers can request.
    pub maxima: SourcedLimits,
    /// The settings of single operations.
    pub operations: BTreeMap<OperationName, OperationSettings>,
    /// The settings of single collections.
    pub collections: BTreeMap<CollectionName, CollectionSettings>,
    /// The limits for the compilation of one plugin.
    pub compile: CompileBudget,
    /// The sources of `compile`.
    pub compile_sources: CompileSources,
    /// The compiler of plugins; `None` if each command uses its own default.
    pub compiler: Option<Sourced<CompilerBackend>>,
    /// The retention of runs and document changes.
    pub retention: RetentionSettings,
}

impl Config {
    /// Returns the limits of runs if neither the caller nor the operation sets one.
    pub fn limits(&self) -> Limits {
        self.limits.limits()
    }

    /// Returns the maxima that callers can request.
    pub fn max_limits(&self) -> Limits {
        self.maxima.limits()
    }

    /// Returns the limits of single operations.
    pub fn operation_limits(&self) -> impl Iterator<Item = (OperationName, OperationLimits)> {
        self.operations.iter().map(|(name, settings)| {
            let (defaults, maxima) = (settings.defaults.request(), settings.maxima.request());
            (name.clone(), OperationLimits { defaults, maxima })
        })
    }

    /// Checks that no untrusted file sets the data directory or, if `with_plugins`, the plugin
    /// directories.
    ///
    /// # Errors
    ///
    /// Returns [`ConfigError::Untrusted`] if an untrusted file sets one of them.
    pub fn check_trusted(&self, with_plugins: bool) -> Result<(), ConfigError> {
        let plugins = with_plugins.then_some(("plugins", &self.plugins.source));
        let settings = [("data", &self.data.source)].into_iter().chain(plugins);
        let is_untrusted = |source: &Source| matches!(source, Source::Untrusted { .. });
        let keys: Vec<_> =
            settings.filter(|(_, it)| is_untrusted(it)).map(|(key, _)| key).collect();
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

    /// Returns the directory for new plugins, which is the first plugin directory.
    pub fn install_directory(&self) -> &Path {
        self.plugins.value.first().map_or(Path::new("plugins"), PathBuf::as_path)
    }
}
