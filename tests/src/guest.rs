//! Guests as WebAssembly text, which need no toolchain: hostile and unusual plugins.
//!
//! [`NAMES`] lists the guests. Each is a file `guests/wat/NAME.wat`. [`wat_component`] builds the
//! plugin of a guest, and [`wat_module`] builds its core module, for tests of componentizing.
//! [`describing`] builds a benign plugin with any description: see [`Described`].
//!
//! A file contains the fields of a core module that are specific to the guest. This module appends
//! the common fields of `prelude/plugin.wat` and the result of `describe`, in the memory layout of
//! the canonical ABI.

use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

/// All guests in `guests/wat`, in alphabetical order. The first lines of a file describe the guest.
pub const NAMES: [&str; 28] = [
    "benign",
    "bulk_fill",
    "call_invalid_utf8",
    "deep_json",
    "doze",
    "duplicate_keys",
    "exit",
    "exit_ok",
    "float_json",
    "flood",
    "giant_memory",
    "grow_memory",
    "hoard_handles",
    "huge_output",
    "invalid_utf8",
    "log_bytes",
    "loop_at_start",
    "loop_in_realloc",
    "not_json",
    "panic_after_flood",
    "recurse",
    "sleep",
    "table_bomb",
    "trap",
    "unknown_import",
    "wasi_long_line",
    "wasi_stderr_trap",
    "wasi_stdout",
];

/// Returns the component of the guest `name`, with the description [`Described::guest`].
pub fn wat_component(name: &str) -> Result<Vec<u8>> {
    componentize(&wat_module(name)?).with_context(|| format!("failed to encode guest `{name}`"))
}

/// Returns the core module of the guest `name`, with its world in a custom section.
///
/// Compilers produce the same form for a componentizer.
pub fn wat_module(name: &str) -> Result<Vec<u8>> {
    module(name, &Described::guest(name))
}

/// Returns a component with the description `plugin`. Every operation returns `{}`.
///
/// The description is not validated.
pub fn describing(plugin: &Described) -> Result<Vec<u8>> {
    componentize(&module("benign", plugin)?)
}

/// Returns a component with the description `plugin`. Every operation returns its input.
pub fn echoing(plugin: &Described) -> Result<Vec<u8>> {
    let fields = "
        (memory (export \"memory\") 1)
        (export \"cabi_realloc\" (func $allocate))
        (func $run (result i32)
          (call $answer (global.get $input) (global.get $input_length)))";
    componentize(&module_of("echo", fields, plugin)?)
}

/// Returns a plugin with these module fields, in the format of the files in [`wat_directory`].
///
/// The only operation is `hostile.fields`.
pub fn of_fields(fields: &str) -> Result<Vec<u8>> {
    componentize(&module_of("fields", fields, &Described::guest("fields"))?)
}

/// Returns the guest `benign` with additional, unused instances of a core module.
pub fn crowded(module: &str, instances: usize) -> Result<Vec<u8>> {
    /// Ids of the component sections for a core module and for core instances.
    const MODULE: u8 = 1;
    const INSTANCES: u8 = 2;
    let mut component = wat_component("benign")?;
    let index = sections(&component).filter(|id| *id == MODULE).count();
    component.extend(section(MODULE, &wat::parse_str(module)?));
    // Each instance is the index of the module and an empty list of arguments.
    let instance = [&[0][..], &leb(index), &[0]].concat();
    let list = [leb(instances), instance.repeat(instances)].concat();
    component.extend(section(INSTANCES, &list));
    Ok(component)
}

/// Returns the ids of the top-level sections of a component.
fn sections(component: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = &component[8..];
    iter::from_fn(move || {
        let (id, after) = rest.split_first()?;
        let end = after.iter().position(|byte| byte & 0x80 == 0)?;
        let bits = after[..=end].iter().rev();
        let length = bits.fold(0, |length, byte| length << 7 | usize::from(byte & 0x7f));
        rest = &after[end + 1 + length..];
        Some(*id)
    })
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id][..], &leb(content.len()), content].concat()
}

/// Encodes a number as unsigned LEB128.
fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Returns the directory of the guests' text files.
pub fn wat_directory() -> PathBuf {
    package_directory().join("guests/wat")
}

/// The result of `describe`: the record `plugin` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// The plugin's annotations.
    pub annotations: Vec<Annotation>,
    /// The plugin's operations.
    pub operations: Vec<Operation>,
}

