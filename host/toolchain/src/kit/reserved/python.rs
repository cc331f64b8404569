//! Names that Python and its tools use.

/// Keywords of Python that are in lower case.
const PYTHON_KEYWORDS: [&str; 32] = [
    "and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif",
    "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];
/// Built-in names of Python that a project uses.
const PYTHON_BUILTINS: [&str; 4] = ["bool", "int", "list", "str"];
/// Modules of the SDK, of the toolchain and of the tests.
const PYTHON_RESERVED: [&str; 9] = [
    "cases",
    "componentize_py",
    "conftest",
    "ophost_sdk",
    "plugins",
    "poll_loop",
    "pytest",
    "sdk",
    "wit_world",
];
/// Public modules of the standard libraries of Python 3.10 to 3.14, separated by spaces.
const PYTHON_MODULES: &str = include_str!("../../../kit/python/modules.txt");

/// Returns the use of a module name.
pub(super) fn use_of(module: &str) -> Option<&'static str> {
    if PYTHON_KEYWORDS.contains(&module) {
        Some("a keyword of Python")
    } else if PYTHON_BUILTINS.contains(&module) {
        Some("a built-in type of Python")
    } else if PYTHON_MODULES.split_whitespace().any(|known| known == module) {
        Some("a module of Python's standard library")
    } else if PYTHON_RESERVED.contains(&module) {
        Some("reserved by the SDK and its tools")
    } else {
        None
    }
}
