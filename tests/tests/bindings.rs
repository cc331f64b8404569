//! Checks that the committed bindings of the SDKs are those of the generators.
//!
//! With `UPDATE_BINDINGS` set, the test writes the bindings instead: `cargo xtask bindings`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::{Resolve, WorldId};
use wit_bindgen_core::{Files, WorldGenerator};

/// The bindings of a language.
struct Bindings {
    /// The directory of the generated files, relative to the repository. It has no other files.
    directory: &'static str,
    generator: fn() -> Box<dyn WorldGenerator>,
    /// Texts of the generated files, and their replacements.
    replaced: &'static [(&'static str, &'static str)],
}

const BINDINGS: [Bindings; 2] = [
    Bindings {
        directory: "guest-sdk/c/bindings",
        // `ophost build` adds the contract to a module, so the bindings need no object file.
        generator: || wit_bindgen_c::Opts { no_object_file: true, ..Default::default() }.build(),
        replaced: &[],
    },
    Bindings {
        directory: "guest-sdk/go/internal/bindings",
        generator: go,
        // The SDK has a copy of the module, so that a plugin needs no download.
        replaced: &[("go.bytecodealliance.org/pkg/wit/", "ophost/internal/wit/")],
    },
];

/// Returns the generator for Go: a library without formatting, which would need a Go toolchain.
fn go() -> Box<dyn WorldGenerator> {
    let opts = wit_bindgen_go::Opts {
        format: wit_bindgen_go::Format::False,
        pkg_name: Some("ophost/internal/bindings".to_owned()),
        export_pkg_name: Some("ophost/internal/guest".to_owned()),
        ..Default::default()
    };
    opts.build()
}

#[test]
fn bindings_are_those_of_the_contract() {
    for bindings in BINDINGS {
        let generated = bindings.generate();
        if env::var_os("UPDATE_BINDINGS").is_some() {
            bindings.write(&generated);
        }
        let committed = bindings.committed();
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        let hint = format!("{}: run `cargo xtask bindings`", bindings.directory);
        assert_eq!(names(&committed), names(&generated), "{hint}");
        for (name, content) in generated {
            assert!(committed[&name] == content, "{name} differs. {hint}");
        }
    }
}

impl Bindings {
    fn path(&self) -> PathBuf {
        top().join(self.directory)
    }

    fn generate(&self) -> BTreeMap<String, Vec<u8>> {
        let (mut resolve, world) = contract();
        let mut files = Files::default();
        (self.generator)().generate(&mut resolve, world, &mut files).expect("bindings");
        files.iter().map(|(name, content)| (name.to_owned(), self.adapted(content))).collect()
    }

    /// Returns a file with the replacements. Some generators also write binary files.
    fn adapted(&self, content: &[u8]) -> Vec<u8> {
        let Ok(text) = str::from_utf8(content) else { return content.to_vec() };
        let replace = |text: String, (from, to): &(&str, &str)| text.replace(from, to);
        self.replaced.iter().fold(text.to_owned(), replace).into_bytes()
    }

    /// Returns the files below the directory by their path.
    fn committed(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                let path = entry.expect("a readable directory").path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(self.path()).expect("a file below it");
                    let name = name.to_str().expect("a path of UTF-8");
                    files.insert(name.to_owned(), fs::read(&path).expect("a readable file"));
                }
            }
        }
        files
    }

    fn write(&self, files: &BTreeMap<String, Vec<u8>>) {
        fs::remove_dir_all(self.path()).ok();
        for (name, content) in files {
            let path = self.path().join(name);
            let parent = path.parent().expect("a file in a directory");
            fs::create_dir_all(parent).expect("a writable directory");
            fs::write(path, content).expect("a writable directory");
        }
    }
}

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn contract() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(top().join("wit")).expect("the contract");
    let world = resolve.select_world(&[package], Some("plugin")).expect("a world");
    (resolve, world)
}
