//! From plugin directories to a picture of them.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::{FileError, RegistryError};
use super::files::{self, Candidate, Directories, Ignored};
use super::index::{Index, IndexEntry, Inspection};
use super::name_ownership::NameOwners;
use super::snapshot::{PluginFile, RegisteredOperation, Registry, Rejected, Schemas};
use crate::model::digest::Digest;
use crate::model::operation::{OperationName, Plugin};
use crate::sandbox::{DescribeError, Guest, LoadError, Sandbox};
use crate::util::code_dir::CodeDir;
use crate::util::os_error::Shortage;
use crate::util::trust::TrustPolicy;

/// How long a file stays refused that could not be compiled within bounds, or did not say what
/// it is: the machine may have been busy. In nanoseconds.
const COMPILE_BACK_OFF: i64 = 600 * 1_000_000_000;
const DESCRIBE_BACK_OFF: i64 = 10 * 1_000_000_000;
/// How many plugins are compiled at once, at most.
const MAX_AT_ONCE: usize = 4;

/// What a record of a file looks like in memory.
type Known = IndexEntry<Arc<PluginFile>>;

/// A plugin that has to be looked at, since nothing is known of its content.
#[derive(Clone, Copy, Debug)]
pub struct LoadProgress<'a> {
    /// The file.
    pub file: &'a Path,
    /// How many were looked at before.
    pub done: usize,
    /// How many there are to look at.
    pub total: usize,
}

/// Someone who wants to know which plugins take their time.
#[derive(Clone)]
pub(crate) struct LoadObserver(Arc<dyn Fn(LoadProgress<'_>) + Send + Sync>);

impl LoadObserver {
    pub(crate) fn new(observe: impl Fn(LoadProgress<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }
}

impl fmt::Debug for LoadObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadObserver")
    }
}

/// Where plugins are, and what is known of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoaderOptions {
    pub(crate) directories: Vec<PathBuf>,
    /// Where the index is kept; without it, plugins are described each time.
    pub(crate) code: Option<CodeDir>,
    /// Which directories and files are used although others can write them.
    pub(crate) policy: TrustPolicy,
    pub(crate) observer: Option<LoadObserver>,
}

/// Makes pictures of plugin directories.
pub(crate) struct Loader {
    directories: Directories,
    index: Option<Index>,
    sandbox: Sandbox,
    observer: Option<LoadObserver>,
}

impl Loader {
    pub(crate) fn new(options: LoaderOptions, sandbox: Sandbox) -> Self {
        let LoaderOptions { directories, code, policy, observer } = options;
        // The same directories have the same index, from wherever they are named.
        let paths: Vec<_> = directories.iter().map(absolute).collect();
        let index =
            code.zip(sandbox.compat_key()).map(|(code, maker)| Index::new(code, &maker, &paths));
        let directories = Directories { paths: directories, policy };
        Self { directories, index, sandbox, observer }
    }

    /// Returns the plugin directories, wherever they are named from.
    pub(super) fn absolute_directories(&self) -> Vec<PathBuf> {
        self.directories.paths.iter().map(absolute).collect()
    }

    /// Returns what is in the plugin directories and is not read.
    pub(crate) fn ignored(&self) -> Vec<Ignored> {
        self.directories.ignored()
    }

    /// Returns a picture of one operation alone, if the index knows it and its file is what
    /// it was. What an accepted file holds is its own, whatever else there is.
    pub(crate) fn find(&self, name: &str) -> Option<Registry> {
        let record = self.in_memory(self.index.as_ref()?.find(name)?)?;
        let candidate = self.directories.file(&record.path)?;
        let part = || Registry { is_part: true, ..snapshot(vec![record.clone()], BTreeMap::new()) };
        is_same(&record, &candidate).then(part)
    }

    /// Reads every `*.wasm` file of the directories and returns the picture of them.
    ///
    /// What is known by the index, or by an earlier picture, is not read again; every other
    /// content is compiled and described, a few at a time. A file that an earlier picture
    /// served and that is bad now is served as it was.
    ///
    /// # Errors
    ///
    /// Returns [`RegistryError`] if a directory cannot be read or is not to be trusted, or the
    /// host runs out of something; what is wrong with a file is in [`Registry::refused`].
    pub(crate) async fn load(&self, earlier: Option<&Registry>) -> Result<Registry, RegistryError> {
        let earlier = earlier.filter(|earlier| !earlier.is_part);
        let found = self.directories.files()?;
        let known = self.known(earlier).map_err(RegistryError::Index)?;
        let mut refused = BTreeMap::new();
        let mut candidates = Vec::new();
        for one in found {
            match one {
                Ok(candidate) => candidates.push(candidate),
                Err((path, reason)) => drop(refused.insert(path, reason)),
            }
        }
        let (mut records, work) = split(candidates, &known);
        let changed = !work.is_empty() || records.len() != known.len();
        for (path, looked_at) in self.inspect_all(work).await {
            match looked_at {
                Ok(record) => records.push(record),
                Err(reason) => drop(refused.insert(path, reason)),
            }
        }
        let short = refused.iter().find_map(|(path, reason)| Some((path, reason.shortage()?)));
        if let Some((path, source)) = short {
            return Err(RegistryError::Shortage { path: path.clone(), source });
        }
        records.sort_by(|a, b| a.path.cmp(&b.path));
        let outdated = earlier.map_or(&[][..], |earlier| &earlier.outdated);
        let holders = holders(known.iter().chain(outdated));
        let registry = match earlier {
            Some(earlier) => with_last_good(records, refused, &holders, earlier),
            None => settle(records, refused, &holders),
        };
        if changed {
            self.write(&registry);
        }
        Ok(registry)
    }

