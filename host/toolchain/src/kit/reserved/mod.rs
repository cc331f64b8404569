//! Names that languages and their tools use themselves.

mod go;
mod javascript;
mod python;
mod rust;

use super::Language;

/// Returns the use of a module name in a language, if there is one.
pub(super) fn use_of(module: &str, language: Language) -> Option<&'static str> {
    match language {
        Language::Rust => rust::use_of(module),
        Language::Python => python::use_of(module),
        Language::TypeScript | Language::JavaScript => javascript::use_of(module),
        Language::Go => go::use_of(module),
        // The name is only a text in these projects.
        Language::C | Language::Cpp | Language::Zig => None,
    }
}
