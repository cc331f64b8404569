//! The languages of the table.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::{OPHOST, Output, Project};

/// A language with a plugin in `guests/languages`.
pub(crate) struct Language {
    /// Name of the folder.
    pub(crate) name: &'static str,
    /// The value of `--lang`; none if another column creates the project.
    pub(crate) lang: Option<&'static str>,
    /// The plugin in `plugins` that passes the cases of `plugins/text/cases`; none if another column
    /// has it.
    pub(crate) sample: Option<&'static str>,
    /// Texts in the failure of `raise`: its message, and its stack or its chain of causes.
    pub(crate) exception: &'static [&'static str],
    /// Texts in the failure of `abort`.
    pub(crate) abort: &'static [&'static str],
}

/// All languages, in the order of the columns.
pub(crate) const LANGUAGES: [Language; 9] = [
    Language {
        name: "rust",
        lang: Some("rust"),
        sample: Some("text"),
        exception: &["cannot read the number", "caused by: invalid digit found in string"],
        abort: &["the end", "rust/src/lib.rs:"],
    },
    Language {
        name: "python",
        lang: Some("python"),
        sample: Some("text/python"),
        exception: &["KeyError: 'nothing'", "in raise_error", "return {}[key]"],
        abort: &["at os_abort"],
    },
    Language {
        name: "typescript",
        lang: Some("typescript"),
        sample: Some("text/typescript"),
        exception: &["TypeError: ", "at lookUp (src/plugin.ts:", "at run (src/plugin.ts:"],
        abort: &["out of memory: the end"],
    },
    // The operations of `typescript` with another engine.
    Language {
        name: "starlingmonkey",
        lang: None,
        sample: None,
        exception: &["TypeError: ", "at lookUp (src/plugin.ts:", "at run (src/plugin.ts:"],
        abort: &["abort()"],
    },
    Language {
        name: "javascript",
        lang: Some("javascript"),
        sample: Some("text/javascript"),
        exception: &["TypeError: ", "at lookUp (src/plugin.js:", "at run (src/plugin.js:"],
        abort: &["out of memory: the end"],
    },
    Language {
        name: "go",
        lang: Some("go"),
        sample: Some("text/go"),
        exception: &["cannot read the number", "caused by: invalid syntax"],
        abort: &["exit"],
    },
    Language {
        name: "c",
        lang: Some("c"),
        sample: Some("text/c"),
        exception: &[
            "cannot read the number",
            "at raise_error (src/language_c.c:",
            "caused by: no digits",
            "at read_number (src/language_c.c:",
        ],
        abort: &["panicked at src/language_c.c:", ": the end", "at abort_run"],
    },
    Language {
        name: "cpp",
        lang: Some("cpp"),
        sample: Some("text/cpp"),
        exception: &[
            "cannot read the number",
            "raise_error() (src/language_cpp.cpp:",
            "caused by: no digits",
            "(src/language_cpp.cpp:",
        ],
        abort: &["type must be number, but is string", "abort_run()"],
    },
    Language {
        name: "zig",
        lang: Some("zig"),
        sample: Some("text/zig"),
        exception: &["cannot read the number", "caused by: error.InvalidCharacter"],
        abort: &["panicked at operation `abort`: the end", "abort"],
    },
];

impl Language {
    /// Returns whether another column checks a behaviour.
    pub(crate) fn omits(&self, behaviour: &str) -> bool {
        match behaviour {
            "new project" => self.lang.is_none(),
            "text sample" => self.sample.is_none(),
            _ => false,
        }
    }
}

/// The start of the names of the packages in `guests/languages`.
const PACKAGE_PREFIX: &str = "language-";

/// A project with the plugin of a language.
pub(crate) struct Guest {
    pub(crate) language: &'static Language,
    project: Project,
}

