//! The architecture of the sources: which module may use which, and which crates only one module
//! may name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of the library, each with the folders that it may use. `lib.rs` shows the same.
const ALLOWED_DEPENDENCIES: [(&str, &[&str]); 11] = [
    ("config", &["policy", "model", "util"]),
    (
        "run",
        &[
            "runs",
            "documents",
            "registry",
            "sandbox",
            "store",
            "context",
            "policy",
            "model",
            "util",
        ],
    ),
    ("runs", &["store", "model", "util"]),
    ("documents", &["sandbox", "store", "context", "policy", "model", "util"]),
    ("registry", &["sandbox", "model", "util"]),
    ("sandbox", &["policy", "model", "util"]),
    ("store", &["model", "util"]),
    ("context", &["model"]),
    ("policy", &["model"]),
    ("model", &["util"]),
    ("util", &[]),
];

/// Crates that only one folder of the library may name. Cargo restricts the others: the command
/// line, the schema checks and the builds of plugins are crates of their own.
const RESTRICTED_CRATES: [(&str, &[&str]); 6] = [
    ("sandbox", &["wasmtime", "wasmtime_wasi", "wasmparser", "wit_component"]),
    ("registry", &["notify"]),
    ("config", &["toml"]),
    ("context", &["miniz_oxide"]),
    ("model", &["sha2"]),
    ("store/redb", &["redb"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/src")
}

/// Returns the code of each module of the library, without comments and unit tests.
fn modules() -> BTreeMap<String, String> {
    modules_in(&source())
}

fn modules_in(source: &Path) -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    collect(source, source, &mut modules);
    modules.remove("lib");
    modules.remove("main");
    modules
}

fn collect(source: &Path, directory: &Path, modules: &mut BTreeMap<String, String>) {
    for (path, code) in files_of(directory) {
        let inside = path.strip_prefix(source).expect("below the sources");
        let top = inside.components().next().expect("a name").as_os_str();
        let module = Path::new(top).file_stem().expect("a name").to_string_lossy().into_owned();
        modules.entry(module).or_default().push_str(&code);
    }
}

/// Returns the code of each file, also in the directories below, without comments and unit tests.
fn files_of(directory: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_of(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text");
        files.push((path, product_code(&text)));
    }
    files
}

/// Returns a source file without its comments and without the items under `#[cfg(test)]`.
/// Formatted code is assumed: an item ends at a line that has its indentation and closes it.
fn product_code(text: &str) -> String {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut code = String::new();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        let depth = indentation(line);
        let is_end = |line: &&str| {
            let is_attribute = line.trim_start().starts_with("#[");
            indentation(line) == depth && line.ends_with([';', '}', ',']) && !is_attribute
        };
        lines.find(is_end);
    }
    code
}

/// Returns whether `word` stands in `code` as a word of its own, followed by `::`.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(place, _)| {
        let before = code[..place].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn code_behind_a_test_item_is_product_code() {
    let text = "\
#[cfg(test)]
use crate::before::Helper;
use crate::first::A;
impl A {
    #[cfg(test)]
    #[expect(dead_code, reason = \"a test uses it\")]
    fn for_tests(&self) {
        crate::inside::call();
    }
    // crate::comment::call
    fn product(&self) {
        crate::second::call();
    }
}
#[cfg(test)]
mod tests {
    fn call() {
        crate::tested::call();
    }
}
#[cfg(test)]
mod random;
mod last {
    use crate::third::C;
}
";
    let code = product_code(text);
    for name in ["first", "second", "third"] {
        assert!(code.contains(&format!("crate::{name}::")), "{code}");
    }
    for name in ["before", "inside", "comment", "tested"] {
        assert!(!code.contains(&format!("crate::{name}")), "{code}");
    }
    assert!(!code.contains("random"), "{code}");
}

#[test]
fn a_module_uses_only_what_its_arrows_allow() {
    let allowed: BTreeMap<_, _> = ALLOWED_DEPENDENCIES.into();
    for (module, code) in modules() {
        let arrows =
            allowed.get(module.as_str()).unwrap_or_else(|| panic!("`{module}` has no arrows"));
        for (other, _) in ALLOWED_DEPENDENCIES {
            let used = names(&code, &format!("crate::{other}::"));
            let may = other == module || arrows.contains(&other);
            assert!(!used || may, "`{module}` uses `{other}`");
        }
        assert!(!code.contains("crate::{"), "`{module}` hides what it uses in `crate::{{..}}`");
    }
}

#[test]
fn the_arrows_lead_one_way() {
    for (place, (module, arrows)) in ALLOWED_DEPENDENCIES.iter().enumerate() {
        let above: Vec<_> = ALLOWED_DEPENDENCIES[..=place].iter().map(|(name, _)| *name).collect();
        let back: Vec<_> = arrows.iter().filter(|arrow| above.contains(arrow)).collect();
        assert!(back.is_empty(), "`{module}` leads back to {back:?}");
    }
}

