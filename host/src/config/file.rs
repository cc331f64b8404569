//! Strict parser of `ophost.toml`. Unknown keys and invalid values are errors with their line.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{
    COMPILER, ConfigError, DURATION, PATH, PATHS, RECORD_POLICY, RUN_COUNT, SIZE, SettingError,
    TABLE, TRUST_WORDS,
};
use super::paths;
use super::{
    CollectionSettings, OperationSettings, PartialLimits, RetentionSettings, RunRetentionSettings,
    Source, Sourced,
};
use crate::model::compiler::CompilerBackend;
use crate::model::document::CollectionName;
use crate::model::operation::OperationName;
use crate::policy::RecordPolicy;
use crate::util::text_encoding;
use crate::util::trust::{Exposed, Judge, Purpose, TrustPolicy};
use ophost_document::suggest::closest_match;
use ophost_document::text;

/// Maximum size of a settings file, in bytes.
const MAX_FILE_SIZE: u64 = 1 << 20;
/// Maximum length of an invalid value in an error, in characters.
const MAX_SHOWN: usize = 60;

const ROOT_KEYS: [&str; 9] = [
    "plugins",
    "data",
    "trust",
    "record",
    "limits",
    "operations",
    "collections",
    "compile",
    "retention",
];
const LIMIT_KEYS: [&str; 6] = ["timeout", "memory", "output", "effects", "log", "max"];
const MAXIMUM_KEYS: [&str; 5] = ["timeout", "memory", "output", "effects", "log"];
const COMPILE_KEYS: [&str; 3] = ["memory", "time", "compiler"];
const RETENTION_KEYS: [&str; 6] =
    ["max_age", "max_runs", "history_max_age", "success", "failed", "cancelled"];
const RUN_RETENTION_KEYS: [&str; 2] = ["max_age", "max_runs"];

/// The settings in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FileSettings {
    /// The paths as written, relative to the directory of the file.
    pub(super) plugins: Option<Sourced<Vec<PathBuf>>>,
    /// The paths as written, relative to the directory of the file.
    pub(super) data: Option<Sourced<PathBuf>>,
    pub(super) trust: Option<Sourced<TrustPolicy>>,
    pub(super) record: Option<Sourced<RecordPolicy>>,
    pub(super) limits: PartialLimits,
    pub(super) maxima: PartialLimits,
    pub(super) operations: BTreeMap<OperationName, OperationSettings>,
    pub(super) collections: BTreeMap<CollectionName, CollectionSettings>,
    pub(super) compile_memory: Option<Sourced<u64>>,
    pub(super) compile_time: Option<Sourced<Duration>>,
    pub(super) compiler: Option<Sourced<CompilerBackend>>,
    pub(super) retention: RetentionSettings,
}

/// Reads a file, and returns why it is not trusted, if so. Errors call the file `name`.
pub(super) fn read(
    (path, name): (&Path, &Path),
    policy: &TrustPolicy,
) -> Result<(FileSettings, Option<Exposed>), ConfigError> {
    let (text, status) =
        open(path).map_err(|source| ConfigError::Unreadable { file: name.to_owned(), source })?;
    let judge = Judge::new(policy);
    let exposed = judge.link_exposure(path, Purpose::Input);
    let exposed = exposed.or_else(|| judge.exposure(path, &status, Purpose::Input));
    let exposed = exposed.map(|exposed| Exposed { path: name.to_owned(), ..exposed });
    Ok((parse(&text, name)?, exposed))
}

/// Returns the text and the metadata of a file. Both are read from the same open file, because the
/// path can be replaced between two accesses.
fn open(path: &Path) -> io::Result<(String, Metadata)> {
    // Check the type first, because opening a FIFO would block until it has a writer.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let file = File::open(path)?;
    let status = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(io::Error::other(format!("larger than {}", ByteSize(MAX_FILE_SIZE))));
    }
    let text = text_encoding::decode(bytes).map_err(io::Error::other)?;
    Ok((text, status))
}