impl Described {
    /// Returns the plugin `name` of version `0.1.0`, without annotations and operations.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), version: "0.1.0".into(), annotations: vec![], operations: vec![] }
    }

    /// Returns the description of the guest in the file `name`.
    ///
    /// The plugin `name` has the operation `hostile.name`.
    pub fn guest(name: &str) -> Self {
        Self::new(name).with(Operation::new(&format!("hostile.{name}")))
    }

    /// Adds an operation.
    #[must_use]
    pub fn with(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Adds an annotation of the plugin. `value` is a JSON text, which is not validated.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.push(Annotation::new(key, value));
        self
    }
}

/// The record `operation` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the contract in `wit/types.wit` documents the fields")]
pub struct Operation {
    pub name: String,
    pub description: String,
    pub category: String,
    pub input_schema: String,
    pub output_schema: String,
    pub tags: Vec<String>,
    pub permissions: Vec<String>,
    pub models_in: Vec<String>,
    pub models_out: Vec<String>,
    pub stage: Option<String>,
    pub async_enabled: bool,
    pub create_taskrun: bool,
    pub annotations: Vec<Annotation>,
}

impl Operation {
    /// Returns the operation `name` with any JSON as input and output, whose runs are recorded.
    ///
    /// All lists are empty.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            description: "An operation for tests.".into(),
            category: "tests".into(),
            input_schema: "{}".into(),
            output_schema: "{}".into(),
            tags: vec![],
            permissions: vec![],
            models_in: vec![],
            models_out: vec![],
            stage: None,
            async_enabled: true,
            create_taskrun: true,
            annotations: vec![],
        }
    }

    /// Adds an annotation. `value` is a JSON text, which is not validated.
    #[must_use]
    pub fn annotated(mut self, key: &str, value: &str) -> Self {
        self.annotations.push(Annotation::new(key, value));
        self
    }
}

/// The record `annotation` of the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// The key of the annotation.
    pub key: String,
    /// The value, a JSON text.
    pub value: String,
}

impl Annotation {
    /// Returns the annotation `key` with the value `value`.
    pub fn new(key: &str, value: &str) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// Builds the core module of the guest `name` with the description `plugin`.
fn module(name: &str, plugin: &Described) -> Result<Vec<u8>> {
    module_of(name, &read_wat(name)?, plugin)
}

/// Builds a core module from the fields of a guest.
fn module_of(name: &str, guest: &str, plugin: &Described) -> Result<Vec<u8>> {
    let prelude = read_wat("prelude/plugin")?;
    let description = description_wat(plugin)?;
    // The guest comes first, because imports must precede all other fields. The guest begins in
    // the first line, so that error messages have the line numbers of its file.
    let text = format!("(module ${name} {guest}\n{description}\n{prelude})");
    let mut module = wat::parse_str(&text).with_context(|| format!("in guest `{name}`"))?;

    let (resolve, world) = guest_world()?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    Ok(module)
}

/// Converts a core module with its world to a component.
fn componentize(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().module(module)?.validate(true).encode()
}

/// Returns the world of all guests.
fn guest_world() -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::new();
    // The first contract, because hosts of every later contract run its plugins.
    resolve.push_dir(package_directory().join("../wit/released/0.1.0"))?;
    let (package, _) = resolve.push_dir(package_directory().join("guests/wit"))?;
    let world = resolve.select_world(&[package], Some("guest"))?;
    Ok((resolve, world))
}

fn read_wat(name: &str) -> Result<String> {
    let path = wat_directory().join(name).with_extension("wat");
    fs::read_to_string(&path).with_context(|| format!("failed to read `{}`", path.display()))
}

