//! Watches the source files of a project.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::fs::{self, DirEntry};
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Time without further changes before a change is reported. An editor saves a file in several
/// steps.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Maximum number of watched files and directories.
const MAX_ENTRIES: usize = 20_000;
/// Maximum size of a file whose content is compared, in bytes. Of larger files, the time and size
/// are compared.
const MAX_CONTENT: u64 = 1 << 20;
/// Directories with generated files.
const IGNORED_DIRECTORIES: [&str; 4] = ["target", "node_modules", "__pycache__", "venv"];
/// Files that mark a directory as generated: of cargo and other build tools, and of Python.
const MARKERS: [&str; 2] = ["CACHEDIR.TAG", "pyvenv.cfg"];
/// Extensions of generated and temporary files.
const IGNORED_EXTENSIONS: [&str; 5] = ["wasm", "pyc", "swp", "swx", "tmp"];
/// A file that cargo writes during a build.
const LOCK_FILE: &str = "Cargo.lock";

/// The content of the source files of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources {
    files: BTreeMap<PathBuf, u64>,
    directories: Vec<PathBuf>,
}

impl Sources {
    /// Reads the source files below a directory. Files that cannot be read are left out.
    pub(super) fn read(directory: &Path) -> Self {
        let mut sources = Self::default();
        sources.add(directory);
        sources
    }

    fn add(&mut self, directory: &Path) {
        self.directories.push(directory.to_owned());
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            if self.directories.len() + self.files.len() >= MAX_ENTRIES {
                return;
            }
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && is_source_directory(&entry) => self.add(&path),
                Ok(kind) if kind.is_file() && is_source_file(&path) => {
                    self.files.extend(fingerprint(&path).map(|hash| (path, hash)));
                }
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Returns whether the files and their contents are equal.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

fn is_source_directory(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    let is_generated = || MARKERS.iter().any(|marker| entry.path().join(marker).exists());
    !name.starts_with('.') && !IGNORED_DIRECTORIES.contains(&name.as_ref()) && !is_generated()
}

fn is_source_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    let is_temporary = name.starts_with(['.', '#']) || name.ends_with('~');
    let is_generated = name == LOCK_FILE || IGNORED_EXTENSIONS.contains(&extension.as_ref());
    !is_temporary && !is_generated
}

/// Returns a hash of the content of a file.
fn fingerprint(path: &Path) -> Option<u64> {
    let status = fs::metadata(path).ok()?;
    let mut hasher = DefaultHasher::new();
    if status.len() <= MAX_CONTENT {
        fs::read(path).ok()?.hash(&mut hasher);
    } else {
        (status.len(), status.modified().ok()?).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// A watcher of the source files of a project.
pub(super) struct SourceWatcher {
    watcher: RecommendedWatcher,
    events: mpsc::Receiver<()>,
    directory: PathBuf,
}

impl SourceWatcher {
    /// Starts watching the source files below a directory.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system if it cannot report changes.
    pub(super) fn new(directory: &Path) -> Result<Self, notify::Error> {
        // One pending event is enough, because a change makes all files be read again.
        let (sender, events) = mpsc::channel(1);
        let on_event = move |event: notify::Result<Event>| {
            let is_read = |event: &Event| matches!(event.kind, EventKind::Access(_));
            if event.as_ref().map_or(true, |event| !is_read(event)) {
                sender.try_send(()).ok();
            }
        };
        let watcher = notify::recommended_watcher(on_event)?;
        let mut watcher = Self { watcher, events, directory: directory.to_owned() };
        watcher.attach(&Sources::read(directory))?;
        Ok(watcher)
    }

    /// Watches the directories of the source files. Directories that are watched already stay so.
    fn attach(&mut self, sources: &Sources) -> Result<(), notify::Error> {
        let mut directories = sources.directories.iter();
        directories.try_for_each(|it| self.watcher.watch(it, RecursiveMode::NonRecursive))
    }

    /// Waits until the source files differ from these, and then for 100 ms without changes. Returns
    /// the new files.
    pub(super) async fn changed(&mut self, old: &Sources) -> Sources {
        loop {
            let sources = Sources::read(&self.directory);
            // A new directory can vanish before it is watched.
            self.attach(&sources).ok();
            if !sources.is_same(old) {
                return sources;
            }
            if self.events.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            while let Ok(Some(())) = tokio::time::timeout(DEBOUNCE, self.events.recv()).await {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(directory: &Path, name: &str, text: &str) {
        let file = directory.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    #[test]
    fn generated_and_temporary_files_are_no_sources() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path();
        write(directory, "src/lib.rs", "1");
        let before = Sources::read(directory);
        let ignored = [
            "target/a.rs",
            ".venv/a.py",
            ".git/HEAD",
            "env/pyvenv.cfg",
            "env/a.py",
            "build/CACHEDIR.TAG",
            "src/.lib.rs.swp",
            "src/lib.rs~",
            "src/#lib.rs#",
            "a.wasm",
            "Cargo.lock",
        ];
        ignored.iter().for_each(|name| write(directory, name, ""));
        assert!(Sources::read(directory).is_same(&before));
        write(directory, "src/lib.rs", "1");
        assert!(Sources::read(directory).is_same(&before));
        write(directory, "src/lib.rs", "2");
        assert!(!Sources::read(directory).is_same(&before));
    }

    #[tokio::test]
    async fn burst_of_saves_is_one_change() {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path();
        write(directory, "src/lib.rs", "0");
        let sources = Sources::read(directory);
        let mut watcher = SourceWatcher::new(directory).unwrap();
        let path = directory.to_owned();
        let writer = std::thread::spawn(move || {
            for number in 1..=20 {
                write(&path, "src/lib.rs", &number.to_string());
                write(&path, "new/a.rs", &number.to_string());
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let changed = watcher.changed(&sources).await;
        writer.join().unwrap();
        let settled = Sources::read(directory);
        let changed =
            if changed.is_same(&settled) { changed } else { watcher.changed(&changed).await };
        assert!(changed.is_same(&settled));
        write(directory, "new/a.rs", "in a new directory");
        let changed = watcher.changed(&settled).await;
        let quiet = tokio::time::timeout(Duration::from_millis(500), watcher.changed(&changed));
        assert!(quiet.await.is_err(), "one change was reported twice");
    }
}
