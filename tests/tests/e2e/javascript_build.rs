//! `ophost build` of projects in TypeScript. The tests need the packages of a project: `cargo xtask
//! languages` installs them and sets the variable with their directory.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::harness::{Output, Project};

/// The variable with `node_modules` of a project whose engine is QuickJS.
const PACKAGES: &str = "OPHOST_TEST_NODE_MODULES";
/// The start of a module.
const IMPORTS: &str = "import { defineOperation, log } from \"ophost-sdk\";\n\
    import * as z from \"zod\";\n\
    const base = { description: \"d\", category: \"c\" };\n";

/// Returns a project with a new plugin `it` in TypeScript, whose packages are installed.
fn new_plugin() -> Project {
    let packages = env::var_os(PACKAGES).map(PathBuf::from);
    let packages = packages.expect("`cargo xtask languages` sets the variable with the packages");
    let project = Project::new();
    let new = project.run(&["new", "it", "--lang", "ts"]);
    assert_eq!(new.code, Some(0), "{new}");
    symlink(packages, project.path().join("it/node_modules")).expect("a new link");
    project
}

/// Builds and installs the plugin with another main module.
fn build(project: &Project, module: &str) -> Output {
    fs::write(project.path().join("it/src/it.ts"), format!("{IMPORTS}{module}\n")).expect("a file");
    project.run(&["build", "it", "--install"])
}

#[test]
#[ignore = "needs packages of npm: run `cargo xtask languages`"]
fn random_numbers_and_the_time_are_new_in_each_run() {
    let project = new_plugin();
    let module = "export const it = defineOperation({ ...base, name: \"it\", output: z.any(), \
        run: () => ({ random: Math.random(), time: Date.now() }) });";
    let built = build(&project, module);
    assert_eq!(built.code, Some(0), "{built}");
    let [first, second] = [(), ()].map(|()| project.run(&["run", "it"]).json());
    assert_ne!(first["random"], second["random"]);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    for run in [first, second] {
        let time = u128::from(run["time"].as_u64().unwrap());
        assert!(time <= now && now - time < 60_000, "{run}");
    }
}

#[test]
#[ignore = "needs packages of npm: run `cargo xtask languages`"]
fn console_writes_to_the_log() {
    let project = new_plugin();
    let module = "console.log(\"not in the log\");\n\
        export const it = defineOperation({ ...base, name: \"it\", run() {\n\
        console.log(\"a\", 1, { b: [2n, null] }); console.error(new RangeError(\"c\")); } });";
    let built = build(&project, module);
    assert_eq!(built.code, Some(0), "{built}");
    let run = project.run(&["run", "it", "--json"]).json();
    let log: Vec<_> = run["log"].as_array().unwrap().iter().collect();
    assert_eq!(log.len(), 2, "{run}");
    assert_eq!(
        (&log[0]["level"], &log[0]["message"]),
        (&"INFO".into(), &"a 1 {\"b\":[2,null]}".into())
    );
    let stack = "RangeError: c\n    at run (src/it.ts:6:";
    assert!(log[1]["message"].as_str().unwrap().starts_with(stack), "{run}");
}

/// The messages of esbuild and of the engine reach the author, with places in the source files.
#[test]
#[ignore = "needs packages of npm: run `cargo xtask languages`"]
fn mistakes_of_the_author_are_named() {
    let project = new_plugin();
    for (module, expected) in [
        ("export const a = {;", "Expected identifier but found \";\""),
        (
            "import { readFileSync } from \"node:fs\"; log.info(readFileSync(\"a\"));",
            "hint: a component has no modules of Node.js such as `fs`",
        ),
        ("import a from \"left-pad\"; a();", "hint: install the package into the project"),
        ("export const a = 1;", "plugin `it` has no operation; its main module must export"),
        (
            "export const a = defineOperation({ ...base, name: \"a\", run() {} });\n\
             export const b = defineOperation({ ...base, name: \"a\", run() {} });",
            "two operations have the name `a`",
        ),
        (
            "export const a = defineOperation({ ...base, name: \"a\", run() {},\n\
             input: z.object({ list: z.array(z.object({ when: z.date() })) }) });",
            "operation `a`: input: `list.when`: JSON Schema cannot describe `z.date`",
        ),
        (
            "export const a = defineOperation({ ...base, name: \"a\", async run() {} });",
            "operation `a`: `run` must be a plain function",
        ),
        ("log.info(\"a\");", "the host can be called only while an operation runs"),
        (
            "function boom() { throw new RangeError(\"too far\"); }\nboom();",
            "Error: too far\n      at boom (src/it.ts:4:",
        ),
    ] {
        let built = build(&project, module);
        assert_eq!(built.code, Some(1), "{built}");
        assert!(built.stderr.contains(expected), "no `{expected}` in {built}");
        assert!(!built.stderr.contains("bundle.js"), "{built}");
    }
}