    fn known(&self, earlier: Option<&Registry>) -> Result<Vec<Known>, Shortage> {
        Ok(match (earlier, &self.index) {
            (Some(earlier), _) => earlier.records.clone(),
            (None, Some(index)) => {
                index.all()?.into_iter().filter_map(|record| self.in_memory(record)).collect()
            }
            (None, None) => Vec::new(),
        })
    }

    fn in_memory(&self, record: IndexEntry<Plugin>) -> Option<Known> {
        let path = self.directories.local(&record.path)?;
        let digest = record.digest;
        let file = |plugin| Arc::new(PluginFile::new(path.clone(), digest, plugin, None));
        let record = record.map(file);
        Some(IndexEntry { path, ..record })
    }

    fn portable<'a>(&self, record: &'a Known) -> Option<IndexEntry<&'a Plugin>> {
        let path = self.directories.portable(&record.path)?;
        Some(IndexEntry { path, ..record.as_ref().map(|file| &file.plugin) })
    }

    /// Compiles and describes what is not known, a few at a time.
    async fn inspect_all(
        &self,
        work: Vec<PendingInspection>,
    ) -> Vec<(PathBuf, Result<Known, FileError>)> {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_AT_ONCE);
        let permits = Arc::new(Semaphore::new(at_once));
        let total = work.len();
        let mut tasks = JoinSet::new();
        for (done, one) in work.into_iter().enumerate() {
            let (turns, sandbox) = (Arc::clone(&permits), self.sandbox.clone());
            let observer = self.observer.clone();
            tasks.spawn(async move {
                // The semaphore is never closed, so that this cannot fail.
                let _turn = turns.acquire_owned().await;
                let path = one.candidate.path.clone();
                let begin = || {
                    if let Some(LoadObserver(observe)) = observer {
                        observe(LoadProgress { file: &path, done, total });
                    }
                };
                let looked_at = one.look(&sandbox, begin).await;
                (path, looked_at)
            });
        }
        tasks.join_all().await
    }

    /// Keeps what was found out. Where that fails, it is found out again the next time.
    fn write(&self, registry: &Registry) {
        if let Some(index) = &self.index {
            let records = registry.records.iter();
            index.write(records.filter_map(|record| self.portable(record))).ok();
        }
    }
}

fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

/// Returns whether a file is what a record says, without reading it.
fn is_same<P>(record: &IndexEntry<P>, candidate: &Candidate) -> bool {
    record.identity == candidate.identity && record.identity.is_not_racy_at(record.read_at)
}

/// A file to read.
struct PendingInspection {
    candidate: Candidate,
    /// What is known of contents, wherever they are.
    contents: Arc<HashMap<Digest, Known>>,
}

/// Parts files into those that are known and those that have to be read.
fn split(candidates: Vec<Candidate>, known: &[Known]) -> (Vec<Known>, Vec<PendingInspection>) {
    let now = files::now();
    let holding = || known.iter().filter(|record| record.is_valid_at(now));
    let by_path: HashMap<&Path, &Known> =
        holding().map(|record| (record.path.as_path(), record)).collect();
    let mut records = Vec::new();
    let mut unknown = Vec::new();
    for candidate in candidates {
        match by_path.get(candidate.path.as_path()) {
            Some(record) if is_same(record, &candidate) => records.push((*record).clone()),
            _ => unknown.push(candidate),
        }
    }
    if unknown.is_empty() {
        return (records, Vec::new());
    }
    let contents: HashMap<_, _> = holding().map(|record| (record.digest, record.clone())).collect();
    let contents = Arc::new(contents);
    let work = |candidate| PendingInspection { candidate, contents: Arc::clone(&contents) };
    (records, unknown.into_iter().map(work).collect())
}

