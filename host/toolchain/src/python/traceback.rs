//! The message of a Python program that componentize-py cannot import.

use std::path::PathBuf;

/// The text before the traceback of the program.
const START: &str = "AssertionError: ";
/// The text before a copy of the last line of the traceback.
const CAUSE: &str = "\nCaused by:";
/// The text before the stack of componentize-py itself.
const STACK: &str = "\nStack backtrace:";
/// The text before the path of a frame.
const FILE: &str = "  File \"";
/// The first line of a traceback.
const HEADER: &str = "Traceback (most recent call last):";

/// The owner of the file of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The generated module.
    Entry,
    Sdk,
    /// The standard library.
    Library,
    /// The author, or an installed package.
    Author,
}

impl Origin {
    /// Returns the origin of a line of a traceback, or `None` if no frame starts with it.
    fn of(line: &str) -> Option<Self> {
        let path = line.strip_prefix(FILE)?;
        // The first part is the number of the directory.
        let Some((directory, file)) = path.strip_prefix('/').and_then(|path| path.split_once('/'))
        else {
            return Some(Self::Library);
        };
        Some(match directory {
            "0" => Self::Entry,
            "python" => Self::Library,
            _ if file.starts_with("ophost_sdk/") => Self::Sdk,
            _ => Self::Author,
        })
    }
}

/// Returns the message for the author from the output of componentize-py.
///
/// The paths of files are those of the author: componentize-py numbers the directories of modules.
pub(super) fn message(stderr: &str, paths: &[PathBuf]) -> String {
    let stderr = stderr.split_once(START).map_or(stderr, |(_, message)| message);
    let stderr = stderr.split(STACK).next().unwrap_or_default();
    let Some((traceback, _)) = stderr.split_once(CAUSE).filter(|(text, _)| is_traceback(text))
    else {
        return stderr.trim().to_owned();
    };
    shown(traceback.trim(), paths).join("\n")
}

/// Returns a hint for the author about a message, or `None` if no fix is known.
pub(super) fn hint(message: &str) -> Option<&'static str> {
    let error = message.lines().last()?;
    let missing = error.strip_prefix("ModuleNotFoundError: No module named '");
    if missing.is_none() && !error.starts_with("ImportError: ") {
        return None;
    }
    let place = message.lines().rfind(|line| line.starts_with(FILE)).unwrap_or_default();
    let is_in_package = place.contains("/site-packages/");
    // A private module of the standard library, such as `_ssl`, is a native one.
    let is_private = missing.is_some_and(|name| name.starts_with('_'));
    if is_in_package || is_private || error.contains(".so") {
        return Some("packages with native code cannot be part of a component");
    }
    missing.map(|_| {
        "add the package to `requirements.txt` and install it into the project's environment: \
         `.venv/bin/pip install -r requirements.txt`"
    })
}

/// Returns the lines of a traceback without the generated module, and without frames of the SDK that
/// do not help the author.
fn shown(traceback: &str, paths: &[PathBuf]) -> Vec<String> {
    let has_author = traceback.lines().filter_map(Origin::of).any(|one| one == Origin::Author);
    let is_mistake = sdk_raises(traceback);
    let mut lines: Vec<String> = Vec::new();
    let mut is_hidden = false;
    for line in traceback.lines() {
        match Origin::of(line) {
            Some(Origin::Entry) => is_hidden = true,
            Some(Origin::Sdk) => is_hidden = has_author || is_mistake,
            Some(Origin::Library) => is_hidden = is_mistake && !has_author,
            Some(Origin::Author) => is_hidden = false,
            None => is_hidden = is_hidden && line.starts_with("  "),
        }
        if is_hidden {
            continue;
        }
        // All frames are hidden.
        if lines.last().is_some_and(|last| last == HEADER) && !line.starts_with("  ") {
            lines.pop();
        }
        lines.push(with_path(line, paths));
    }
    lines
}

/// Returns whether the last frame is a `raise` of the SDK, which reports a mistake of the author.
fn sdk_raises(traceback: &str) -> bool {
    let last = traceback.lines().rev().find_map(Origin::of);
    let code = traceback.rsplit(FILE).next().and_then(|frame| frame.lines().nth(1));
    last == Some(Origin::Sdk) && code.is_some_and(|code| code.trim_start().starts_with("raise "))
}

fn is_traceback(text: &str) -> bool {
    text.starts_with("Traceback ")
}

