//! The message of a Python program that componentize-py cannot import.

use std::path::PathBuf;

/// The text before the traceback of the program.
const START: &str = "AssertionError: ";
/// The text before a copy of the last line of the traceback.
const CAUSE: &str = "\nCaused by:";
/// The text before the stack of componentize-py itself.
const STACK: &str = "\nStack backtrace:";

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
    let mut lines = Vec::new();
    let mut is_generated = false;
    for line in traceback.trim().lines() {
        if line.starts_with("  File \"") {
            // The first directory has the generated module.
            is_generated = line.starts_with("  File \"/0/");
        } else if !line.starts_with("    ") {
            is_generated = false;
        }
        if !is_generated {
            lines.push(with_path(line, paths));
        }
    }
    lines.join("\n")
}

fn is_traceback(text: &str) -> bool {
    text.starts_with("Traceback ")
}

/// Returns a line with the path of the author's file.
fn with_path(line: &str, paths: &[PathBuf]) -> String {
    for (number, path) in paths.iter().enumerate() {
        let numbered = format!("  File \"/{number}/");
        if let Some(rest) = line.strip_prefix(&numbered) {
            return format!("  File \"{}/{rest}", path.display());
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

    #[test]
    fn other_message_is_shown_without_the_stack() {
        let stderr = "AssertionError: cannot read the world\n\nCaused by:\n    no package\n\n\
            Stack backtrace:\n   0: x\n";
        assert_eq!(message(stderr, &[]), "cannot read the world\n\nCaused by:\n    no package");
    }
}
