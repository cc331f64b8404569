//! `ophost list`: operations and rejected files.

use crate::harness::Project;
use crate::terminal;

#[test]
fn operations_are_listed_by_category_and_name() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["list"]), @"
    text
      slugify     Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.
      word_count  Counts the words, lines and characters of a text.
    ");
}

#[test]
fn project_without_plugins_prints_a_hint() {
    insta::assert_snapshot!(Project::new().run(&["list"]), @"
    ---- stderr
    No operations. Run `ophost new NAME` to create a plugin, or copy a component into the plugin directory.
    ");
}

#[test]
fn rejected_file_is_named_and_does_not_stop_the_listing() {
    let project = Project::with_rust(&["text"]);
    project.add("empty", b"");
    project.add("page", b"<html>");
    project.add("module", b"\0asm\x01\0\0\0");
    std::fs::create_dir(project.plugins().join("folder.wasm")).unwrap();
    insta::assert_snapshot!(project.run(&["list"]), @"
    text
      slugify     Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.
      word_count  Counts the words, lines and characters of a text.
    ---- stderr
    warning: `plugins/empty.wasm` was rejected: not a WebAssembly file
    warning: `plugins/folder.wasm` was rejected: not a regular file
    warning: `plugins/module.wasm` was rejected: a core module without component-type metadata; add it with `wasm-tools component embed` and the contract that `ophost wit` writes
    warning: `plugins/page.wasm` was rejected: not a WebAssembly file
    ");
}

#[test]
fn json_has_all_declarations_of_an_operation() {
    let project = Project::with_rust(&["text"]);
    let listed = project.run(&["list", "--json"]).json();
    let slugify = &listed["operations"][0];
    assert_eq!(slugify["name"], "slugify");
    assert_eq!(slugify["category"], "text");
    assert_eq!(slugify["async_enabled"], true);
    assert_eq!(slugify["input_schema"]["properties"]["text"]["type"], "string");
    assert_eq!(slugify["plugin"]["name"], "text");
    assert_eq!(listed["rejected"], serde_json::json!([]));
}

#[test]
fn plugins_are_found_from_a_subdirectory() {
    let project = Project::with_rust(&["text"]);
    project.settings("");
    let below = project.path().join("a/b");
    std::fs::create_dir_all(&below).unwrap();
    let output = project.output(project.command(&["list"]).current_dir(below));
    assert!(output.stdout.contains("slugify"), "{output}");
}

#[test]
fn plugin_directory_is_set_by_flag_or_variable() {
    let project = Project::with_rust(&["text"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let plugins = project.plugins();
    let by_flag = ["--plugins", plugins.to_str().unwrap(), "list"];
    let output = project.output(project.command(&by_flag).current_dir(elsewhere.path()));
    assert!(output.stdout.contains("slugify"), "{output}");
    let mut by_variable = project.command(&["list"]);
    by_variable.current_dir(elsewhere.path()).env("OPHOST_PLUGINS", &plugins);
    assert!(project.output(&mut by_variable).stdout.contains("slugify"));
}

#[test]
fn plugin_directory_that_is_a_file_is_an_error() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["--plugins", "plugins/text.wasm", "list"]), @"
    ---- stderr
    error: cannot read the plugin directory `plugins/text.wasm`: Not a directory (os error 20)
    hint: use `--plugins` to name a directory with `.wasm` files
    ---- exit 5
    ");
}

#[test]
fn special_files_do_not_block_the_listing() {
    let project = Project::with_rust(&["text"]);
    let text = std::fs::read(project.plugins().join("text.wasm")).unwrap();
    project.add("cut", &text[..text.len() / 2]);
    std::os::unix::fs::symlink("nowhere", project.plugins().join("dangling.wasm")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        project.plugins().join("fifo.wasm"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    let output = project.run(&["list"]);
    assert_eq!(output.stdout.lines().count(), 3, "{output}");
    let rejected: Vec<_> = output.stderr.lines().collect();
    assert!(
        rejected[0].contains("`plugins/cut.wasm` was rejected: invalid or unsupported component"),
        "{output}"
    );
    assert!(
        rejected[1].contains("`plugins/dangling.wasm` was rejected: cannot be read"),
        "{output}"
    );
    assert!(
        rejected[2].contains("`plugins/fifo.wasm` was rejected: not a regular file"),
        "{output}"
    );
}

#[test]
fn list_is_filtered_and_shows_choices_if_nothing_matches() {
    let project = Project::with_rust(&["text", "misbehave"]);
    let narrow = ["list", "--category", "text", "--tag", "text", "--tag", "web"];
    insta::assert_snapshot!(project.run(&narrow), @"
    text
      slugify  Converts a text to a part of a URL: `Salt & Pepper` becomes `salt-pepper`.
    ");
    let nothing = ["list", "--category", "txt", "--tag", "web", "--model", "Job"];
    insta::assert_snapshot!(project.run(&nothing), @"
    ---- stderr
    No operation matches. Existing values:
      categories: test, text
      tags: statistics, text, web
      models: none
    ");
    let listed = project.run(&["list", "--json", "--tag", "statistics"]).json();
    assert_eq!(listed["operations"].as_array().map(Vec::len), Some(1));
}

#[test]
fn empty_parts_of_the_variable_are_ignored() {
    let project = Project::with_rust(&["text"]);
    for value in ["", ":", "plugins:", ":plugins"] {
        let output = project.output(project.command(&["list"]).env("OPHOST_PLUGINS", value));
        assert!(output.stdout.contains("slugify"), "{value:?}: {output}");
        assert_eq!(output.code, Some(0));
    }
}

#[test]
fn list_on_a_terminal_has_bold_names_and_fits_its_width() {
    let project = Project::with_rust(&["text"]);
    let (text, code) = terminal::run(project.command(&["list"]), 60);
    assert_eq!(code, Some(0));
    assert!(text.contains("\u{1b}[1mslugify\u{1b}[0m"), "{text}");
    let plain = terminal::run(project.command(&["list", "--color", "never"]), 60).0;
    insta::assert_snapshot!(plain.replace("\r\n", "\n"), @"
    text
      slugify     Converts a text to a part of a URL: `Salt &...
      word_count  Counts the words, lines and characters of a...
    ");
    let mut without = project.command(&["list"]);
    without.env("NO_COLOR", "1");
    assert_eq!(terminal::run(without, 60).0, plain);
    let forced = project.run(&["list", "--color", "always"]);
    assert!(forced.stdout.contains("\u{1b}[1mslugify"), "{forced}");
}