/// Returns a line with the path of the author's file.
fn with_path(line: &str, paths: &[PathBuf]) -> String {
    for (number, path) in paths.iter().enumerate() {
        let numbered = format!("{FILE}/{number}/");
        if let Some(rest) = line.strip_prefix(&numbered) {
            return format!("{FILE}{}/{rest}", path.display());
        }
    }
    line.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output of componentize-py 0.25.1.
    const STDERR: &str = r#"Traceback (most recent call last):
  File "/venv/bin/componentize-py", line 8, in <module>
    sys.exit(script())
             ^^^^^^^^
AssertionError: Traceback (most recent call last):
  File "/0/ophost_entry.py", line 1, in <module>
    import my
  File "/1/my.py", line 10, in <module>
    x = nothing + 1
        ^^^^^^^
NameError: name 'nothing' is not defined


Caused by:
    NameError: name 'nothing' is not defined

Stack backtrace:
   0: <anyhow::Error>::msg::<alloc::string::String>
"#;

    #[test]
    fn traceback_has_the_paths_of_the_author() {
        let paths = ["/p/target/wasm/python", "/p"].map(PathBuf::from);
        let expected = r#"Traceback (most recent call last):
  File "/p/my.py", line 10, in <module>
    x = nothing + 1
        ^^^^^^^
NameError: name 'nothing' is not defined"#;
        assert_eq!(message(STDERR, &paths), expected);
    }

    /// Returns the output of componentize-py for a traceback.
    fn stderr(traceback: &str) -> String {
        format!("AssertionError: {traceback}\n\n\nCaused by:\n    x\n")
    }

    #[test]
    fn frames_of_the_sdk_are_hidden_below_those_of_the_author() {
        let stderr = stderr(
            r#"Traceback (most recent call last):
  File "/0/ophost_entry.py", line 2, in <module>
    import my
  File "/1/my.py", line 2, in <module>
    @operation(category="a")
     ~~~~~~~~~^^^^^^^^^^^^^^
  File "/2/ophost_sdk/operations.py", line 218, in _docstring
    raise ValueError(
    ...<2 lines>...
    )
ValueError: operation `f` has no description"#,
        );
        let paths = ["/p/target/wasm/python", "/p", "/p/sdk"].map(PathBuf::from);
        let expected = r#"Traceback (most recent call last):
  File "/p/my.py", line 2, in <module>
    @operation(category="a")
     ~~~~~~~~~^^^^^^^^^^^^^^
ValueError: operation `f` has no description"#;
        assert_eq!(message(&stderr, &paths), expected);
    }

    #[test]
    fn without_frames_of_the_author_only_a_fault_of_the_sdk_has_frames() {
        let of = |code: &str| {
            let stderr = stderr(&format!(
                "Traceback (most recent call last):\n  File \"/0/ophost_entry.py\", line 8\n    \
                 Operations = export()\n  File \"/python/functools.py\", line 1\n    \
                 func()\n  File \"/1/ophost_sdk/signature.py\", line 9\n    {code}\n\
                 TypeError: `f`: the type is unknown"
            ));
            message(&stderr, &["/p/target", "/p/sdk"].map(PathBuf::from))
        };
        assert_eq!(of("raise TypeError("), "TypeError: `f`: the type is unknown");
        let expected = r#"Traceback (most recent call last):
  File "/python/functools.py", line 1
    func()
  File "/p/sdk/ophost_sdk/signature.py", line 9
    len(3)
TypeError: `f`: the type is unknown"#;
        assert_eq!(of("len(3)"), expected);
    }

    #[test]
    fn exception_of_the_generated_module_has_no_frame() {
        let stderr = stderr(
            r#"Traceback (most recent call last):
  File "/1/my.py", line 4, in f
    sys.exit(3)
    ~~~~~~~~^^^
SystemExit: 3

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/0/ophost_entry.py", line 5, in <module>
    raise RuntimeError(message) from error
RuntimeError: the module `my` calls exit while it is imported"#,
        );
        let expected = r#"Traceback (most recent call last):
  File "/p/my.py", line 4, in f
    sys.exit(3)
    ~~~~~~~~^^^
SystemExit: 3

The above exception was the direct cause of the following exception:

RuntimeError: the module `my` calls exit while it is imported"#;
        assert_eq!(message(&stderr, &["/p/target", "/p"].map(PathBuf::from)), expected);
    }

    #[test]
    fn hint_depends_on_the_module_that_cannot_be_imported() {
        let of = |file: &str, error: &str| {
            hint(&format!("{HEADER}\n  File \"{file}\", line 1, in <module>\n    x\n{error}"))
        };
        let native = Some("packages with native code cannot be part of a component");
        let requests = of("/p/my.py", "ModuleNotFoundError: No module named 'requests'");
        assert!(requests.unwrap().starts_with("add the package to `requirements.txt`"));
        assert_eq!(of("/python/ssl.py", "ModuleNotFoundError: No module named '_ssl'"), native);
        let core = "ImportError: cannot import name 'A' from 'b._b' (unknown location)";
        assert_eq!(of("/p/.venv/lib/python3.11/site-packages/b/__init__.py", core), native);
        assert_eq!(of("/p/my.py", "ImportError: cannot load a.so"), native);
        assert_eq!(of("/p/my.py", "ImportError: cannot import name 'a' from 'b'"), None);
        assert_eq!(of("/p/my.py", "NameError: name 'a' is not defined"), None);
    }

    #[test]
    fn other_message_is_shown_without_the_stack() {
        let stderr = "AssertionError: cannot read the world\n\nCaused by:\n    no package\n\n\
            Stack backtrace:\n   0: x\n";
        assert_eq!(message(stderr, &[]), "cannot read the world\n\nCaused by:\n    no package");
    }
}
