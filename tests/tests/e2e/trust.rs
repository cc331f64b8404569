//! Files that other users own or can change: rejection, acceptance by a setting, and fixes.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Output, Project, SHARED_GROUP, require_root};

/// A user id that is not in `/etc/passwd`.
const USER: u32 = 54_321;
/// Another user id that is not in `/etc/passwd`.
const OTHER: u32 = 54_322;

/// Commands that open the store or load plugins.
const TRUSTING: [&[&str]; 13] = [
    &["build", "plugins", "--install"],
    &["run", "slugify", "text=a"],
    &["list"],
    &["describe", "slugify"],
    &["plugins"],
    &["runs", "list"],
    &["runs", "show", "latest"],
    &["runs", "export"],
    &["runs", "rerun", "latest"],
    &["documents", "collections"],
    &["documents", "import", "people", "people.jsonl"],
    &["store", "check"],
    &["store", "backup", "copy"],
];

/// Commands that neither open the store nor load plugins.
const INDEPENDENT: [&[&str]; 6] = [
    &["config", "show"],
    &["completions", "bash"],
    &["shim", "prefect"],
    &["--help"],
    &["check", "plugins/text.wasm"],
    &["doctor", "--help"],
];

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("root permissions");
}

fn give(path: &Path, user: u32) {
    require_root();
    let user = rustix::fs::Uid::from_raw(user);
    rustix::fs::chown(path, Some(user), None).expect("root permissions");
}

/// Returns a project that a user owns, with the plugin `text` and a directory `tmp`.
fn project_of(user: u32) -> Project {
    let project = Project::with_rust(&["text"]);
    fs::create_dir(project.path().join("tmp")).expect("a writable directory");
    for name in ["", "plugins", "tmp"] {
        mode(&project.path().join(name), 0o755);
    }
    project.give_to(user);
    project
}

/// Returns the first command in a hint.
fn command_of(hint: &str) -> String {
    hint.split('`').nth(1).expect("a command").to_owned()
}

fn hint(output: &Output) -> &str {
    let hint = output.stderr.lines().filter_map(|line| line.strip_prefix("hint: ")).next_back();
    hint.unwrap_or_else(|| panic!("no hint in {output}"))
}

/// Runs a command from a hint. The tests are root, so `sudo` is removed.
fn run_fix(project: &Project, command: &str) {
    let status = Command::new("sh")
        .args(["-c", &command.replace("sudo ", "")])
        .current_dir(project.path())
        .status();
    assert!(status.expect("the command starts").success(), "{command}");
}

fn run_count(output: &Output) -> usize {
    assert_eq!(output.code, Some(0), "{output}");
    output.json()["runs"].as_array().expect("runs").len()
}

fn findings<'a>(report: &'a Value, check: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = report["findings"].as_array().expect("findings");
    all.iter().filter(move |finding| finding["check"] == check)
}

#[test]
fn group_writable_settings_never_select_the_store() {
    let project = Project::with_rust(&["text"]);
    project.settings("data = \"state\"\n[limits]\nmemory = \"256MiB\"\n");
    fs::write(project.path().join("people.jsonl"), "{}\n").expect("a writable directory");
    assert_eq!(project.run(&["run", "slugify", "text=a", "--record"]).code, Some(0));
    project.share("ophost.toml", 0o664);
    for arguments in TRUSTING {
        let output = project.run(arguments);
        assert_eq!((output.stdout.as_str(), output.code), ("", Some(4)), "{arguments:?}: {output}");
        let message = "error: `ophost.toml` determines `data` and is not trusted: \
            its group can write to it (mode 0664)\nhint: run `chmod go-w ophost.toml`, or ";
        assert!(output.stderr.starts_with(message), "{arguments:?}: {output}");
        assert_eq!(output.stderr.lines().count(), 2, "{arguments:?}: {output}");
    }
    for arguments in INDEPENDENT {
        let output = project.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output}");
    }
    assert!(!project.path().join(".ophost").exists());
    assert!(!project.path().join("copy").exists());
    let shown = project.run(&["config", "show"]);
    let data = shown.stdout.lines().find(|line| line.starts_with("data ")).expect("a row");
    let words: Vec<_> = data.split_whitespace().collect();
    assert_eq!(words, ["data", "state", "ophost.toml,", "not", "trusted"], "{shown}");
    assert!(shown.stderr.contains("ignored: data, limits.memory"), "{shown}");
    let failed = project.run(&["list", "--json"]).json();
    assert_eq!(failed["error"]["kind"], "untrusted");
    run_fix(&project, &command_of(hint(&project.run(&["list"]))));
    assert_eq!(run_count(&project.run(&["runs", "list", "--json"])), 1);
}

