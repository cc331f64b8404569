//! Names that Go uses.

/// Directories of Go's standard library, up to Go 1.27. Go would find them instead of the module.
const STANDARD: [&str; 51] = [
    "archive",
    "arena",
    "bufio",
    "builtin",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "hash",
    "html",
    "image",
    "index",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "uuid",
    "weak",
];
/// Names that the toolchain and the SDK use.
const RESERVED: [&str; 7] = ["all", "cmd", "go", "main", "ophost", "std", "tool"];

/// Returns the use of a module name.
pub(super) fn use_of(module: &str) -> Option<&'static str> {
    if STANDARD.contains(&module) {
        Some("a package of Go's standard library")
    } else if RESERVED.contains(&module) {
        Some("reserved by the SDK and its tools")
    } else {
        None
    }
}
