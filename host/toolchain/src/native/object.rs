//! The object file of one source file.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::SystemTime;

/// A source file, and the command that compiles it.
pub(super) struct Object {
    /// The object file.
    pub(super) path: PathBuf,
    command: Command,
}

impl Object {
    /// Returns the object of a source file, in a directory for all objects.
    pub(super) fn new(mut command: Command, source: &Path, directory: &Path) -> Self {
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let path = directory.join(format!("{stem}-{:016x}.o", hasher.finish()));
        command.arg("-c").arg(source).arg("-o").arg(&path);
        command.arg("-MD").arg("-MF").arg(path.with_extension("d"));
        Self { path, command }
    }

    /// Compiles the source file, unless the object file is up to date.
    ///
    /// Returns the output of the compiler if it has run.
    pub(super) fn compile(&mut self) -> io::Result<Option<Output>> {
        let line = command_line(&self.command);
        let stamp = self.path.with_extension("cmd");
        let is_same = fs::read(&stamp).is_ok_and(|last| last == line.as_encoded_bytes());
        if is_same && self.is_newer_than_sources(&stamp) {
            return Ok(None);
        }
        // A failed or stopped compilation is repeated, and so is one with warnings, which are shown
        // again. The time of the file is that of the start: a source can change meanwhile.
        let started = self.path.with_extension("started");
        fs::write(&started, line.as_encoded_bytes())?;
        let output = self.command.stdin(Stdio::null()).output()?;
        if output.status.success() && output.stderr.is_empty() {
            fs::rename(started, stamp)?;
        } else {
            fs::write(stamp, "")?;
        }
        Ok(Some(output))
    }

    /// Returns whether no file that the object was made from has changed since `stamp`.
    fn is_newer_than_sources(&self, stamp: &Path) -> bool {
        let (Some(start), Ok(rule)) =
            (modified(stamp), fs::read_to_string(self.path.with_extension("d")))
        else {
            return false;
        };
        self.path.is_file()
            && dependencies(&rule).iter().all(|path| modified(path).is_some_and(|it| it < start))
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// Returns the program and the arguments, one per line.
fn command_line(command: &Command) -> OsString {
    let mut line = command.get_program().to_owned();
    for argument in command.get_args() {
        line.push("\n");
        line.push(argument);
    }
    line
}

/// Returns the files of a rule of make: `target: file file`. A space in a name follows a backslash.
fn dependencies(rule: &str) -> Vec<PathBuf> {
    let rule = rule.split_once(": ").map_or("", |(_, files)| files).replace("\\\n", " ");
    let marked = rule.replace("\\ ", "\0");
    marked.split_whitespace().map(|file| PathBuf::from(file.replace('\0', " "))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dependencies_are_the_files_of_the_rule() {
        let rule = "a/x.o: src/x.c \\\n  my\\ sdk/ophost.h /usr/include/y.h\n";
        let expected = ["src/x.c", "my sdk/ophost.h", "/usr/include/y.h"];
        assert_eq!(dependencies(rule), expected.map(PathBuf::from));
    }

    /// Compiles with a program that copies the source and writes no rule of make.
    #[test]
    fn object_is_made_again_after_a_change() {
        let scratch = tempfile::tempdir().unwrap();
        let (source, log) = (scratch.path().join("a.c"), scratch.path().join("log"));
        fs::write(&source, "").unwrap();
        let change = |seconds: u64| {
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            fs::File::options().append(true).open(&source).unwrap().set_modified(time).unwrap();
        };
        change(1);
        let script = format!("echo x >> '{}'; cp \"$2\" \"$4\"", log.display());
        let compile = |flag: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", &script, flag]);
            let mut object = Object::new(command, &source, scratch.path());
            fs::write(object.path.with_extension("d"), format!("a.o: {}", source.display()))
                .unwrap();
            object.compile().unwrap();
            fs::read_to_string(&log).unwrap().lines().count()
        };
        assert_eq!(compile("1"), 1);
        assert_eq!(compile("1"), 1);
        assert_eq!(compile("2"), 2);
        change(1 << 40);
        assert_eq!(compile("2"), 3);
    }
}