#[test]
fn flag_or_variable_replaces_untrusted_settings() {
    let project = Project::with_rust(&["text"]);
    project.settings("data = \"state\"\nplugins = [\"plugins\"]\n[limits]\nmemory = \"256MiB\"\n");
    assert_eq!(project.run(&["run", "slugify", "text=a", "--record"]).code, Some(0));
    project.share("ophost.toml", 0o664);
    let both = ["run", "slugify", "text=a", "--record", "--data", "state", "--plugins", "plugins"];
    let output = project.run(&both);
    assert_eq!((output.stdout.as_str(), output.code), ("{\"slug\":\"a\"}\n", Some(0)), "{output}");
    assert!(output.stderr.contains("ignored: limits.memory\n"), "{output}");
    let mut list = project.command(&["runs", "list", "--json"]);
    let output = project.output(list.env("OPHOST_DATA", "state"));
    assert_eq!(run_count(&output), 2, "this command needs no plugins");
    assert!(output.stderr.contains("ignored: plugins, limits.memory\n"), "{output}");
    let output = project.run(&["run", "slugify", "text=a", "--data", "state"]);
    assert!(output.stderr.contains("determines `plugins` and is not trusted"), "{output}");
    assert_eq!(output.code, Some(4));
}

#[test]
fn settings_of_another_user_never_select_the_store() {
    let project = project_of(USER);
    project.settings("data = \"state\"\n");
    give(&project.path().join("ophost.toml"), OTHER);
    for arguments in TRUSTING {
        let output = project.run_as(USER, arguments);
        assert_eq!((output.stdout.as_str(), output.code), ("", Some(4)), "{arguments:?}: {output}");
        assert!(output.stderr.contains("not trusted: belongs to uid 54322\n"), "{output}");
    }
    let hint = hint(&project.run_as(USER, &["list"])).to_owned();
    assert!(
        hint.starts_with("inspect the content, then run `sudo chown -R 54321 ophost.toml`, or ")
    );
    run_fix(&project, &command_of(&hint));
    assert_eq!(project.run_as(USER, &["list"]).code, Some(0));
    assert!(project.path().join("state").is_dir());
}

/// A project marker of another user in a parent directory must not be ignored silently.
#[test]
fn project_of_another_user_is_an_error() {
    for marker in ["ophost.toml", ".ophost"] {
        let project = project_of(USER);
        let below = project.path().join("below");
        fs::create_dir(&below).expect("a writable directory");
        give(&below, USER);
        if marker == "ophost.toml" {
            project.settings("");
        } else {
            fs::create_dir(project.path().join(marker)).expect("a writable directory");
        }
        give(&project.path().join(marker), OTHER);
        let run = |arguments: &[&str]| {
            let mut command = project.command_of(USER, &[], arguments);
            project.output(command.current_dir(&below))
        };
        let output = run(&["runs", "list"]);
        let message = format!("error: `[DIR]/{marker}` determines `data` and is not trusted: ");
        assert!(output.stderr.starts_with(&message), "{output}");
        assert_eq!(output.code, Some(4), "{output}");
        assert_eq!(run(&["runs", "list", "--data", "here"]).code, Some(0));
        fs::write(below.join("ophost.toml"), "").expect("a writable directory");
        assert_eq!(run(&["runs", "list"]).code, Some(0), "a marker of root is trusted");
    }
}

