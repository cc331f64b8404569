//! Hearing of changes in the plugin directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use super::error::RegistryError;
use super::load::Loader;

/// How long a directory has to be quiet before it is read: a copy is not whole at once.
const DEBOUNCE: Duration = Duration::from_millis(200);

/// Says when plugin directories have changed. Dropping it ends that.
pub(crate) struct Watcher {
    watcher: RecommendedWatcher,
    changes: mpsc::Receiver<()>,
    directories: Vec<PathBuf>,
}

/// Begins to watch the directories of a loader.
///
/// # Errors
///
/// Returns [`RegistryError::Watch`] if the system does not tell of changes.
pub(crate) fn watch(loader: &Loader) -> Result<Watcher, RegistryError> {
    // One that waits is as good as many.
    let (sender, changes) = mpsc::channel(1);
    let directories = loader.absolute_directories();
    let watched = directories.clone();
    let tell = move |event: notify::Result<Event>| {
        // An error, or a queue that ran over, can mean that events were lost.
        let matters = |event: Event| {
            let is_near = |path: &PathBuf| is_relevant(&watched, path);
            event.need_rescan() || !is_reading(event.kind) && event.paths.iter().any(is_near)
        };
        if event.map_or(true, matters) {
            sender.try_send(()).ok();
        }
    };
    let watcher = notify::recommended_watcher(tell).map_err(|error| failed(&error))?;
    let mut watcher = Watcher { watcher, changes, directories };
    watcher.attach()?;
    Ok(watcher)
}

impl Watcher {
    /// Waits for the next change, and then until it is quiet.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        while let Ok(Some(())) = tokio::time::timeout(DEBOUNCE, self.changes.recv()).await {}
        // A directory that was replaced or made is another one for the system. What cannot be
        // watched now is watched after the next change of what can.
        self.attach().ok();
    }

    /// Watches each directory, and the one above it, which tells when it comes and goes.
    fn attach(&mut self) -> Result<(), RegistryError> {
        let watcher = &mut self.watcher;
        for directory in &self.directories {
            if directory.exists() {
                watcher
                    .watch(directory, RecursiveMode::NonRecursive)
                    .map_err(|error| failed(&error))?;
            }
            if let Some(above) = nearest(directory) {
                watcher
                    .watch(above, RecursiveMode::NonRecursive)
                    .map_err(|error| failed(&error))?;
            }
        }
        Ok(())
    }
}

/// Returns whether a path is in or above one of the directories, and not beside it.
fn is_relevant(directories: &[PathBuf], path: &Path) -> bool {
    directories.iter().any(|directory| path.starts_with(directory) || directory.starts_with(path))
}

/// Reading the directories, as a reload does, is no change.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Returns the nearest directory above that exists.
fn nearest(directory: &Path) -> Option<&Path> {
    directory.ancestors().skip(1).find(|above| above.exists())
}

fn failed(error: &notify::Error) -> RegistryError {
    RegistryError::Watch(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::time::timeout;

    use super::super::load::LoaderOptions;
    use super::*;
    use crate::sandbox::{Compiler, Sandbox, SandboxOptions};

    #[tokio::test]
    async fn reading_a_directory_is_no_change_of_it() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("plugins");
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("a.wasm"), "a").unwrap();
        let options = SandboxOptions { compiler: Compiler::Here, code: None };
        let directories = vec![directory.clone()];
        let options = (LoaderOptions { directories, ..Default::default() }, options);
        let loader = Loader::new(options.0, Sandbox::new(options.1).unwrap());
        let mut watcher = watch(&loader).unwrap();
        for _ in 0..3 {
            assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
            fs::read(directory.join("a.wasm")).unwrap();
        }
        let second = Duration::from_secs(1);
        assert!(timeout(second, watcher.changed()).await.is_err(), "reading was a change");
        fs::write(directory.join("a.wasm"), "b").unwrap();
        timeout(30 * second, watcher.changed()).await.unwrap();
        assert!(timeout(second, watcher.changed()).await.is_err(), "it was told twice");
    }
}
