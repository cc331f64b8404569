//! Hearing of changes in the plugin directories.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode};
use notify_debouncer_mini::{DebounceEventResult, DebouncedEvent, Debouncer, new_debouncer};
use tokio::sync::mpsc;

use super::error::RegistryError;
use super::load::Loader;

/// How long a directory has to be quiet before it is read: a copy is not whole at once.
const QUIET: Duration = Duration::from_millis(200);

/// Says when plugin directories have changed. Dropping it ends that.
pub(crate) struct Watcher {
    debouncer: Debouncer<RecommendedWatcher>,
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
    let tell = move |events: DebounceEventResult| {
        // An error can mean that events were lost.
        let matters = |events: Vec<_>| events.iter().any(|event| concerns(&watched, event));
        if events.map_or(true, matters) {
            sender.try_send(()).ok();
        }
    };
    let debouncer = new_debouncer(QUIET, tell).map_err(|error| failed(&error))?;
    let mut watcher = Watcher { debouncer, changes, directories };
    watcher.attach()?;
    Ok(watcher)
}

impl Watcher {
    /// Waits for the next change.
    pub(crate) async fn changed(&mut self) {
        if self.changes.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        // A directory that was replaced or made is another one for the system. What cannot be
        // watched now is watched after the next change of what can.
        self.attach().ok();
    }

    /// Watches each directory, and the one above it, which tells when it comes and goes.
    fn attach(&mut self) -> Result<(), RegistryError> {
        let watcher = self.debouncer.watcher();
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

/// Returns whether an event is in or above one of the directories, and not beside it.
fn concerns(directories: &[PathBuf], event: &DebouncedEvent) -> bool {
    let path = &event.path;
    directories.iter().any(|directory| path.starts_with(directory) || directory.starts_with(path))
}

/// Returns the nearest directory above that exists.
fn nearest(directory: &Path) -> Option<&Path> {
    directory.ancestors().skip(1).find(|above| above.exists())
}

fn failed(error: &notify::Error) -> RegistryError {
    RegistryError::Watch(error.to_string())
}
