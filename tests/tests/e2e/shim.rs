//! `ophost shim`: a module for a workflow system. `cargo xtask prefect` runs it.

use std::fs;

use crate::harness::Project;

#[test]
fn the_shim_is_printed_or_written() {
    let project = Project::new();
    let printed = project.run(&["shim", "prefect"]);
    assert!(printed.stdout.contains("\ndef prefect_env() -> dict[str, str]:\n"), "{printed}");
    assert_eq!((printed.stderr.as_str(), printed.code), ("", Some(0)));

    let written = project.run(&["shim", "prefect", "--output", "ophost_prefect.py"]);
    assert_eq!((written.stdout.as_str(), written.code), ("", Some(0)));
    let file = fs::read_to_string(project.path().join("ophost_prefect.py")).unwrap();
    assert_eq!(file, printed.stdout);
}

#[test]
fn a_shim_that_cannot_be_written_is_told() {
    let output = Project::new().run(&["shim", "prefect", "--output", "missing/shim.py"]);
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: cannot write `missing/shim.py`: No such file or directory (os error 2)
    ---- exit 2
    ");
}