impl PendingInspection {
    /// Reads the file; calls `begin` if its content is a new one.
    async fn look(self, sandbox: &Sandbox, begin: impl FnOnce()) -> Result<Known, FileError> {
        let Self { candidate, contents } = self;
        let (bytes, identity) = files::read_plugin(&candidate.target).await?;
        let (digest, read_at) = (Digest::sha256(&bytes), files::now());
        let path = candidate.path;
        let verdict = match contents.get(&digest).map(|record| &record.verdict) {
            Some(Inspection::Refused { reason, until }) => {
                Inspection::Refused { reason: reason.clone(), until: *until }
            }
            Some(Inspection::Plugin(file)) if file.path == path => {
                Inspection::Plugin(Arc::clone(file))
            }
            Some(Inspection::Plugin(file)) => Inspection::Plugin(Arc::new(file.at(path.clone()))),
            None => {
                begin();
                let inspected = inspect(&digest, &bytes, sandbox).await;
                let file = |(guest, plugin)| {
                    Arc::new(PluginFile::new(path.clone(), digest, plugin, Some(guest)))
                };
                inspected.map(file).map(Inspection::Plugin).or_else(remembered)?
            }
        };
        Ok(IndexEntry { path, identity, read_at, digest, accepted: false, verdict })
    }
}

/// Returns a reason as a record keeps it, or the reason itself if it is not the content's
/// fault.
fn remembered(reason: FileError) -> Result<Inspection<Arc<PluginFile>>, FileError> {
    let until = match &reason {
        FileError::Load(LoadError::Compiler(_)) | FileError::Unreadable(_) => return Err(reason),
        _ if reason.shortage().is_some() => return Err(reason),
        FileError::Load(LoadError::Budget { .. }) => files::now().saturating_add(COMPILE_BACK_OFF),
        FileError::Describe(DescribeError::NoDescription(_)) => {
            files::now().saturating_add(DESCRIBE_BACK_OFF)
        }
        _ => i64::MAX,
    };
    Ok(Inspection::Refused { reason: reason.to_string(), until })
}

/// Returns the compiled component and the operations of a content: every schema is checked.
///
/// # Errors
///
/// Returns the first reason not to use it.
pub(crate) async fn inspect(
    digest: &Digest,
    bytes: &[u8],
    sandbox: &Sandbox,
) -> Result<(Guest, Plugin), FileError> {
    let guest = sandbox.load(digest, bytes).await?;
    let plugin = sandbox.describe(&guest).await?;
    for operation in &plugin.operations {
        Schemas::compile(operation)?;
    }
    Ok((guest, plugin))
}

fn holders<'a>(known: impl Iterator<Item = &'a Known>) -> NameOwners {
    let accepted = known.filter(|record| record.accepted);
    NameOwners::of(accepted.filter_map(|record| {
        let names: Vec<&OperationName> = record.plugin()?.plugin.names().collect();
        Some((record.path.as_path(), names))
    }))
}

/// Decides who holds which name, and returns the picture.
fn settle(
    mut records: Vec<Known>,
    mut refused: BTreeMap<PathBuf, FileError>,
    holders: &NameOwners,
) -> Registry {
    let lost = holders.conflicting_files(&records);
    for record in &mut records {
        record.accepted = record.plugin().is_some() && !lost.contains_key(&record.path);
    }
    refused.extend(lost);
    snapshot(records, refused)
}

/// As [`settle`], but a file that was served and is refused now is served as it was. Then it has
/// its names again, which may cost another one what it took: that is served as it was, too.
fn with_last_good(
    records: Vec<Known>,
    refused: BTreeMap<PathBuf, FileError>,
    holders: &NameOwners,
    earlier: &Registry,
) -> Registry {
    let mut registry = settle(records, refused, holders);
    let (read, mut outdated) = (registry.records.clone(), Vec::<Known>::new());
    loop {
        let is_known = |path: &Path| outdated.iter().any(|record| record.path == path);
        let refused = registry.refused.iter().filter(|refused| !is_known(&refused.path));
        let more: Vec<_> = refused.filter_map(|refused| earlier.last_good(refused)).collect();
        if more.is_empty() {
            break;
        }
        registry = settle_again(registry, &more, holders);
        outdated.extend(more);
    }
    let mut served = std::mem::replace(&mut registry.records, read);
    served.retain(|record| record.accepted);
    for record in &mut registry.records {
        record.accepted = served.iter().any(|other| other.is_same_content(record));
    }
    registry.outdated = outdated;
    registry
}

/// Decides once more, with earlier contents in place of what these files are now.
fn settle_again(registry: Registry, outdated: &[Known], holders: &NameOwners) -> Registry {
    let is_outdated = |path: &Path| outdated.iter().any(|record| record.path == path);
    let refused = registry.refused.into_iter().filter(|refused| !is_outdated(&refused.path));
    let refused = refused.map(|refused| (refused.path, refused.reason)).collect();
    let current = registry.records.into_iter().filter(|record| !is_outdated(&record.path));
    settle(current.chain(outdated.iter().cloned()).collect(), refused, holders)
}