impl Guest {
    /// Returns a project without the plugin, which [`Self::build`] adds.
    pub(crate) fn new(language: &'static Language) -> Self {
        let project = Project::new();
        // The compiler of the author's loop. It compiles an interpreter about three times as fast.
        if cfg!(target_arch = "x86_64") {
            project.settings("[compile]\ncompiler = \"winch\"\n");
        }
        Self { language, project }
    }

    /// Builds the plugin, and installs it in the project.
    ///
    /// # Panics
    ///
    /// Panics if the build fails.
    pub(crate) fn build(&self) {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests/languages");
        let source = source.join(self.language.name);
        let source = source.to_str().expect("a path of UTF-8");
        let mut build = self.project.command(&["build", source, "--install"]);
        let output = self.project.output(build.env("CARGO_TARGET_DIR", target_directory()));
        assert_eq!(output.code, Some(0), "{output}");
    }

    /// Returns the size of the component in bytes, if it was built.
    pub(crate) fn component_size(&self) -> Option<u64> {
        let mut files = fs::read_dir(self.project.plugins()).ok()?.flatten();
        let is_guest =
            |name: &OsStr| name.as_encoded_bytes().starts_with(PACKAGE_PREFIX.as_bytes());
        let file = files.find(|file| is_guest(&file.file_name()))?;
        Some(file.metadata().ok()?.len())
    }

    /// Creates a project of the language, and runs the printed commands in a shell: they install the
    /// toolchain, and test, build and run the plugin.
    pub(crate) fn new_project(&self) {
        let lang = self.language.lang.expect("a language of new projects");
        let new = self.ophost(&["new", "my-plugin", "--lang", lang, "--json"]).json();
        let commands = new["commands"].as_array().expect("commands").iter();
        let commands: Vec<_> = commands.map(|it| it.as_str().expect("a command")).collect();
        let programs = self.project.path().join("bin");
        fs::create_dir(&programs).expect("a new directory");
        symlink(OPHOST, programs.join("ophost")).expect("a writable directory");
        let others = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([programs].into_iter().chain(env::split_paths(&others)));
        let mut shell = self.project.program("sh", &["-c", &commands.join(" && ")]);
        shell.env("PATH", path.expect("directories")).env("CARGO_TARGET_DIR", target_directory());
        let output = self.project.output(&mut shell);
        assert_eq!(output.code, Some(0), "{output}");
        assert!(output.stdout.contains("test result: ok."), "{output}");
        assert!(output.stdout.ends_with("{\"text\":\"Hello, World!\"}\n"), "{output}");
        let check = self.ophost(&["check", "my-plugin"]);
        assert_eq!(check.code, Some(0), "{check}");
        assert!(!check.stderr.contains("warning"), "{check}");
    }

    /// Builds the sample plugin of the language, and runs the cases of all samples.
    pub(crate) fn text_sample(&self) {
        let sample = self.language.sample.expect("a language with a sample");
        let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
        let source = plugins.join(sample);
        let source = source.to_str().expect("a path of UTF-8");
        let mut test = self.project.command(&["test", source]);
        let output = self.project.output(test.env("CARGO_TARGET_DIR", target_directory()));
        assert_eq!(output.code, Some(0), "{output}");
        assert!(output.stdout.contains("; 0 failed"), "{output}");
    }

    /// Runs a command in the project.
    pub(crate) fn ophost(&self, arguments: &[&str]) -> Output {
        self.project.run(arguments)
    }

    /// Runs an operation and returns the JSON of the run.
    pub(crate) fn run(&self, operation: &str, arguments: &[&str]) -> serde_json::Value {
        self.ophost(&[&["run", operation, "--json"], arguments].concat()).json()
    }

    /// Runs a command in a terminal with 100 columns, and returns its output.
    pub(crate) fn terminal(&self, arguments: &[&str]) -> String {
        crate::terminal::run(self.project.command(arguments), 100).0
    }

    /// Writes a file to the project.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.project.path().join(name), text).expect("a writable directory");
    }
}

fn target_directory() -> PathBuf {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tmp.parent().expect("below the target directory").to_owned()
}
