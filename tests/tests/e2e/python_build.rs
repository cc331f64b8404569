//! `ophost build` of projects in Python. The tests need componentize-py: `cargo xtask languages`
//! installs it and sets the variable with the directory of its environment.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::Project;

/// The variable with the virtual environment of the requirements of a project.
const ENVIRONMENT: &str = "OPHOST_TEST_PYTHON";

/// Returns the environment.
fn environment() -> PathBuf {
    let environment = env::var_os(ENVIRONMENT).map(PathBuf::from);
    environment.expect("`cargo xtask languages` sets the variable with the environment")
}

/// Returns a project with a new plugin in Python, and a command in the plugin's directory.
fn new_plugin(name: &str) -> Project {
    let project = Project::new();
    let new = project.run(&["new", name, "--lang", "python"]);
    assert_eq!(new.code, Some(0), "{new}");
    project
}

fn build(project: &Project, environment: &PathBuf, arguments: &[&str]) -> Command {
    let mut command = project.command(&[&["build"], arguments].concat());
    command.env("VIRTUAL_ENV", environment);
    command
}

#[test]
#[ignore = "needs componentize-py: run `cargo xtask languages`"]
fn new_project_builds_and_runs() {
    let environment = environment();
    let project = new_plugin("py-greeter");
    let mut command = build(&project, &environment, &["py-greeter", "--install"]);
    let built = project.output(&mut command);
    assert_eq!(
        (built.stdout.as_str(), built.code),
        ("plugins/py-greeter.wasm\n", Some(0)),
        "{built}"
    );
    assert!(built.stderr.starts_with("building `py-greeter` with componentize-py\n"), "{built}");
    assert!(built.stderr.ends_with(": py_greeter\n"), "{built}");
    let run = project.run(&["run", "py_greeter", "name=World"]);
    insta::assert_snapshot!(run, @r#"{"text":"Hello, World!"}"#);
}

/// The cases are those of the plugin in Rust.
#[test]
#[ignore = "needs componentize-py: run `cargo xtask languages`"]
fn sample_plugin_passes_the_cases_of_the_plugin_in_rust() {
    let environment = environment();
    let project = Project::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../plugins/jobs/python");
    let mut test = project.command(&["test", source]);
    let output = project.output(test.env("VIRTUAL_ENV", environment));
    assert!(output.code == Some(0), "{output}");
    assert!(output.stdout.contains("test result: ok. 37 passed; 0 failed"), "{output}");
}

#[test]
#[ignore = "needs componentize-py: run `cargo xtask languages`"]
fn unit_tests_of_a_new_project_pass() {
    let environment = environment();
    let project = new_plugin("py-tested");
    let pytest = environment.join("bin/pytest");
    let mut command = Command::new(pytest);
    let output = project.output(command.current_dir(project.path().join("py-tested")));
    assert!(output.code == Some(0) && output.stdout.contains("6 passed"), "{output}");
}

#[test]
#[ignore = "needs componentize-py: run `cargo xtask languages`"]
fn error_in_a_source_file_is_shown_with_its_traceback() {
    let environment = environment();
    let project = new_plugin("it");
    let source = project.path().join("it/it.py");
    let code = fs::read_to_string(&source).expect("the module");
    let failed = |code: String| {
        fs::write(&source, code).expect("a file");
        project.output(&mut build(&project, &environment, &["it"]))
    };
    insta::assert_snapshot!(failed(format!("{code}\nLIMIT = nothing + 1\n")), @r#"
    ---- stderr
    building `it` with componentize-py
    error: cannot compile `it`
      Traceback (most recent call last):
        File "[DIR]/it/it.py", line 24, in <module>
          LIMIT = nothing + 1
                  ^^^^^^^
      NameError: name 'nothing' is not defined
    ---- exit 1
    "#);
    insta::assert_snapshot!(failed(code.replace("-> Answer:", "-> Answer")), @r#"
    ---- stderr
    building `it` with componentize-py
    error: cannot compile `it`
      Traceback (most recent call last):
        File "[DIR]/it/it.py", line 20
          def it(person: Person) -> Answer
                                          ^
      SyntaxError: expected ':'
    ---- exit 1
    "#);
    let empty = failed(String::new());
    let reason =
        "  ValueError: plugin `it` has no operation; decorate a function with `@operation`\n";
    assert!(empty.stderr.ends_with(reason) && empty.code == Some(1), "{empty}");
    let exit = failed("import sys\nsys.exit(3)\n".to_owned());
    let reason = "  RuntimeError: the module `it` calls exit while it is imported\n";
    assert!(exit.stderr.contains("it.py\", line 2"), "{exit}");
    assert!(exit.stderr.ends_with(reason) && exit.code == Some(1), "{exit}");
    let missing = failed("import no_such_package\n".to_owned());
    assert!(missing.stderr.contains("hint: add the package to `requirements.txt`"), "{missing}");
    let silent = failed(code.replace("\"\"\"Greets a person by name.\"\"\"", ""));
    assert!(silent.stderr.contains("ValueError: operation `it` has no description"), "{silent}");
    assert!(!silent.stderr.contains("ophost_sdk/"), "{silent}");
}
