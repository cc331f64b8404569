//! The names of the workloads. `cargo xtask` includes this file, so that it can list and check them
//! without a build of the benchmarks.

/// The workloads in the order in which they run, with their subjects.
pub(crate) const WORKLOADS: [(&str, &str); 6] = [
    ("call", "an unrecorded call in a process, beside a bare wasmtime loop and Extism"),
    ("command", "cold commands, 1,000 plugins and instructions, beside the `wasmtime` command"),
    ("documents", "documents of runs, undo, scans, indexes and prunes, beside SQLite"),
    ("languages", "compilation of a Python plugin, and calls in each language beside Rust"),
    ("record", "recorded runs and cancelled runs, beside SQLite and redb"),
    ("size", "reads, reopening and one run in a large store, beside SQLite"),
];

/// The directories of the samples in other languages, in `plugins/text`.
pub(crate) const SAMPLES: [&str; 6] = ["c", "cpp", "zig", "go", "javascript", "typescript"];