#[test]
fn document_module_uses_only_modules_below_it_in_the_map() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/document/src");
    let map = fs::read_to_string(source.join("lib.rs")).expect("the map");
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rows: Vec<_> = rows.filter_map(|row| Some(row.split_once('`')?.0)).collect();
    let mut modules = modules_in(&source);
    modules.remove("property_tests").expect("tests alone");
    for (module, code) in &modules {
        let place = rows.iter().position(|row| row == module);
        let place = place.unwrap_or_else(|| panic!("`{module}` is not in the map"));
        for used in code.split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next();
            let below = rows[place..].iter().any(|row| Some(*row) == used);
            assert!(below, "`{module}` uses {used:?}, which does not stand below it");
        }
    }
    assert_eq!(modules.len(), rows.len());
}

#[test]
fn a_large_dependency_is_named_in_one_folder() {
    for (path, code) in files_of(&source()) {
        let inside = path.strip_prefix(source()).expect("below the sources");
        for (owner, crates) in RESTRICTED_CRATES {
            for name in crates {
                let is_used = names(&code, &format!("{name}::"));
                let is_owner = inside.starts_with(owner);
                assert!(!is_used || is_owner, "`{}` names `{name}`", inside.display());
            }
        }
    }
}

/// What `std` and others write to a standard stream is cut where the stream does not block.
#[test]
fn standard_streams_are_read_and_written_in_one_place() {
    let mut asked = 0;
    for (file, code) in files_of(&source().join("../cli/src")) {
        if file.ends_with("stdio.rs") {
            continue;
        }
        for stream in ["stdin()", "stdout()", "stderr()"] {
            // The streams of the CLI itself are called `stdio::stdout()` and so on.
            for (place, _) in code.match_indices(&format!("io::{stream}")) {
                if code[..place].ends_with("std") {
                    continue;
                }
                let after = &code[place + "io::".len() + stream.len()..];
                // To ask what a stream is moves no byte.
                let is_question = after.starts_with(".is_terminal()") || after.starts_with(')');
                asked += usize::from(is_question);
                assert!(is_question, "{}: {stream}{after:.40}", file.display());
            }
        }
    }
    assert!(asked > 5, "{asked}");
}

/// Returns the text of a contract without its comments, which are not part of it.
fn decoded_contract(directory: &Path) -> String {
    let mut resolve = wit_parser::Resolve::new();
    let (package, _) = resolve.push_dir(directory).expect("a contract");
    let mut printer = wit_component::WitPrinter::default();
    printer.emit_docs(false);
    printer.print(&resolve, package, &[]).expect("a printable contract");
    printer.output.to_string()
}

#[test]
fn the_contract_is_equal_to_its_frozen_copy() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let frozen = decoded_contract(&wit.join("released/0.1.1"));
    assert_eq!(decoded_contract(&wit), frozen, "0.1.1 is released: see wit/README.md");
}

#[test]
fn only_a_changed_comment_leaves_a_contract_equal() {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let changed = |from: &str, to: &str| {
        let copy = tempfile::tempdir().expect("a directory");
        for entry in fs::read_dir(&wit).expect("the contract") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "wit") {
                let text = fs::read_to_string(&path).expect("a text");
                let name = path.file_name().expect("a name");
                fs::write(copy.path().join(name), text.replace(from, to)).expect("a file");
            }
        }
        decoded_contract(copy.path())
    };
    let contract = decoded_contract(&wit);
    assert_eq!(changed("/// ", "/// Other text. "), contract);
    assert_ne!(changed("attempt: func() -> u32;", "attempt: func() -> u64;"), contract);
}

#[test]
fn the_engine_s_version_is_that_of_the_lock_file() {
    let locked = locked_version("wasmtime");
    let source = fs::read_to_string(source().join("sandbox/mod.rs")).expect("the sandbox");
    assert!(source.contains(&format!("ENGINE_VERSION: &str = \"{locked}\"")), "{locked}");
}

#[test]
fn the_rules_of_schemas_name_the_validator_s_version_in_the_lock_file() {
    let locked = locked_version("jsonschema");
    let source = source().join("../schema/src/compiled.rs");
    let source = fs::read_to_string(source).expect("the schemas");
    let (_, rules) = source.split_once("RULES: &str = \"").expect("the rules");
    let rules = rules.split('"').next().expect("a text");
    assert!(rules.ends_with(&format!("jsonschema {locked}")), "{locked}");
}

/// Returns the version of a package in the lock file.
fn locked_version(package: &str) -> String {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let lock = fs::read_to_string(top.join("Cargo.lock")).expect("the lock file");
    let entry = format!("name = \"{package}\"\nversion = \"");
    let (_, after) = lock.split_once(&entry).expect("the package");
    after.split('"').next().expect("a version").to_owned()
}
