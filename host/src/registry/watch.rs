//! Reports changes of the plugin directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::error::RegistryError;
use super::load::Loader;

/// Time without further changes before a change is reported. Copying a file causes many changes.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Watches the plugin directories. Dropping the watcher stops watching.
pub(crate) struct Watcher {
    watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    directories: Vec<PathBuf>,
}

/// Starts watching the directories of a loader.
///
/// # Errors
///
/// Returns [`RegistryError::Watch`] if the operating system cannot report changes.
pub(crate) fn watch(loader: &Loader) -> Result<Watcher, RegistryError> {
    // One pending change is enough, because a reload reads all files.
    let (sender, changes) = mpsc::channel(1);
    let directories = loader.absolute_directories();
    let watched = directories.clone();
    let on_event = move |event: notify::Result<Event>| {
        // After an error or an overflow of the queue, events may be lost.
        let is_change = |event: Event| {
            let is_watched = |path: &PathBuf| is_relevant(&watched, path);
            event.need_rescan() || !is_read(event.kind) && event.paths.iter().any(is_watched)
        };
        if event.map_or(true, is_change) {
            sender.try_send(()).ok();
        }
    };
    let watcher = notify::recommended_watcher(on_event).map_err(|error| watch_error(&error))?;
    let mut watcher = Watcher { watcher, changes, directories };
    watcher.attach()?;
    Ok(watcher)
}

impl Watcher {
    /// Waits for the next change, and then for 200 ms without changes.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(DEBOUNCE, self.changes.recv()).await {}
        // A directory that was created or replaced needs a new watch. If that fails, it is tried
        // again after the next change.
        self.attach().ok();
    }

    /// Watches each directory, and its nearest existing ancestor, which reports its creation and
    /// removal.
    fn attach(&mut self) -> Result<(), RegistryError> {
        let watcher = &mut self.watcher;
        for directory in &self.directories {
            if directory.exists() {
                watcher
                    .watch(directory, RecursiveMode::NonRecursive)
                    .map_err(|error| watch_error(&error))?;
            }
            if let Some(ancestor) = nearest_ancestor(directory) {
                watcher
                    .watch(ancestor, RecursiveMode::NonRecursive)
                    .map_err(|error| watch_error(&error))?;
            }
        }
        Ok(())
    }
}

/// Returns whether a path is inside one of the directories, or is an ancestor of one.
fn is_relevant(directories: &[PathBuf], path: &Path) -> bool {
    directories.iter().any(|directory| path.starts_with(directory) || directory.starts_with(path))
}

/// Returns whether the event is a read access. A reload reads the directories and must not cause
/// another reload.
fn is_read(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Returns the nearest ancestor that exists.
fn nearest_ancestor(directory: &Path) -> Option<&Path> {
    directory.ancestors().skip(1).find(|ancestor| ancestor.exists())
}

fn watch_error(error: &notify::Error) -> RegistryError {
    RegistryError::Watch(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::super::load::LoaderOptions;
    use super::*;
    use crate::model::compiler::CompilerBackend;
    use crate::sandbox::{Compiler, Sandbox, SandboxOptions};

    #[tokio::test]
    async fn reading_a_directory_is_not_a_change() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("plugins");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("a.wasm"), "a").unwrap();
        let (compiler, backend) = (Compiler::Here, CompilerBackend::Cranelift);
        let options = SandboxOptions { compiler, backend, code: None, pool_slots: 0 };
        let directories = vec![directory.clone()];
        let options = (LoaderOptions { directories, ..Default::default() }, options);
        let loader = Loader::new(options.0, Sandbox::new(options.1).unwrap());
        let mut watcher = watch(&loader).unwrap();
        for _ in 0..3 {
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
            fs::read(directory.join("a.wasm")).unwrap();
        }
        let second = Duration::from_secs(1);
        assert!(
            timeout(second, watcher.changed()).await.is_err(),
            "reading was reported as a change"
        );
        fs::write(directory.join("a.wasm"), "b").unwrap();
        timeout(30 * second, watcher.changed()).await.unwrap();
        assert!(timeout(second, watcher.changed()).await.is_err(), "one change was reported twice");
    }
}
