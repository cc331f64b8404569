//! Names that JavaScript, TypeScript and their tools use.

/// Reserved words of JavaScript in modules, which cannot name the constant of an operation.
const JAVASCRIPT_KEYWORDS: [&str; 49] = [
    "arguments",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "default",
    "delete",
    "do",
    "else",
    "enum",
    "eval",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "function",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "let",
    "new",
    "null",
    "package",
    "private",
    "protected",
    "public",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
];
/// The names of packages and the names in the modules of a new project.
const JAVASCRIPT_RESERVED: [&str; 8] =
    ["esbuild", "node_modules", "ophost_sdk", "test", "tsx", "typescript", "z", "zod"];

/// Returns the use of a module name.
pub(super) fn use_of(module: &str) -> Option<&'static str> {
    if JAVASCRIPT_KEYWORDS.contains(&module) {
        Some("a keyword of JavaScript")
    } else if JAVASCRIPT_RESERVED.contains(&module) {
        Some("reserved by the SDK and its tools")
    } else {
        None
    }
}
