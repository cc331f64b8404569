//! The languages of plugins.

use std::fmt;

/// A language with an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Rust, built by cargo.
    Rust,
    /// Python, built by componentize-py.
    Python,
    /// TypeScript, bundled by esbuild and built by componentize-qjs or componentize-js.
    TypeScript,
    /// JavaScript, built like TypeScript.
    JavaScript,
    /// Go, built by the Go toolchain.
    Go,
    /// C, built by clang or the C compiler of Zig.
    C,
    /// C++, built by clang or the C++ compiler of Zig.
    Cpp,
    /// Zig.
    Zig,
}

impl Language {
    /// Returns the name in lower case, as on the command line.
    pub fn id(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Python => "python",
            Self::TypeScript => "typescript",
            Self::JavaScript => "javascript",
            Self::Go => "go",
            Self::C => "c",
            Self::Cpp => "cpp",
            Self::Zig => "zig",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rust => "Rust",
            Self::Python => "Python",
            Self::TypeScript => "TypeScript",
            Self::JavaScript => "JavaScript",
            Self::Go => "Go",
            Self::C => "C",
            Self::Cpp => "C++",
            Self::Zig => "Zig",
        })
    }
}