/// Parses the text of a settings file. Errors call the file `name`.
pub(super) fn parse(text: &str, name: &Path) -> Result<FileSettings, ConfigError> {
    let parser = Parser { text, name };
    let document = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        file: name.to_owned(),
        line: parser.line(error.span().map_or(0, |span| span.start)),
        problem: error.message().lines().collect::<Vec<_>>().join("; "),
    })?;
    parser.settings(document.get_ref())
}

pub(super) type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
pub(super) type Entry<'a> = Spanned<DeValue<'a>>;

/// A parser with the text and the name of its file.
#[derive(Clone, Copy)]
pub(super) struct Parser<'a> {
    text: &'a str,
    name: &'a Path,
}

impl Parser<'_> {
    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    pub(super) fn source<T>(&self, spanned: &Spanned<T>) -> Source {
        Source::File { file: self.name.to_owned(), line: self.line(spanned.span().start) }
    }

    fn settings(&self, table: &DeTable<'_>) -> Result<FileSettings, ConfigError> {
        let mut settings = FileSettings::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "plugins" => settings.plugins = Some(self.paths("plugins", value)?),
                "data" => settings.data = Some(self.path("data", value)?),
                "trust" => settings.trust = Some(self.trust("trust", value)?),
                "record" => settings.record = Some(self.record_policy("record", value)?),
                "limits" => {
                    (settings.limits, settings.maxima) = self.limits("limits", value)?;
                }
                "operations" => settings.operations = self.operations(value)?,
                "collections" => settings.collections = self.collections(value)?,
                "compile" => self.compile(&mut settings, value)?,
                "retention" => settings.retention = self.retention(value)?,
                _ => return Err(self.unknown("", key, &ROOT_KEYS)),
            }
        }
        Ok(settings)
    }

    /// Returns the limits of a table, and the maxima of its `max` table.
    fn limits(
        &self,
        name: &str,
        value: &Entry<'_>,
    ) -> Result<(PartialLimits, PartialLimits), ConfigError> {
        let mut limits = PartialLimits::default();
        let mut maxima = PartialLimits::default();
        for (key, value) in self.table(name, value)? {
            if key.get_ref() == "max" {
                let name = format!("{name}.max");
                for (key, value) in self.table(&name, value)? {
                    self.limit(&mut maxima, &name, (key, value), &MAXIMUM_KEYS)?;
                }
            } else {
                self.limit(&mut limits, name, (key, value), &LIMIT_KEYS)?;
            }
        }
        Ok((limits, maxima))
    }

    fn limit(
        &self,
        limits: &mut PartialLimits,
        name: &str,
        (key, value): (&Key<'_>, &Entry<'_>),
        known: &'static [&'static str],
    ) -> Result<(), ConfigError> {
        let full = format!("{name}.{}", key.get_ref());
        match key.get_ref().as_ref() {
            "timeout" => limits.timeout = Some(self.duration(&full, value)?),
            "memory" => limits.memory = Some(self.size(&full, value)?),
            "output" => limits.output = Some(self.size(&full, value)?),
            "effects" => limits.effects = Some(self.size(&full, value)?),
            "log" => limits.log = Some(self.size(&full, value)?),
            _ => match name.strip_prefix("operations.") {
                Some(operation) if value.get_ref().is_table() => {
                    let name = format!("{operation}.{}", truncated(key.get_ref()));
                    return Err(self.invalid(key, SettingError::Unquoted(name)));
                }
                Some(_) | None => return Err(self.unknown(name, key, known)),
            },
        }
        Ok(())
    }

    fn operations(
        &self,
        value: &Entry<'_>,
    ) -> Result<BTreeMap<OperationName, OperationSettings>, ConfigError> {
        let mut operations = BTreeMap::new();
        for (key, value) in self.table("operations", value)? {
            let name = OperationName::new(key.get_ref().as_ref()).map_err(|_| {
                self.invalid(key, SettingError::OperationName(truncated(key.get_ref())))
            })?;
            let (defaults, maxima) = self.limits(&format!("operations.{name}"), value)?;
            operations.insert(name, OperationSettings { defaults, maxima });
        }
        Ok(operations)
    }

    fn compile(&self, settings: &mut FileSettings, value: &Entry<'_>) -> Result<(), ConfigError> {
        for (key, value) in self.table("compile", value)? {
            match key.get_ref().as_ref() {
                "memory" => settings.compile_memory = Some(self.size("compile.memory", value)?),
                "time" => settings.compile_time = Some(self.duration("compile.time", value)?),
                "compiler" => settings.compiler = Some(self.compiler("compile.compiler", value)?),
                _ => return Err(self.unknown("compile", key, &COMPILE_KEYS)),
            }
        }
        Ok(())
    }

    fn retention(&self, value: &Entry<'_>) -> Result<RetentionSettings, ConfigError> {
        let mut settings = RetentionSettings::default();
        for (key, value) in self.table("retention", value)? {
            match key.get_ref().as_ref() {
                "history_max_age" => {
                    settings.history_max_age =
                        Some(self.duration("retention.history_max_age", value)?);
                }
                "success" => settings.success = Some(self.run_retention(key, value)?),
                "failed" => settings.failed = Some(self.run_retention(key, value)?),
                "cancelled" => settings.cancelled = Some(self.run_retention(key, value)?),
                _ => {
                    let entry = (key, value);
                    let known = &RETENTION_KEYS;
                    self.run_limit(&mut settings.runs, "retention", entry, known)?;
                }
            }
        }
        Ok(settings)
    }

    /// Returns the limits in the table of a status.
    fn run_retention(
        &self,
        status: &Key<'_>,
        value: &Entry<'_>,
    ) -> Result<RunRetentionSettings, ConfigError> {
        let name = format!("retention.{}", status.get_ref());
        let mut limits = RunRetentionSettings::default();
        for entry in self.table(&name, value)? {
            self.run_limit(&mut limits, &name, entry, &RUN_RETENTION_KEYS)?;
        }
        Ok(limits)
    }

    fn run_limit(
        &self,
        limits: &mut RunRetentionSettings,
        name: &str,
        (key, value): (&Key<'_>, &Entry<'_>),
        known: &'static [&'static str],
    ) -> Result<(), ConfigError> {
        let full = format!("{name}.{}", key.get_ref());
        match key.get_ref().as_ref() {
            "max_age" => limits.max_age = Some(self.duration(&full, value)?),
            "max_runs" => limits.max_runs = Some(self.run_count(&full, value)?),
            _ => return Err(self.unknown(name, key, known)),
        }
        Ok(())
    }

    fn run_count(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<u64>, ConfigError> {
        let DeValue::Integer(number) = value.get_ref() else {
            return Err(self.wrong_type(key, value, RUN_COUNT));
        };
        // Numbers in other notations are errors, like those with a sign.
        let count = run_count(key, number.as_str()).map_err(|error| self.invalid(value, error))?;
        Ok(Sourced { value: count, source: self.source(value) })
    }

    pub(super) fn table<'v, 'i>(
        &self,
        key: &str,
        value: &'v Entry<'i>,
    ) -> Result<&'v DeTable<'i>, ConfigError> {
        value.get_ref().as_table().ok_or_else(|| self.wrong_type(key, value, TABLE))
    }

    pub(super) fn text<'v>(
        &self,
        key: &str,
        value: &'v Entry<'_>,
        expected: &'static str,
    ) -> Result<&'v str, ConfigError> {
        value.get_ref().as_str().ok_or_else(|| self.wrong_type(key, value, expected))
    }

    fn duration(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<Duration>, ConfigError> {
        let text = self.text(key, value, DURATION)?;
        let duration = duration(key, text).map_err(|problem| self.invalid(value, problem))?;
        Ok(Sourced { value: duration, source: self.source(value) })
    }

    fn size(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<u64>, ConfigError> {
        let text = self.text(key, value, SIZE)?;
        let size = size(key, text).map_err(|problem| self.invalid(value, problem))?;
        Ok(Sourced { value: size, source: self.source(value) })
    }

    fn record_policy(
        &self,
        key: &str,
        value: &Entry<'_>,
    ) -> Result<Sourced<RecordPolicy>, ConfigError> {
        let text = self.text(key, value, RECORD_POLICY)?;
        let policy = record_policy(key, text).map_err(|problem| self.invalid(value, problem))?;
        Ok(Sourced { value: policy, source: self.source(value) })
    }

    fn compiler(
        &self,
        key: &str,
        value: &Entry<'_>,
    ) -> Result<Sourced<CompilerBackend>, ConfigError> {
        let text = self.text(key, value, COMPILER)?;
        let compiler = compiler(key, text).map_err(|problem| self.invalid(value, problem))?;
        Ok(Sourced { value: compiler, source: self.source(value) })
    }

    fn path(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<PathBuf>, ConfigError> {
        let text = self.text(key, value, PATH)?;
        if text.is_empty() {
            let problem =
                SettingError::BadValue { key: key.into(), value: "".into(), expected: PATH };
            return Err(self.invalid(value, problem));
        }
        let path = paths::path(key, Path::new(text)).map_err(|error| self.invalid(value, error))?;
        Ok(Sourced { value: path, source: self.source(value) })
    }

    fn trust(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<TrustPolicy>, ConfigError> {
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong_type(key, value, TRUST_WORDS))?;
        let policy = list.iter().try_fold(TrustPolicy::default(), |policy, item| {
            let word = self.text(key, item, TRUST_WORDS)?;
            trust(key, policy, word).map_err(|problem| self.invalid(item, problem))
        })?;
        Ok(Sourced { value: policy, source: self.source(value) })
    }

    fn paths(&self, key: &str, value: &Entry<'_>) -> Result<Sourced<Vec<PathBuf>>, ConfigError> {
        let list = value.get_ref().as_array();
        let list = list.ok_or_else(|| self.wrong_type(key, value, PATHS))?;
        let paths: Result<Vec<_>, _> =
            list.iter().map(|item| self.path(key, item).map(|path| path.value)).collect();
        let paths = paths?;
        if paths.is_empty() {
            let problem =
                SettingError::BadValue { key: key.into(), value: "[]".into(), expected: PATHS };
            return Err(self.invalid(value, problem));
        }
        Ok(Sourced { value: paths, source: self.source(value) })
    }

    pub(super) fn invalid<T>(&self, spanned: &Spanned<T>, problem: SettingError) -> ConfigError {
        ConfigError::setting(self.source(spanned), problem)
    }

    pub(super) fn wrong_type(
        &self,
        key: &str,
        value: &Entry<'_>,
        expected: &'static str,
    ) -> ConfigError {
        let got = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.invalid(value, SettingError::WrongType { key: key.to_owned(), expected, got })
    }

    pub(super) fn unknown(
        &self,
        table: &str,
        key: &Key<'_>,
        known: &'static [&'static str],
    ) -> ConfigError {
        let name = key.get_ref().as_ref();
        let full =
            if table.is_empty() { truncated(name) } else { format!("{table}.{}", truncated(name)) };
        let suggestion = closest_match(name, known.iter().copied());
        self.invalid(key, SettingError::UnknownKey { key: full, suggestion, known })
    }
}

pub(super) fn truncated(text: &str) -> String {
    text::truncate_chars(text, MAX_SHOWN)
}

/// Parses a duration that is not zero. Errors call the setting `key`.
pub(super) fn duration(key: &str, text: &str) -> Result<Duration, SettingError> {
    match humantime::parse_duration(text.trim()) {
        Ok(Duration::ZERO) => Err(SettingError::Zero { key: key.to_owned() }),
        Ok(duration) => Ok(duration),
        Err(_) => Err(SettingError::BadValue {
            key: key.to_owned(),
            value: truncated(text),
            expected: DURATION,
        }),
    }
}

/// Returns whether a text is a number above zero without a unit. The text is rejected as a size,
/// because a limit of so few bytes is a mistake.
pub fn is_without_unit(text: &str) -> bool {
    text.trim().parse::<f64>().is_ok_and(|number| number > 0.0)
}

/// Parses a size in bytes that is not zero. Errors call the setting `key`.
pub(super) fn size(key: &str, text: &str) -> Result<u64, SettingError> {
    match text.trim().parse::<ByteSize>() {
        Ok(ByteSize(0)) => Err(SettingError::Zero { key: key.to_owned() }),
        Ok(ByteSize(size)) if !is_without_unit(text) => Ok(size),
        Ok(_) | Err(_) => Err(SettingError::BadValue {
            key: key.to_owned(),
            value: truncated(text),
            expected: SIZE,
        }),
    }
}

/// Parses a number of runs that is not zero. Errors call the setting `key`.
pub(super) fn run_count(key: &str, text: &str) -> Result<u64, SettingError> {
    match text.trim().parse() {
        Ok(0) => Err(SettingError::Zero { key: key.to_owned() }),
        Ok(count) => Ok(count),
        Err(_) => Err(SettingError::BadValue {
            key: key.to_owned(),
            value: truncated(text),
            expected: RUN_COUNT,
        }),
    }
}

/// Adds a word to a policy. Errors call the setting `key`.
pub(super) fn trust(
    key: &str,
    policy: TrustPolicy,
    word: &str,
) -> Result<TrustPolicy, SettingError> {
    policy.word(word.trim()).map_err(|word| SettingError::Trust { key: key.to_owned(), word })
}

/// Parses a record policy. Errors call the setting `key`.
pub(super) fn record_policy(key: &str, text: &str) -> Result<RecordPolicy, SettingError> {
    let has_name = |policy: &RecordPolicy| policy.as_str() == text.trim();
    RecordPolicy::ALL.into_iter().find(has_name).ok_or_else(|| SettingError::BadValue {
        key: key.to_owned(),
        value: truncated(text),
        expected: RECORD_POLICY,
    })
}

/// Parses the name of a compiler. Errors call the setting `key`.
pub(super) fn compiler(key: &str, text: &str) -> Result<CompilerBackend, SettingError> {
    CompilerBackend::from_name(text.trim()).ok_or_else(|| SettingError::BadValue {
        key: key.to_owned(),
        value: truncated(text),
        expected: COMPILER,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RequestedIndex;

    fn read(text: &str) -> Result<FileSettings, String> {
        parse(text, Path::new("ophost.toml")).map_err(|error| {
            let hint = error.hint().unwrap_or_default();
            format!("{error}; {hint}")
        })
    }

    #[test]
    fn all_settings_are_parsed_with_their_lines() {
        let text = "plugins = [\"a\", \"b\"]\ndata = \"d\"\nrecord = \"always\"\n\
            [limits]\ntimeout = \"2s\"\nmax.memory = \"1GiB\"\n\
            [operations.word_count]\nlog = \"1KiB\"\n[operations.\"a.b\".max]\noutput = \"2MiB\"\n\
            [compile]\ntime = \"5s\"\nmemory = \"1GiB\"\n\
            [retention]\nmax_runs = 1_000\nhistory_max_age = \"30d\"\n\
            [retention.failed]\nmax_age = \"1y\"\n";
        let settings = read(text).unwrap();
        let line = |line| Source::File { file: "ophost.toml".into(), line };
        assert_eq!(settings.plugins.unwrap().value, [Path::new("a"), Path::new("b")]);
        assert_eq!(
            settings.limits.timeout,
            Some(Sourced { value: Duration::from_secs(2), source: line(5) })
        );
        assert_eq!(settings.maxima.memory, Some(Sourced { value: 1 << 30, source: line(6) }));
        let names: Vec<_> = settings.operations.keys().map(OperationName::as_str).collect();
        assert_eq!(names, ["a.b", "word_count"]);
        assert_eq!(settings.compile_time.unwrap().source, line(12));
        assert_eq!(settings.record, Some(Sourced { value: RecordPolicy::Always, source: line(3) }));
        let RetentionSettings { runs, failed, history_max_age, .. } = settings.retention;
        assert_eq!(runs.max_runs, Some(Sourced { value: 1_000, source: line(15) }));
        assert_eq!(history_max_age.unwrap().source, line(16));
        assert_eq!(failed.unwrap().max_age.unwrap().source, line(18));
    }

    #[test]
    fn indexes_of_collections_are_parsed() {
        let text = "[collections.jobs]\nindexes = [\"status\", {field = \"email\", unique = true}]";
        let collections = read(text).unwrap().collections;
        let (name, CollectionSettings { indexes }) = collections.first_key_value().unwrap();
        assert_eq!(name.as_str(), "jobs");
        let of = |it: &RequestedIndex| (it.field.to_string(), it.unique);
        let known: Vec<_> = indexes.value.iter().map(of).collect();
        assert_eq!(known, [("status".to_owned(), false), ("email".to_owned(), true)]);
        assert_eq!(indexes.source, Source::File { file: "ophost.toml".into(), line: 2 });
    }

    #[test]
    fn errors_have_the_line_and_a_hint() {
        let error = |text| read(text).unwrap_err();
        assert_eq!(
            error("\n[limits]\ntimout = \"1s\""),
            "`ophost.toml`, line 3: `limits.timout` is not a setting; did you mean `timeout`?"
        );
        assert_eq!(
            error("[compile]\nthreads = 1"),
            "`ophost.toml`, line 2: `compile.threads` is not a setting; use one of: memory, time, compiler"
        );
        assert!(
            error("data = 5").starts_with("`ophost.toml`, line 1: `data` is a number, not a path")
        );
        assert!(error("limits = []").contains("`limits` is a list, not a table"));
        assert!(error("limits.memory = \"lots\"").contains("is `lots`, which is not a size"));
        assert!(error("limits.memory = \"1\"").contains("is `1`, which is not a size"));
        assert!(error("limits.max.timeout = \"0s\"").contains("must be greater than zero"));
        assert_eq!(
            error("record = \"never\""),
            "`ophost.toml`, line 1: `record` is `never`, which is not a record policy; \
             use `declared` (calls that operations declare), `changes` (also calls that may change \
             documents) or `always` (all calls)"
        );
        assert_eq!(
            error("retention.max_runs = 0"),
            "`ophost.toml`, line 1: `retention.max_runs` must be greater than zero; \
             remove the setting to use the default"
        );
        assert!(error("retention.max_age = \"0s\"").contains("must be greater than zero"));
        assert!(
            error("retention.failed.max_runs = \"9\"").contains("is a string, not a number of")
        );
        assert!(error("retention.max_runs = -1").contains("which is not a number of runs"));
        assert_eq!(
            error("[retention.running]\nmax_runs = 1"),
            "`ophost.toml`, line 1: `retention.running` is not a setting; use one of: max_age, \
             max_runs, history_max_age, success, failed, cancelled"
        );
        assert!(error("retention.failed.history_max_age = \"1d\"").contains("is not a setting"));
        assert!(error("plugins = []").contains("is `[]`, which is not a list of paths"));
        assert!(error("[collections.Bad]").contains("`Bad` is not a valid collection name"));
        let index =
            |list: &str| read(&format!("[collections.jobs]\nindexes = {list}")).unwrap_err();
        assert_eq!(
            index("[\"rows.0\"]"),
            "`ophost.toml`, line 2: `collections.jobs.indexes`: \
             cannot index `rows.0`: `0` is a position in a list; "
        );
        assert!(index("\"status\"").contains("`collections.jobs.indexes` is a string, not a list"));
        assert!(index("[{unique = true}]").contains("is a table, not a list of fields"));
        assert!(index("[{field = \"a\", uniq = true}]").contains("did you mean `unique`?"));
        assert!(error("[operations.Bad]").contains("`Bad` is not a valid operation name"));
        assert_eq!(
            error("[operations.a.b]\nlog = \"1KiB\""),
            "`ophost.toml`, line 1: `operations.a.b` is not a setting; \
             quote a name with dots: `[operations.\"a.b\"]`"
        );
        assert!(error("a = \nb = 1").starts_with("`ophost.toml`, line 1: "));
    }
}
