//! Projects for authors of plugins, and the contract.
//!
//! The SDKs and the contract are part of this crate, so that a project needs no source tree:
//! `build/main.rs` embeds them.
//!
//! - `name`: [`ProjectName`], the rules for names of projects. `reserved`: names that languages use.
//! - `language`: [`Language`] of a plugin.
//! - `project`: [`create`] writes the files of a project.
//! - `lock`: the lock file of a Rust project.

mod language;
mod lock;
mod name;
mod project;
mod reserved;

mod embedded {
    include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
}

pub use language::Language;
pub use name::{NameError, ProjectName};
pub use project::{CreateError, Project, create};

/// Returns the files of the contract as pairs of name and content, sorted by name.
pub fn contract() -> &'static [(&'static str, &'static str)] {
    embedded::CONTRACT
}

/// Returns the contract as one text in the language WIT.
pub fn contract_text() -> String {
    let declares = |text: &str| text.lines().any(is_declaration);
    let declarations = contract().iter().filter(|(_, text)| declares(text));
    let others = contract().iter().filter(|(_, text)| !declares(text));
    let texts: Vec<_> = declarations.chain(others).map(|(_, text)| text.trim_end()).collect();
    format!("{}\n", texts.join("\n\n"))
}

fn is_declaration(line: &str) -> bool {
    line.starts_with("package ")
}

#[cfg(test)]
#[path = "../../build/manifest.rs"]
mod manifest;
#[cfg(test)]
#[path = "../../build/sources.rs"]
mod sources;
#[cfg(test)]
mod tests;
