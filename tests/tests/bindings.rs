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
}

const BINDINGS: [Bindings; 1] = [Bindings {
    directory: "guest-sdk/c/bindings",
    generator: || wit_bindgen_c::Opts::default().build(),
}];

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
        (self.generator)().generate(&mut resolve, world, &mut files).unwrap();
        files.iter().map(|(name, content)| (name.to_owned(), content.to_vec())).collect()
    }

    /// Returns the files below the directory by their path.
    fn committed(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut directories = vec![self.path()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else {
                    let name = path.strip_prefix(self.path()).unwrap().to_str().unwrap();
                    files.insert(name.to_owned(), fs::read(&path).unwrap());
                }
            }
        }
        files
    }

    fn write(&self, files: &BTreeMap<String, Vec<u8>>) {
        fs::remove_dir_all(self.path()).ok();
        for (name, content) in files {
            let path = self.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
}

fn top() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn contract() -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(top().join("wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    (resolve, world)
}