fn package_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the module fields with the description `plugin`.
///
/// The `describe` of the prelude copies the data segment to [`DESCRIPTION_START`]. The heap begins
/// after the copy.
fn description_wat(plugin: &Described) -> Result<String> {
    let mut image = Image::default();
    let record = image.plugin(plugin);
    let record = image.store(&record);
    let length = image.bytes.len();
    let heap = image.end();

    let mut wat = format!(
        "(global $description_start i32 (i32.const {DESCRIPTION_START}))\n\
         (global $description_length i32 (i32.const {length}))\n\
         (global $plugin_record i32 (i32.const {record}))\n\
         (global $heap_top (mut i32) (i32.const {heap}))\n\
         (data $description \""
    );
    for byte in image.bytes {
        write!(wat, "\\{byte:02x}")?;
    }
    wat.push_str("\")");
    Ok(wat)
}

/// The address of the description, after the first page. The first page belongs to the guest.
const DESCRIPTION_START: usize = 0x1_0000;

/// The guest memory from [`DESCRIPTION_START`]. The targets of pointers are stored before the
/// records that contain the pointers.
///
/// A method with the name of a type returns the bytes of a value as a field or an element. See the
/// chapter "Storing" of the component model's canonical ABI. All alignments are at most 4 bytes.
#[derive(Default)]
struct Image {
    bytes: Vec<u8>,
}

impl Image {
    fn plugin(&mut self, plugin: &Described) -> Vec<u8> {
        [
            self.string(&plugin.name),
            self.string(&plugin.version),
            self.list(&plugin.annotations, Self::annotation),
            self.list(&plugin.operations, Self::operation),
        ]
        .concat()
    }

    fn operation(&mut self, operation: &Operation) -> Vec<u8> {
        [
            self.string(&operation.name),
            self.string(&operation.description),
            self.string(&operation.category),
            self.string(&operation.input_schema),
            self.string(&operation.output_schema),
            self.strings(&operation.tags),
            self.strings(&operation.permissions),
            self.strings(&operation.models_in),
            self.strings(&operation.models_out),
            self.optional_string(operation.stage.as_deref()),
            // Two `bool`, and padding to the alignment of the next list.
            vec![operation.async_enabled.into(), operation.create_taskrun.into(), 0, 0],
            self.list(&operation.annotations, Self::annotation),
        ]
        .concat()
    }

    fn annotation(&mut self, annotation: &Annotation) -> Vec<u8> {
        [self.string(&annotation.key), self.string(&annotation.value)].concat()
    }

    fn strings(&mut self, texts: &[String]) -> Vec<u8> {
        self.list(texts, |image, text| image.string(text))
    }

    fn optional_string(&mut self, text: Option<&str>) -> Vec<u8> {
        let tag = u32::from(text.is_some()).to_le_bytes();
        [tag.to_vec(), self.string(text.unwrap_or_default())].concat()
    }

    fn string(&mut self, text: &str) -> Vec<u8> {
        let start = self.store(text.as_bytes());
        pointer_and_length(start, text.len())
    }

    fn list<T>(&mut self, items: &[T], element: fn(&mut Self, &T) -> Vec<u8>) -> Vec<u8> {
        let elements: Vec<u8> = items.iter().flat_map(|item| element(self, item)).collect();
        let start = self.store(&elements);
        pointer_and_length(start, items.len())
    }

    /// Appends `bytes` at the next multiple of 4 and returns their address.
    fn store(&mut self, bytes: &[u8]) -> usize {
        let aligned = self.bytes.len().next_multiple_of(4);
        self.bytes.resize(aligned, 0);
        let start = self.end();
        self.bytes.extend_from_slice(bytes);
        start
    }

    /// Returns the first address after the image.
    fn end(&self) -> usize {
        DESCRIPTION_START + self.bytes.len()
    }
}

fn pointer_and_length(pointer: usize, length: usize) -> Vec<u8> {
    [pointer, length]
        .map(|word| u32::try_from(word).expect("a guest's memory has 32-bit addresses"))
        .into_iter()
        .flat_map(u32::to_le_bytes)
        .collect()
}
