//! Names that Rust and cargo use.

use crate::kit::lock;

/// Keywords of Rust, also the reserved ones.
const RUST_KEYWORDS: [&str; 52] = [
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield", "union",
];
/// Primitive types of Rust.
const RUST_TYPES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];
/// Crates and directories that cargo and the compiler use themselves.
const RUST_RESERVED: [&str; 10] = [
    "alloc",
    "build",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc_macro",
    "std",
    "test",
    "tests",
];

/// Returns the use of a module name.
pub(super) fn use_of(module: &str) -> Option<&'static str> {
    if RUST_KEYWORDS.contains(&module) {
        Some("a keyword of Rust")
    } else if RUST_TYPES.contains(&module) {
        Some("a primitive type of Rust")
    } else if RUST_RESERVED.contains(&module) {
        Some("reserved by cargo and the compiler")
    } else if lock::packages().any(|package| package.replace('-', "_") == module) {
        Some("a dependency of the SDK")
    } else {
        None
    }
}