#[test]
fn completions_with_untrusted_settings_are_empty() {
    let project = Project::with_rust(&["text"]);
    project.settings("data = \"state\"\n");
    project.share("ophost.toml", 0o664);
    let arguments = ["--", "ophost", "run", "slu"];
    let mut command = project.command(&arguments);
    command.env("OPHOST_COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "2").env("_CLAP_IFS", "\n");
    let output = project.output(&mut command);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    assert!(!project.path().join(".ophost").exists());
}

/// Replaces `/etc/passwd` and `/etc/group` in a mount namespace, and runs a command as the user.
const WITH_ACCOUNTS: &str = r#"
mount --bind passwd.txt /etc/passwd && mount --bind group.txt /etc/group || exit 77
exec setpriv --reuid 54321 --regid 54321 --clear-groups "$0" list
"#;

fn is_trusted(project: &Project, passwd: &str, group: &str) -> bool {
    let root = "root:x:0:0:root:/root:/bin/sh\n";
    fs::write(project.path().join("passwd.txt"), format!("{root}{passwd}")).expect("writable");
    fs::write(project.path().join("group.txt"), format!("root:x:0:\n{group}")).expect("writable");
    let program = project.program_for_all();
    let program = program.to_str().expect("UTF-8");
    let script = ["--mount", "sh", "-c", WITH_ACCOUNTS, program];
    let output = project.output(&mut project.program("unshare", &script));
    let is_rejected = output.stderr.contains("its group can write to it");
    assert_eq!(output.code, Some(if is_rejected { 4 } else { 0 }), "{output}");
    !is_rejected
}

#[test]
fn group_is_private_only_if_it_has_one_known_member() {
    let project = project_of(USER);
    let file = project.path().join("ophost.toml");
    project.settings_of_mode("data = \"state\"\n", 0o664);
    project.give_to(USER);
    for path in ["plugins", "plugins/text.wasm", ""] {
        let path = project.path().join(path);
        mode(&path, if path.is_dir() { 0o775 } else { 0o664 });
    }
    let ann = "ann:x:54321:54321::/:/bin/sh\n";
    assert!(is_trusted(&project, ann, "ann:x:54321:\n"));
    assert!(is_trusted(&project, ann, "ann:x:54321:ann\n"));
    assert!(!is_trusted(&project, ann, "ann:x:54321:bob\n"), "another member");
    assert!(!is_trusted(&project, ann, "users:x:54321:\n"), "another name");
    assert!(!is_trusted(&project, ann, ""), "a group that is not listed");
    assert!(!is_trusted(&project, "", "ann:x:54321:\n"), "a user who is not listed");
    let bob = format!("{ann}bob:x:54322:54321::/:/bin/sh\n");
    assert!(!is_trusted(&project, &bob, "ann:x:54321:\n"), "the group of another user too");
    // An access control list that lets another user write appears as the mode of the group.
    let mut acl = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (1_u16, 6_u16, u32::MAX),
        (2, 6, OTHER),
        (4, 6, u32::MAX),
        (16, 6, u32::MAX),
        (32, 4, u32::MAX),
    ] {
        acl.extend(tag.to_le_bytes());
        acl.extend(permissions.to_le_bytes());
        acl.extend(id.to_le_bytes());
    }
    let flags = rustix::fs::XattrFlags::empty();
    rustix::fs::setxattr(&file, "system.posix_acl_access", &acl, flags).expect("a file system");
    assert!(!is_trusted(&project, ann, "ann:x:54321:\n"), "an access control list");
}

