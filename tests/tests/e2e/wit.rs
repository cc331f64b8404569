//! `ophost wit`: the contract from the command.

use std::fs;

use crate::harness::Project;

#[test]
fn contract_is_printed_as_one_valid_text() {
    let project = Project::new();
    let output = project.run(&["wit"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)));
    let mut resolve = wit_parser::Resolve::new();
    let package = resolve.push_str("plugin.wit", &output.stdout).expect("a valid contract");
    assert_eq!(resolve.packages[package].name.to_string(), "ophost:plugin@0.1.1");
    assert!(resolve.packages[package].worlds.contains_key("plugin"));
}

#[test]
fn files_of_the_contract_are_written_and_not_overwritten() {
    let project = Project::new();
    let first = project.run(&["wit", "a/wit"]);
    assert_eq!((first.stderr.as_str(), first.code), ("", Some(0)), "{first}");
    let mut resolve = wit_parser::Resolve::new();
    resolve.push_dir(project.path().join("a/wit")).expect("a valid contract");
    let again = project.run(&["wit", "a/wit"]);
    assert_eq!(again.stdout, first.stdout);
    fs::write(project.path().join("a/wit/log.wit"), "mine").expect("a file");
    fs::remove_file(project.path().join("a/wit/types.wit")).expect("a file");
    insta::assert_snapshot!(project.run(&["wit", "a/wit"]), @"
    ---- stderr
    error: cannot write `a/wit/log.wit`: File exists (os error 17)
    hint: the file exists and is not overwritten; choose another name
    ---- exit 2
    ");
    assert!(!project.path().join("a/wit/types.wit").exists());
}