impl Registry {
    /// Returns what a file that is refused now was when it was served.
    fn last_good(&self, refused: &Rejected) -> Option<Known> {
        let served = self.outdated.iter().chain(&self.records);
        let record = served.filter(|record| record.accepted).find(|it| it.path == refused.path)?;
        let outdated = Arc::new(record.plugin()?.last_good(refused.reason.to_string()));
        Some(IndexEntry {
            verdict: Inspection::Plugin(outdated),
            path: refused.path.clone(),
            ..*record
        })
    }
}

impl Known {
    fn is_same_content(&self, other: &Self) -> bool {
        self.path == other.path && self.digest == other.digest
    }
}

fn snapshot(records: Vec<Known>, mut refused: BTreeMap<PathBuf, FileError>) -> Registry {
    let mut registry = Registry::default();
    for record in &records {
        match &record.verdict {
            Inspection::Plugin(file) if record.accepted => registry.add(file),
            Inspection::Plugin(_) => {}
            Inspection::Refused { reason, .. } => {
                refused.insert(record.path.clone(), FileError::Remembered(reason.clone()));
            }
        }
    }
    registry.refused =
        refused.into_iter().map(|(path, reason)| Rejected { path, reason }).collect();
    registry.records = records;
    registry
}

impl Registry {
    fn add(&mut self, file: &Arc<PluginFile>) {
        for entry in RegisteredOperation::all(file) {
            let operation = entry.operation();
            for alias in &operation.hints.aliases {
                self.aliases.insert(alias.clone(), Arc::clone(&entry));
            }
            self.entries.insert(operation.name.clone(), entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::files::FileStamp;

    /// Returns what is known of a plugin file with these operations.
    fn holding(path: &str, names: &[&str]) -> Known {
        let operation = |name: &&str| {
            json!({
                "name": name, "description": "d", "category": "c", "input_schema": {},
                "output_schema": {}, "tags": [], "permissions": [], "models_in": [],
                "models_out": [], "stage": null, "async_enabled": false, "create_taskrun": true,
                "timeout_ms": null, "memory_mib": null, "idempotent": false, "destructive": false,
                "aliases": [], "annotations": {},
            })
        };
        let operations: Vec<_> = names.iter().map(operation).collect();
        let plugin =
            json!({"name": "p", "version": "1", "annotations": {}, "operations": operations});
        let digest = Digest::sha256(format!("{path} {names:?}").as_bytes());
        let plugin = serde_json::from_value(plugin).unwrap();
        let file = Arc::new(PluginFile::new(path.into(), digest, plugin, None));
        known(path, digest, Inspection::Plugin(file))
    }

    fn known(path: &str, digest: Digest, verdict: Inspection<Arc<PluginFile>>) -> Known {
        let identity = json!({"device": 1, "inode": 2, "size": 3, "modified": 4, "changed": 5});
        let identity: FileStamp = serde_json::from_value(identity).unwrap();
        IndexEntry { path: path.into(), identity, read_at: 9, digest, accepted: false, verdict }
    }

    fn bad(path: &str) -> Known {
        let verdict = Inspection::Refused { reason: "bad".into(), until: i64::MAX };
        known(path, Digest::sha256(path.as_bytes()), verdict)
    }

    fn served(registry: &Registry) -> Vec<(&str, &Path)> {
        let entries = registry.entries();
        entries.map(|entry| (entry.operation().name.as_str(), entry.file.path.as_path())).collect()
    }

    #[test]
    fn who_takes_the_name_of_one_that_is_served_as_it_was_is_served_as_it_was_too() {
        let nobody = NameOwners::default();
        let (a, b, c) = (holding("a", &["x"]), holding("b", &["y"]), holding("c", &["z"]));
        let earlier = settle(vec![a, b, c], BTreeMap::new(), &nobody);
        let before = [("x", Path::new("a")), ("y", Path::new("b")), ("z", Path::new("c"))];
        assert_eq!(served(&earlier), before);
        // Each takes what the one before it leaves.
        let now = vec![bad("a"), holding("b", &["x"]), holding("c", &["y"])];
        let holders = holders(earlier.records.iter());
        let registry = with_last_good(now, BTreeMap::new(), &holders, &earlier);
        assert_eq!(served(&registry), before);
        assert_eq!(registry.refused.len(), 0);
        let outdated = registry.outdated.iter().filter_map(|record| record.plugin());
        let reasons: Vec<_> = outdated.filter_map(|file| file.reload_error.as_deref()).collect();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(registry.records.iter().all(|record| !record.accepted));
    }
}
