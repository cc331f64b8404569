//! Compiles and describes plugin files, a few at a time.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::error::FileError;
use super::files::{self, Candidate};
use super::index::{IndexEntry, Inspection};
use super::snapshot::{InspectedFile, PluginFile, Schemas};
use crate::model::digest::Digest;
use crate::model::limits::CompileLimit;
use crate::sandbox::{DescribeError, Description, Guest, LoadError, Sandbox};

/// Time after which a content that exceeded the compile budget is compiled again with the same
/// budget, in nanoseconds.
const COMPILE_BACK_OFF: i64 = 600 * 1_000_000_000;
/// Time for which a rejection stays valid if `describe` failed, in nanoseconds.
const DESCRIBE_BACK_OFF: i64 = 10 * 1_000_000_000;
/// Maximum number of plugins that are inspected at the same time.
const MAX_CONCURRENT: usize = 4;

/// Progress of a load: a plugin file with new content is about to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct LoadProgress<'a> {
    /// The file.
    pub file: &'a Path,
    /// Size of the file, in bytes.
    pub bytes: usize,
    /// About how long compiling takes if no other process needs the CPU.
    pub estimate: Duration,
    /// Number of files before this one.
    pub done: usize,
    /// Number of files to inspect.
    pub total: usize,
}

/// A callback for the progress of a load.
#[derive(Clone)]
pub(crate) struct LoadObserver(Arc<dyn Fn(LoadProgress<'_>) + Send + Sync>);

impl LoadObserver {
    pub(crate) fn new(observe: impl Fn(LoadProgress<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    /// Reports the next plugin.
    pub(crate) fn report(&self, progress: LoadProgress<'_>) {
        (self.0)(progress);
    }
}

impl fmt::Debug for LoadObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoadObserver")
    }
}

/// A file to read, and to inspect if its content is new.
pub(super) struct PendingInspection {
    candidate: Candidate,
    /// Inspected contents by digest, from any path.
    by_digest: Arc<HashMap<Digest, InspectedFile>>,
}

/// Splits candidates into files that are unchanged since an earlier inspection, and files to read.
pub(super) fn split(
    candidates: Vec<Candidate>,
    inspected: &[InspectedFile],
    sandbox: &Sandbox,
) -> (Vec<InspectedFile>, Vec<PendingInspection>) {
    let now = files::now();
    let valid = || inspected.iter().filter(|file| is_valid(file, now, sandbox));
    let by_path: HashMap<&Path, &InspectedFile> =
        valid().map(|file| (file.path.as_path(), file)).collect();
    let mut unchanged = Vec::new();
    let mut changed = Vec::new();
    for candidate in candidates {
        match by_path.get(candidate.path.as_path()) {
            Some(file) if is_unchanged(file, &candidate) => unchanged.push((*file).clone()),
            _ => changed.push(candidate),
        }
    }
    if changed.is_empty() {
        return (unchanged, Vec::new());
    }
    let by_digest: HashMap<_, _> = valid().map(|file| (file.digest, file.clone())).collect();
    let by_digest = Arc::new(by_digest);
    let pending = |candidate| PendingInspection { candidate, by_digest: Arc::clone(&by_digest) };
    (unchanged, changed.into_iter().map(pending).collect())
}

/// Returns whether the result of an inspection is still valid.
fn is_valid(file: &InspectedFile, now: i64, sandbox: &Sandbox) -> bool {
    match &file.inspection {
        Inspection::Plugin(_) => true,
        Inspection::Rejected { valid_until, .. } => now < *valid_until,
        Inspection::OverBudget { exceeded, retry_at } => {
            let is_possible = sandbox.raises(*exceeded) || sandbox.is_cached(&file.digest);
            now < *retry_at && !is_possible
        }
    }
}

/// Returns whether a file is the one that was inspected, without reading it.
pub(super) fn is_unchanged<P>(entry: &IndexEntry<P>, candidate: &Candidate) -> bool {
    entry.stamp == candidate.stamp && entry.stamp.is_not_racy_at(entry.read_at)
}

/// Reads and inspects files, a few at a time.
pub(super) async fn inspect_all(
    pending: Vec<PendingInspection>,
    sandbox: &Sandbox,
    observer: Option<&LoadObserver>,
) -> Vec<(PathBuf, Result<InspectedFile, FileError>)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let permits = Arc::new(Semaphore::new(cores.min(MAX_CONCURRENT)));
    let total = pending.len();
    let mut tasks = JoinSet::new();
    for (done, pending) in pending.into_iter().enumerate() {
        let (permits, sandbox) = (Arc::clone(&permits), sandbox.clone());
        let observer = observer.cloned();
        tasks.spawn(async move {
            // The semaphore is never closed, so acquiring a permit cannot fail.
            let _permit = permits.acquire_owned().await;
            let path = pending.candidate.path.clone();
            let on_new_content = |bytes: &[u8]| {
                if let Some(observer) = observer {
                    let (file, estimate) = (path.as_path(), sandbox.compile_time(bytes));
                    let bytes = bytes.len();
                    observer.report(LoadProgress { file, bytes, estimate, done, total });
                }
            };
            let result = pending.inspect(&sandbox, on_new_content).await;
            (path, result)
        });
    }
    tasks.join_all().await
}

impl PendingInspection {
    /// Reads the file and inspects its content. Calls `on_new_content` before compiling.
    async fn inspect(
        self,
        sandbox: &Sandbox,
        on_new_content: impl FnOnce(&[u8]),
    ) -> Result<InspectedFile, FileError> {
        let Self { candidate, by_digest } = self;
        let (bytes, stamp) = files::read_plugin(&candidate.target).await?;
        let (digest, read_at) = (Digest::sha256(&bytes), files::now());
        let path = candidate.path;
        let inspection = match by_digest.get(&digest).map(|file| &file.inspection) {
            Some(Inspection::Plugin(file)) if file.path != path => {
                Inspection::Plugin(Arc::new(file.at(path.clone())))
            }
            Some(known) => known.clone(),
            None => {
                on_new_content(&bytes);
                let inspected = inspect(&digest, &bytes, sandbox).await;
                let file = |(guest, Description { plugin, .. })| {
                    Arc::new(PluginFile::new(path.clone(), digest, plugin, Some(guest)))
                };
                inspected.map(file).map(Inspection::Plugin).or_else(rejection)?
            }
        };
        Ok(IndexEntry { path, stamp, read_at, digest, accepted: false, inspection })
    }
}

/// Converts the reason of a rejection to an inspection result.
///
/// # Errors
///
/// Returns the reason itself if the cause is not the content of the file.
fn rejection(reason: FileError) -> Result<Inspection<Arc<PluginFile>>, FileError> {
    let valid_until = match &reason {
        FileError::Load(LoadError::Compiler(_)) | FileError::Unreadable(_) => return Err(reason),
        _ if reason.shortage().is_some() => return Err(reason),
        // Other processes needed the CPU.
        _ if reason.compile_limit() == Some(CompileLimit::WallTime) => return Err(reason),
        FileError::Load(LoadError::Budget(exceeded)) => {
            let retry_at = files::now().saturating_add(COMPILE_BACK_OFF);
            return Ok(Inspection::OverBudget { exceeded: *exceeded, retry_at });
        }
        FileError::Describe(DescribeError::NoDescription(_)) => {
            files::now().saturating_add(DESCRIBE_BACK_OFF)
        }
        _ => i64::MAX,
    };
    Ok(Inspection::Rejected { reason: reason.to_string(), valid_until })
}

/// Compiles and describes a plugin, and checks the schemas of its operations.
///
/// # Errors
///
/// Returns the first reason to reject the plugin.
pub(crate) async fn inspect(
    digest: &Digest,
    bytes: &[u8],
    sandbox: &Sandbox,
) -> Result<(Guest, Description), FileError> {
    let guest = sandbox.load(digest, bytes).await?;
    let description = sandbox.describe(&guest).await?;
    for operation in &description.plugin.operations {
        Schemas::check(operation)?;
    }
    Ok((guest, description))
}