#[test]
fn trust_setting_does_not_apply_to_its_own_file() {
    let project = Project::with_rust(&["text"]);
    let text = "trust = [\"group-writable\"]\n";
    project.settings(text);
    project.share("plugins", 0o775);
    assert_eq!(project.run(&["list"]).code, Some(0), "a trusted file accepts the plugins");
    project.share("ophost.toml", 0o664);
    let output = project.run(&["list"]);
    assert!(output.stderr.contains("ignored: trust\n"), "{output}");
    assert!(output.stderr.contains("`plugins`: its group can write to it (mode 0775)"), "{output}");
    assert_eq!(output.code, Some(4));
    let output = project.run(&["list", "--trust", "group-writable"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    let mut list = project.command(&["list"]);
    let output = project.output(list.env("OPHOST_TRUST", "owner:54321, group-writable\r"));
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    insta::assert_snapshot!(project.run(&["list", "--trust", "everybody"]), @"
    ---- stderr
    error: `--trust`: `trust`: `everybody` is not `group-writable`, `world-writable` or `owner:USER`
    ---- exit 2
    ");
}

#[test]
fn all_untrusted_plugin_paths_are_fixed_by_one_command() {
    let project = Project::with_rust(&["text", "misbehave"]);
    fs::create_dir(project.path().join("more")).expect("a writable directory");
    project.share("plugins", 0o775);
    project.share("plugins/text.wasm", 0o664);
    mode(&project.path().join("more"), 0o777);
    let arguments = ["list", "--plugins", "plugins", "--plugins", "more"];
    let output = project.run(&arguments);
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: the plugins are not trusted: `plugins`: its group can write to it (mode 0775); `more`: every user can write to it (mode 0777); `plugins/text.wasm`: its group can write to it (mode 0664)
    hint: run `chmod go-w more plugins plugins/text.wasm`, or set `OPHOST_TRUST=world-writable` to accept them
    ---- exit 4
    ");
    let doctor = project.run(&["doctor", "--json", "--plugins", "plugins", "--plugins", "more"]);
    let report = doctor.json();
    let operations: Vec<_> = findings(&report, "operations").collect();
    assert_eq!(operations[0]["fix"], *hint(&output), "{doctor}");
    run_fix(&project, &command_of(hint(&output)));
    let output = project.run(&arguments);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    // In a trusted directory only the untrusted file is rejected.
    project.share("plugins/text.wasm", 0o664);
    let output = project.run(&["plugins"]);
    assert!(output.stdout.contains("its group can write to it (mode 0664)"), "{output}");
    run_fix(&project, &command_of(hint(&output)));
    assert_eq!(project.run(&["plugins"]).stderr, "");
}

/// Creates the layout of a ConfigMap volume: owned by root, with links to a versioned directory.
fn config_map(project: &Project, directory_mode: u32) {
    let plugins = project.plugins();
    let version = plugins.join("..2026_11_28");
    fs::create_dir(&version).expect("a writable directory");
    fs::rename(plugins.join("text.wasm"), version.join("text.wasm")).expect("one file system");
    symlink("..2026_11_28", plugins.join("..data")).expect("a link");
    symlink("..data/text.wasm", plugins.join("text.wasm")).expect("a link");
    let status = Command::new("chown").args(["-hR", "0:0"]).arg(&plugins).status();
    assert!(status.expect("the command starts").success());
    mode(&version, 0o755);
    mode(&version.join("text.wasm"), 0o644);
    mode(&plugins, directory_mode);
}

/// Mounts the plugin directory read-only and runs a command as the user.
const READ_ONLY: &str = r#"
mount --bind plugins plugins && mount -o remount,ro,bind plugins || exit 77
exec setpriv --reuid 54321 --regid 54321 --clear-groups "$0" "$@"
"#;

fn on_read_only_plugins(project: &Project, trust: Option<&str>, arguments: &[&str]) -> Output {
    let program = project.program_for_all();
    let start = ["--mount", "sh", "-c", READ_ONLY, program.to_str().expect("UTF-8")];
    let mut command = project.program("unshare", &[&start[..], arguments].concat());
    command.env("TMPDIR", project.path().join("tmp"));
    command.envs(trust.map(|trust| ("OPHOST_TRUST", trust)));
    project.output(&mut command)
}

#[test]
fn links_of_a_config_map_are_followed_within_the_directory() {
    let project = project_of(USER);
    config_map(&project, 0o755);
    let output = project.run_as(USER, &["run", "slugify", "text=a"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    // A user with write access to the target directory of the link can replace the file.
    mode(&project.plugins().join("..2026_11_28"), 0o757);
    let output = project.run_as(USER, &["plugins"]);
    assert!(output.stdout.contains("..2026_11_28`: every user can write to it"), "{output}");
}

#[test]
fn world_writable_config_map_is_accepted_by_the_trust_setting() {
    let project = project_of(USER);
    config_map(&project, 0o1777);
    let output = on_read_only_plugins(&project, None, &["run", "slugify", "text=a"]);
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: the plugins are not trusted: `plugins`: every user can write to it (mode 1777)
    hint: `plugins` is on a read-only mount, so its mode cannot be changed; set `OPHOST_TRUST=world-writable` to accept it
    ---- exit 4
    ");
    let doctor = on_read_only_plugins(&project, None, &["doctor", "--json"]).json();
    let plugins: Vec<_> = findings(&doctor, "plugins").collect();
    let fix = plugins[0]["fix"].as_str().expect("a fix");
    assert!(fix.contains("read-only mount") && !fix.contains("chmod"), "{fix}");
    let trust = Some("world-writable");
    let output = on_read_only_plugins(&project, trust, &["run", "slugify", "text=a"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    // An emptyDir volume has the same mode, but its mode can be changed.
    let output = project.run_as(USER, &["list"]);
    assert!(hint(&output).starts_with("run `chmod go-w plugins`, or "), "{output}");
}

/// Changes the data directory like Kubernetes changes a volume with `fsGroup` at each start.
fn fs_group(project: &Project) {
    let script = format!(
        "chgrp -R {SHARED_GROUP} .ophost && chmod -R g+rwX .ophost && \
         find .ophost -type d -exec chmod g+s {{}} +"
    );
    run_fix(project, &script);
}

#[test]
fn data_directory_of_an_fs_group_is_accepted_by_the_trust_setting() {
    let project = project_of(USER);
    let run = ["run", "slugify", "text=a", "--record"];
    let as_pod = |arguments: &[&str], trust: Option<&str>| {
        let mut command = project.command_of(USER, &[SHARED_GROUP], arguments);
        command.envs(trust.map(|trust| ("OPHOST_TRUST", trust)));
        project.output(&mut command)
    };
    assert_eq!(as_pod(&run, None).code, Some(0));
    fs_group(&project);
    let output = as_pod(&["runs", "list"], None);
    insta::assert_snapshot!(output, @"
    ---- stderr
    error: the data directory is not trusted: `.ophost`: its group can write to it (mode 2775); `.ophost/owners`: its group has access to it (mode 2770); `.ophost/store`: its group has access to it (mode 2770); `.ophost/store/store.redb`: its group can write to it (mode 0660); `.ophost/wake`: its group has access to it (mode 2770)
    hint: run `chmod go-w .ophost && chmod -R go-rwx .ophost/owners .ophost/store .ophost/wake`, or set `OPHOST_TRUST=group-writable` to accept them
    ---- exit 4
    ");
    let doctor = as_pod(&["doctor", "--json"], None);
    let report = doctor.json();
    let data: Vec<_> = findings(&report, "data").collect();
    assert_eq!((&data[0]["state"], &data[0]["fix"]), (&"problem".into(), &hint(&output).into()));
    assert!(!doctor.stdout.contains("ophost doctor"), "{doctor}");
    run_fix(&project, &command_of(hint(&output)));
    assert_eq!(run_count(&as_pod(&["runs", "list", "--json"], None)), 1);
    // The next start reverts the fix, but the setting remains.
    fs_group(&project);
    let trust = Some("group-writable");
    assert_eq!(as_pod(&run, trust).code, Some(0));
    assert_eq!(run_count(&as_pod(&["runs", "list", "--json"], trust)), 2);
}

#[test]
fn compiled_code_that_is_open_to_others_is_never_loaded() {
    let project = project_of(USER);
    let run = |trust: Option<&str>, cache: Option<&str>| {
        let mut command = project.command_of(USER, &[SHARED_GROUP], &["run", "slugify", "text=a"]);
        command.envs(trust.map(|trust| ("OPHOST_TRUST", trust)));
        command.envs(cache.map(|cache| ("OPHOST_CACHE", cache)));
        project.output(&mut command)
    };
    assert_eq!(run(None, None).stderr, "");
    fs_group(&project);
    let code = |directory: &Path| {
        let files = fs::read_dir(directory).into_iter().flatten().flatten().map(|it| it.path());
        files.filter(|path| path.extension().is_some_and(|it| it == "cwasm")).collect::<Vec<_>>()
    };
    let own = code(&project.path().join(".ophost/cache")).remove(0);
    let before = fs::read(&own).expect("a file");
    let output = run(Some("world-writable"), None);
    assert_eq!((output.stdout.as_str(), output.code), ("{\"slug\":\"a\"}\n", Some(0)), "{output}");
    insta::assert_snapshot!(output.stderr, @"
    warning: compiled plugins are cached in `[DIR]/tmp/ophost-cache-54321`: `.ophost/cache`: its group has access to it (mode 2770)
    hint: remove the path, or set `OPHOST_CACHE` to a private directory
    ");
    let temporary = project.path().join(format!("tmp/ophost-cache-{USER}"));
    let status = fs::metadata(&temporary).expect("a directory");
    assert_eq!((status.mode() & 0o777, status.uid()), (0o700, USER));
    // The temporary cache is used again, and the first one is not changed.
    let [cached] = &code(&temporary)[..] else { panic!("{:?}", code(&temporary)) };
    let written = fs::metadata(cached).expect("a file").ino();
    assert_eq!(run(Some("world-writable"), None).code, Some(0));
    assert_eq!(fs::metadata(cached).expect("a file").ino(), written);
    assert!(fs::read(&own).expect("a file") == before);
    // A readable key would allow others to authenticate their code.
    mode(&project.path().join(".ophost/cache"), 0o700);
    let output = run(Some("group-writable"), None);
    assert!(output.stderr.contains("cache/key`: its group has access to it"), "{output}");
    // A configured cache directory causes no warning.
    let output = run(Some("group-writable"), Some("elsewhere"));
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    assert_eq!(code(&project.path().join("elsewhere")).len(), 1);
    let mut doctor = project.command_of(USER, &[SHARED_GROUP], &["doctor", "--json"]);
    let doctor = project.output(doctor.env("OPHOST_TRUST", "group-writable"));
    let report = doctor.json();
    let cache: Vec<_> = findings(&report, "cache").collect();
    let fix = cache[0]["fix"].as_str().expect("a fix");
    assert!(fix.starts_with("run `rm -rf .ophost/cache`"), "{doctor}");
    run_fix(&project, &command_of(fix));
    assert_eq!(run(Some("group-writable"), None).stderr, "");
}

#[test]
fn temporary_directory_of_another_user_is_not_used() {
    let project = project_of(USER);
    assert_eq!(project.run_as(USER, &["list"]).code, Some(0));
    mode(&project.path().join(".ophost/cache"), 0o755);
    let planted = project.path().join(format!("tmp/ophost-cache-{USER}"));
    fs::create_dir(&planted).expect("a writable directory");
    mode(&planted, 0o777);
    let output = project.run_as(USER, &["run", "slugify", "text=a"]);
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.starts_with("warning: compiled plugins are not cached: "), "{output}");
    assert_eq!(fs::read_dir(&planted).expect("a directory").count(), 0);
}

#[test]
fn files_of_a_run_as_root_are_fixed_by_one_command() {
    let project = project_of(USER);
    let run = ["run", "slugify", "text=a", "--record"];
    let output = project.run(&run);
    assert_eq!(output.code, Some(4), "root must not trust the plugins of a user: {output}");
    assert!(!project.path().join(".ophost").exists());
    let accepting = format!("owner:{USER}");
    let mut as_root = project.command(&run);
    let output = project.output(as_root.env("OPHOST_TRUST", &accepting));
    insta::assert_snapshot!(output, @r#"
    {"slug":"a"}
    ---- stderr
    warning: `.ophost` belongs to root, in a directory of uid 54321
    hint: run `setpriv --reuid 54321 --regid 54321 --clear-groups ophost ...` to run commands as that user
    "#);
    let output = project.run_as(USER, &run);
    insta::assert_snapshot!(output, @"
    ---- stderr
    warning: compiled plugins are cached in `[DIR]/tmp/ophost-cache-54321`: `.ophost/cache`: belongs to `root` (uid 0)
    hint: remove the path, or set `OPHOST_CACHE` to a private directory
    error: the run had no effect, because its record cannot be written: the data directory is not trusted: `.ophost`: belongs to `root` (uid 0); `.ophost/owners`: belongs to `root` (uid 0); `.ophost/store`: belongs to `root` (uid 0); `.ophost/wake`: belongs to `root` (uid 0)
    hint: run `sudo chown -R 54321 .ophost`; or use `--no-record`
    ---- exit 4
    ");
    let listed = project.run_as(USER, &["runs", "list"]);
    assert_eq!((listed.code, hint(&listed)), (Some(4), "run `sudo chown -R 54321 .ophost`"));
    let doctor = project.run_as(USER, &["doctor", "--json"]).json();
    let data: Vec<_> = findings(&doctor, "data").collect();
    assert_eq!((&data[0]["state"], &data[0]["fix"]), (&"problem".into(), &hint(&listed).into()));
    run_fix(&project, &command_of(hint(&output)));
    assert_eq!(run_count(&project.run_as(USER, &["runs", "list", "--json"])), 1);
    let output = project.run_as(USER, &run);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    // A single file of root is reported too.
    give(&project.path().join(".ophost/store/store.redb"), 0);
    let output = project.run_as(USER, &["runs", "list"]);
    assert!(output.stderr.contains("store.redb`: belongs to `root` (uid 0)"), "{output}");
    run_fix(&project, &command_of(hint(&output)));
    assert_eq!(project.run_as(USER, &["runs", "list"]).code, Some(0));
    // Root does not trust the data of a user, unless the trust setting accepts that user.
    let mut list = project.command(&["runs", "list", "--json"]);
    assert_eq!(run_count(&project.output(list.env("OPHOST_TRUST", &accepting))), 2);
    insta::assert_snapshot!(project.run(&["runs", "list"]), @"
    ---- stderr
    error: the data directory is not trusted: `.ophost`: belongs to uid 54321; `.ophost/owners`: belongs to uid 54321; `.ophost/store`: belongs to uid 54321; `.ophost/store/store.redb`: belongs to uid 54321; `.ophost/wake`: belongs to uid 54321
    hint: run this command as the owner: `setpriv --reuid 54321 --regid 54321 --clear-groups ophost ...`, or set `OPHOST_TRUST=owner:54321` to accept them
    ---- exit 4
    ");
}

#[test]
fn closed_plugin_directory_is_reported_with_its_owner() {
    let project = project_of(USER);
    give(&project.plugins(), 0);
    mode(&project.plugins(), 0o700);
    let output = project.run_as(USER, &["list"]);
    let fix = "run `sudo chown -R 54321 plugins`; the owner is `root` (uid 0)";
    assert_eq!((hint(&output), output.code), (fix, Some(5)), "{output}");
    let doctor = project.run_as(USER, &["doctor", "--json"]).json();
    let plugins: Vec<_> = findings(&doctor, "plugins").collect();
    assert_eq!(plugins[0]["fix"], fix);
    run_fix(&project, &command_of(fix));
    assert_eq!(project.run_as(USER, &["list"]).code, Some(0));
}

/// The umask 0 would make files writable for all.
#[test]
fn created_files_are_trusted_under_any_umask() {
    let project = project_of(USER);
    let program = project.program_for_all();
    let script = "umask 0 && exec setpriv --reuid 54321 --regid 54321 --clear-groups \"$0\" \
        run slugify text=a --record";
    let arguments = ["-c", script, program.to_str().expect("UTF-8")];
    assert_eq!(project.output(&mut project.program("sh", &arguments)).code, Some(0));
    let output = project.run_as(USER, &["runs", "list"]);
    assert_eq!((output.stderr.as_str(), output.code), ("", Some(0)), "{output}");
    let doctor = project.run_as(USER, &["doctor", "--json"]).json();
    assert!(findings(&doctor, "data").all(|finding| finding["state"] == "ok"), "{doctor}");
}

#[test]
fn operation_of_an_untrusted_plugin_is_rejected_with_a_fix() {
    let project = Project::with_rust(&["text", "misbehave"]);
    assert_eq!(project.run(&["run", "slugify", "text=A"]).code, Some(0));
    mode(&project.path().join("plugins/text.wasm"), 0o646);
    // The index knows the file in the first iteration, but not in the second.
    for _ in 0..2 {
        for arguments in [&["run", "slugify", "text=A"][..], &["describe", "slugify"]] {
            let output = project.run(arguments);
            assert_eq!((output.stdout.as_str(), output.code), ("", Some(4)), "{output}");
            let what = "`plugins/text.wasm`: every user can write to it (mode 0646)";
            assert!(output.stderr.contains(what), "{output}");
            assert_eq!(command_of(hint(&output)), "chmod go-w plugins/text.wasm");
            let json = project.run(&[arguments, &["--json"]].concat()).json();
            assert_eq!(json["error"]["kind"], "untrusted");
        }
    }
    assert_eq!(project.run(&["run", "misbehave.steps", "steps:=1"]).code, Some(0));
    run_fix(&project, "chmod go-w plugins/text.wasm");
    assert_eq!(project.run(&["run", "slugify", "text=A"]).code, Some(0));
    project.add("broken", b"no wasm");
    let output = project.run(&["run", "nothing_like_it"]);
    let expected = "  `plugins/broken.wasm` was rejected: not a WebAssembly file\n";
    assert!(output.stderr.contains(expected), "{output}");
    assert_eq!(output.code, Some(3), "{output}");
}

#[test]
fn key_for_secrets_that_is_open_to_others_is_rejected_with_a_fix() {
    let project = Project::with_rust(&["misbehave"]);
    let run = ["run", "misbehave.admit", "user=a", "word=b", "--record"];
    assert!(project.run(&run).code < Some(2));
    mode(&project.path().join(".ophost/keys"), 0o777);
    let output = project.run(&run);
    assert_eq!(output.code, Some(4), "{output}");
    run_fix(&project, &command_of(hint(&output)));
    for file in fs::read_dir(project.path().join(".ophost/keys")).expect("a directory") {
        mode(&file.expect("an entry").path(), 0o666);
    }
    let output = project.run(&run);
    assert_eq!(output.code, Some(4), "{output}");
    run_fix(&project, &command_of(hint(&output)));
    assert!(project.run(&run).code < Some(2));
}

#[test]
fn project_marker_that_is_a_link_of_another_user_is_not_followed() {
    for marker in ["ophost.toml", ".ophost"] {
        let project = project_of(USER);
        let target = project.path().join("target");
        if marker == "ophost.toml" {
            fs::write(&target, "").expect("a writable directory");
        } else {
            fs::create_dir(&target).expect("a writable directory");
        }
        give(&target, USER);
        let link = project.path().join(marker);
        symlink("target", &link).expect("a writable directory");
        assert_eq!(project.run_as(USER, &["list"]).code, Some(0), "a link of root is trusted");
        std::os::unix::fs::lchown(&link, Some(OTHER), None).expect("root permissions");
        fs::create_dir(project.path().join("below")).expect("a writable directory");
        let mut command = project.command_of(USER, &[], &["runs", "list"]);
        let output = project.output(command.current_dir(project.path().join("below")));
        assert_eq!(output.code, Some(4), "{output}");
        assert!(output.stderr.contains("is not trusted"), "{output}");
        assert!(output.stderr.contains(&format!("uid {OTHER}")), "{output}");
    }
}

#[test]
fn data_directory_of_another_user_is_never_used() {
    let project = project_of(USER);
    let data = project.path().join("data");
    fs::create_dir(&data).expect("a writable directory");
    give(&data, OTHER);
    mode(&data, 0o777);
    let run = ["run", "slugify", "text=a", "--record", "--data", "data"];
    let output = project.run_as(USER, &run);
    assert_eq!((output.stdout.as_str(), output.code), ("", Some(4)), "{output}");
    assert!(output.stderr.contains("`data`: belongs to uid 54322"), "{output}");
    assert!(!data.join("store").exists());
    assert_eq!(project.run_as(USER, &["runs", "list", "--data", "data"]).code, Some(4));
    give(&data, USER);
    assert_eq!(
        project.run_as(USER, &run).code,
        Some(0),
        "an open mode alone is only a warning of `doctor`"
    );
}
