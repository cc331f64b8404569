//! The cache of compiled code, whose content is authenticated before it is loaded.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::guest::crowded;
use ophost::{CompileBudget, Host, Request};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{OPHOST, Output, Project, rust_guest};
use crate::terminal;

/// Returns the only compiled file in the cache of a project.
fn entry(project: &Project) -> PathBuf {
    let files = fs::read_dir(project.path().join(".ophost/cache")).expect("a cache");
    let mut paths = files.map(|file| file.expect("an entry").path());
    let found = paths.find(|path| path.extension().is_some_and(|it| it == "cwasm"));
    found.expect("compiled code")
}

/// Returns a project that has run its plugin, and the compiled file.
fn compiled() -> (Project, PathBuf) {
    let project = Project::with_rust(&["text"]);
    slugify(&project);
    let entry = entry(&project);
    (project, entry)
}

/// Runs the command with a private directory for temporary files.
fn run_with_private_tmp(project: &Project, arguments: &[&str]) -> Output {
    let output = project.output(project.command(arguments).env("TMPDIR", project.path()));
    let user = rustix::process::geteuid().as_raw().to_string();
    Output { stderr: output.stderr.replace(&format!("cache-{user}"), "cache-[UID]"), ..output }
}

fn slugify(project: &Project) {
    let output = project.run(&["run", "slugify", "text=a b"]);
    assert_eq!(
        (output.stdout.as_str(), output.code),
        ("{\"slug\":\"a-b\"}\n", Some(0)),
        "{output}"
    );
}

#[test]
fn corrupted_code_is_compiled_again() {
    let (project, entry) = compiled();
    let good = fs::read(&entry).expect("a file");
    let mut corrupted = Vec::new();
    for offset in (0..good.len()).step_by(good.len() / 20).chain([good.len() - 1]) {
        let mut bytes = good.clone();
        bytes[offset] ^= 1;
        corrupted.push(bytes);
    }
    corrupted
        .extend([0, 10, 32, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec()));
    corrupted.push([&good[..], b"more"].concat());
    for bytes in corrupted {
        fs::write(&entry, bytes).expect("a writable file");
        slugify(&project);
        assert!(fs::read(&entry).expect("a file") == good, "the code was not compiled again");
    }
}

#[test]
fn code_of_another_plugin_or_cache_is_not_loaded() {
    let (project, entry) = compiled();
    let good = fs::read(&entry).expect("a file");
    // Each cache has its own key.
    let (_other, other_entry) = compiled();
    assert_eq!(entry.file_name(), other_entry.file_name());
    assert!(fs::read(&other_entry).expect("a file") != good);
    fs::copy(&other_entry, &entry).expect("a writable file");
    slugify(&project);
    assert!(fs::read(&entry).expect("a file") == good);
    // The authentication covers the name of the file.
    let both = Project::with_wat(&["benign", "trap"]);
    assert_eq!(both.run(&["list"]).code, Some(0));
    let files: Vec<_> = fs::read_dir(both.path().join(".ophost/cache"))
        .expect("a cache")
        .map(|file| file.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "cwasm"))
        .collect();
    let [one, two] = files.as_slice() else { panic!("{files:?}") };
    let (first, second) = (fs::read(one).expect("a file"), fs::read(two).expect("a file"));
    fs::write(one, &second).expect("a writable file");
    fs::write(two, &first).expect("a writable file");
    assert_eq!(both.run(&["run", "hostile.benign"]).code, Some(0));
    assert_eq!(both.run(&["run", "hostile.trap"]).code, Some(1));
    assert!(fs::read(one).expect("a file") == first && fs::read(two).expect("a file") == second);
}

#[test]
fn cache_directory_that_is_open_to_others_is_not_used() {
    let (project, entry) = compiled();
    let cache = entry.parent().expect("a directory");
    fs::write(&entry, b"evil").expect("a writable file");
    fs::set_permissions(cache, fs::Permissions::from_mode(0o755)).expect("a file of this user");
    let output = run_with_private_tmp(&project, &["run", "slugify", "text=a b"]);
    insta::assert_snapshot!(output, @r#"
    {"slug":"a-b"}
    ---- stderr
    warning: compiled plugins are cached in `[DIR]/ophost-cache-[UID]`: `.ophost/cache`: every user has access to it (mode 0755)
    hint: remove the path, or set `OPHOST_CACHE` to a private directory
    "#);
    assert_eq!(fs::read(&entry).expect("a file"), b"evil");
    fs::set_permissions(cache, fs::Permissions::from_mode(0o700)).expect("a file of this user");
    let output = project.run(&["run", "slugify", "text=a b"]);
    insta::assert_snapshot!(output, @r#"{"slug":"a-b"}"#);
}

/// Returns the names of the compiled files in the cache of a project.
fn compiled_files(project: &Project) -> Vec<String> {
    let files = fs::read_dir(project.path().join(".ophost/cache")).expect("a cache");
    let names = files.map(|file| file.expect("an entry").file_name().into_string());
    let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
    names.retain(|name| name.ends_with(".cwasm"));
    names.sort();
    names
}

#[cfg(target_arch = "x86_64")]
#[test]
fn code_of_both_compilers_is_cached_under_different_keys() {
    let project = Project::with_rust(&["text"]);
    let run = |compiler: &str| {
        let mut command = project.command(&["run", "slugify", "text=a b"]);
        let output = project.output(command.env("OPHOST_COMPILE_COMPILER", compiler));
        assert_eq!(output.stdout, "{\"slug\":\"a-b\"}\n", "{output}");
        compiled_files(&project)
    };
    assert_eq!(run("winch").len(), 1);
    let both = run("cranelift");
    let digest = |name: &String| name.split_once('-').expect("a digest and a key").0.to_owned();
    assert!(both.len() == 2 && digest(&both[0]) == digest(&both[1]), "{both:?}");
    assert_eq!((run("winch"), run("cranelift")), (both.clone(), both), "each is compiled once");
}

#[test]
fn symbolic_link_in_place_of_code_or_key_is_not_followed() {
    let (project, entry) = compiled();
    let elsewhere = project.path().join("elsewhere");
    fs::rename(&entry, &elsewhere).expect("one file system");
    symlink(&elsewhere, &entry).expect("a link");
    slugify(&project);
    assert!(fs::symlink_metadata(&entry).expect("a file").is_file());
    let key = entry.with_file_name("key");
    fs::write(&key, b"short").expect("a writable file");
    slugify(&project);
    assert_eq!(fs::metadata(&key).expect("a file").len(), 32);
}

#[test]
fn without_a_writable_data_directory_plugins_are_cached_elsewhere() {
    let project = Project::with_rust(&["text"]);
    fs::write(project.path().join(".ophost"), "a file").expect("a writable directory");
    let output = run_with_private_tmp(&project, &["run", "slugify", "text=a b", "--no-record"]);
    insta::assert_snapshot!(output, @r#"
    {"slug":"a-b"}
    ---- stderr
    warning: compiled plugins are cached in `[DIR]/ophost-cache-[UID]`: cannot use `.ophost/cache`: Not a directory (os error 20)
    hint: remove the path, or set `OPHOST_CACHE` to a private directory
    "#);
}

/// Returns a plugin of a few kilobytes that takes long to compile: `size` nested loops that
/// change `size` variables.
fn bomb(size: usize) -> Vec<u8> {
    let add = |n| format!("(local.set {n} (i32.add (local.get {n}) (i32.const 1)))");
    let adds: String = (1..=size).map(add).collect();
    let ends: String = (1..=size).map(|n| format!("(br_if 0 (local.get {n})))")).collect();
    let (locals, loops) = ("i32 ".repeat(size), "(loop ".repeat(size));
    let text = format!("(module (func (param i32) (local {locals}) {loops} {adds} {ends}))");
    crowded(&text, 1).expect("a component")
}

async fn rejection(content: &[u8], budget: CompileBudget) -> String {
    let project = Project::new();
    project.add("it", content);
    let host = Host::builder().plugins(project.plugins()).compiler(OPHOST, budget);
    let host = host.build().await.expect("a host");
    let mut rejected: Vec<_> = host.catalog().rejected().map(|(_, reason)| reason).collect();
    rejected.pop().unwrap_or_default()
}

#[tokio::test]
async fn compiler_that_exceeds_its_budget_is_killed() {
    let bomb = bomb(600);
    assert!(bomb.len() < 16 << 10, "{} bytes", bomb.len());
    let started = Instant::now();
    let time = Duration::from_secs(1);
    let reason = rejection(&bomb, CompileBudget { time, ..CompileBudget::DEFAULT }).await;
    assert_eq!(reason, "compilation needs more CPU time than 1s (`[compile] time`)");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let time = Duration::from_millis(1);
    let reason = rejection(&bomb, CompileBudget { time, ..CompileBudget::DEFAULT }).await;
    let expected = "compilation was not finished after 10ms (10 times `[compile] time`)";
    assert_eq!(reason, expected);
    let memory = 128 << 20;
    let reason = rejection(&bomb, CompileBudget { memory, ..CompileBudget::DEFAULT }).await;
    assert_eq!(reason, "compilation needs more memory than 128.0 MiB (`[compile] memory`)");
    let good = fs::read(rust_guest("text")).expect("a built guest");
    assert_eq!(rejection(&good, CompileBudget::DEFAULT).await, "");
}

#[tokio::test]
async fn missing_compiler_is_reported_and_not_cached() {
    let project = Project::with_rust(&["text"]);
    let data = project.path().join("data");
    let builder = || Host::builder().plugins(project.plugins()).data(&data);
    let missing = builder().compiler("/nowhere/ophost", CompileBudget::DEFAULT);
    let host = missing.build().await.expect("a host");
    let rejected: Vec<_> = host.catalog().rejected().map(|(_, reason)| reason).collect();
    assert_eq!(rejected, ["cannot compile the component: No such file or directory (os error 2)"]);
    let host = builder().build().await.expect("a host");
    let report =
        host.run(Request::new("slugify", json!({"text": "a"}))).await.expect("the run starts");
    assert_eq!(report.outcome, ophost::Outcome::Success(json!({"slug": "a"})));
}

/// A lack of resources is a property of the machine, so it must not be stored for the file.
#[test]
fn temporary_lack_of_resources_does_not_reject_a_plugin_permanently() {
    use std::os::unix::process::CommandExt as _;

    let project = Project::with_rust(&["text"]);
    let limited = |resource, max| {
        let mut command = project.command(&["list"]);
        let limit = rustix::process::Rlimit { current: Some(max), maximum: Some(max) };
        #[expect(unsafe_code, reason = "only the child gets the limit")]
        // SAFETY: `setrlimit` is only a system call, which is safe between fork and exec.
        unsafe {
            command.pre_exec(move || Ok(rustix::process::setrlimit(resource, limit)?));
        }
        project.output(&mut command)
    };
    // A limit below the compile budget is enough for a small plugin.
    let listed = limited(rustix::process::Resource::Cpu, 20);
    assert!(listed.stdout.contains("slugify"), "{listed}");
    fs::remove_dir_all(project.path().join(".ophost")).expect("a directory");
    let settings = [("OPHOST_COMPILE_MEMORY", "24MiB"), ("OPHOST_COMPILE_TIME", "1ms")];
    for (name, value) in settings {
        let mut command = project.command(&["list"]);
        let listed = project.output(command.env(name, value));
        assert!(!listed.stdout.contains("slugify"), "{listed}");
        slugify(&project);
        fs::remove_dir_all(project.path().join(".ophost")).expect("a directory");
    }
}

/// A compiler that writes a line to a file each time it is started.
struct CountingCompiler {
    program: PathBuf,
    starts: PathBuf,
}

impl CountingCompiler {
    fn new(project: &Project) -> Self {
        let (program, starts) = (project.path().join("compiler"), project.path().join("starts"));
        let (started, compiler) = (starts.display(), Path::new(OPHOST).display());
        let script = format!("#!/bin/sh\necho started >> '{started}'\nexec '{compiler}' \"$@\"\n");
        fs::write(&program, script).expect("a writable directory");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a file");
        Self { program, starts }
    }

    fn count(&self) -> usize {
        fs::read_to_string(&self.starts).unwrap_or_default().lines().count()
    }
}

/// A shortage is a property of the budget, so it must not be stored for the file.
#[tokio::test]
async fn file_over_the_budget_is_compiled_again_only_with_a_higher_one() {
    let project = Project::with_rust(&["text"]);
    let compiler = CountingCompiler::new(&project);
    let build = async |memory: u64| {
        let budget = CompileBudget { memory, ..CompileBudget::DEFAULT };
        let builder = Host::builder().plugins(project.plugins()).data(project.path().join("data"));
        builder.compiler(&compiler.program, budget).build().await.expect("a host")
    };
    let is_used = |host: &Host| host.catalog().get("slugify").is_some();
    let low = build(24 << 20).await;
    low.reload().await.expect("a readable directory");
    assert!(!is_used(&low) && !is_used(&build(24 << 20).await) && !is_used(&build(20 << 20).await));
    assert_eq!(compiler.count(), 1);
    assert!(is_used(&build(1 << 30).await));
    assert_eq!(compiler.count(), 2);
    // The compiled code and the declarations are used with every budget, and by the first host too.
    low.reload().await.expect("a readable directory");
    assert!(is_used(&build(24 << 20).await) && is_used(&low));
    assert_eq!(compiler.count(), 2);
}

#[test]
fn unknown_operation_error_names_the_file_that_was_not_compiled() {
    let project = Project::with_rust(&["text"]);
    let run = |arguments: &[&str], memory: &str| {
        let mut command = project.command(arguments);
        project.output(command.env("OPHOST_COMPILE_MEMORY", memory))
    };
    insta::assert_snapshot!(run(&["run", "slugify", "text=a b"], "24MiB"), @"
    ---- stderr
    error: no operation named `slugify`
      `plugins/text.wasm` was rejected: compilation needs more memory than 24.0 MiB (`[compile] memory`)
    hint: raise `[compile] memory`, or set `OPHOST_COMPILE_MEMORY`
    ---- exit 3
    ");
    insta::assert_snapshot!(run(&["describe", "slugify", "--json"], "24MiB"), @r#"
    {"run_id":null,"status":null,"error":{"kind":"no_such_operation","message":"no operation named `slugify`","hint":"raise `[compile] memory`, or set `OPHOST_COMPILE_MEMORY`","rejected":[{"file":"plugins/text.wasm","reason":"compilation needs more memory than 24.0 MiB (`[compile] memory`)"}]}}
    ---- exit 3
    "#);
    insta::assert_snapshot!(run(&["check", "plugins/text.wasm"], "24MiB"), @"
    ---- stderr
    rejected: `plugins/text.wasm`: compilation needs more memory than 24.0 MiB (`[compile] memory`)
    hint: raise `[compile] memory`, or set `OPHOST_COMPILE_MEMORY`
    ---- exit 1
    ");
    let slugified = run(&["run", "slugify", "text=a b"], "1GiB");
    assert_eq!(slugified.stdout, "{\"slug\":\"a-b\"}\n", "{slugified}");
    let slugified = run(&["run", "slugify", "text=a b"], "24MiB");
    assert_eq!(slugified.stdout, "{\"slug\":\"a-b\"}\n", "{slugified}");
}

#[test]
fn unknown_operation_error_names_a_bounded_number_of_rejected_files() {
    let project = Project::with_rust(&["text"]);
    for number in 0..7 {
        project.add(&format!("bad{number}"), b"<html>");
    }
    insta::assert_snapshot!(project.run(&["run", "publish"]), @"
    ---- stderr
    error: no operation named `publish`
      `plugins/bad0.wasm` was rejected: not a WebAssembly file
      `plugins/bad1.wasm` was rejected: not a WebAssembly file
      `plugins/bad2.wasm` was rejected: not a WebAssembly file
      `plugins/bad3.wasm` was rejected: not a WebAssembly file
      `plugins/bad4.wasm` was rejected: not a WebAssembly file
      2 more plugin files were rejected
    hint: run `ophost plugins` to list all plugin files
    ---- exit 3
    ");
}

/// Returns the compiler process of a command.
fn compiler_of(command: u32) -> Pid {
    let children = format!("/proc/{command}/task/{command}/children");
    let started = Instant::now();
    loop {
        let text = fs::read_to_string(&children).unwrap_or_default();
        if let Some(pid) = text.split_whitespace().next() {
            return pid.parse::<i32>().ok().and_then(Pid::from_raw).expect("a process");
        }
        assert!(started.elapsed() < Duration::from_secs(30), "no compiler was started");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// On a busy machine, the compiler gets the CPU late.
#[test]
fn time_without_the_cpu_does_not_count_as_compile_time() {
    let project = Project::new();
    project.add("it", &bomb(150));
    let mut command = project.command(&["plugins"]);
    command.env("OPHOST_COMPILE_TIME", "2s").stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn().expect("the command starts");
    let compiler = compiler_of(child.id());
    kill_process(compiler, Signal::STOP).expect("a running compiler");
    std::thread::sleep(Duration::from_secs(3));
    kill_process(compiler, Signal::CONT).expect("a stopped compiler");
    let output = child.wait_with_output().expect("the command ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("hostile.benign"), "{text}");
}

#[test]
fn killed_command_leaves_no_compiler_process() {
    let project = Project::new();
    project.add("it", &bomb(2_000));
    let mut command = project.command(&["plugins"]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the command starts");
    let compiler = compiler_of(child.id());
    std::thread::sleep(Duration::from_millis(200));
    child.kill().expect("a running command");
    child.wait().expect("the command ends");
    let started = Instant::now();
    while is_running(compiler) {
        assert!(started.elapsed() < Duration::from_secs(30), "the compiler is still running");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns whether a process runs. A process that has ended and whose parent has not waited is a
/// zombie.
fn is_running(process: Pid) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_pid()));
    let state = status.ok().and_then(|text| text.rsplit_once(')')?.1.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

#[test]
fn killed_compiler_is_reported_and_retried() {
    let project = Project::new();
    project.add("it", &bomb(2_000));
    let mut command = project.command(&["plugins"]);
    let child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the command starts");
    let compiler = compiler_of(child.id());
    std::thread::sleep(Duration::from_millis(200));
    kill_process(compiler, Signal::KILL).expect("a running compiler");
    let output = child.wait_with_output().expect("the command ends");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.contains("the compiler process ended with signal: 9"), "{text}");
    // The next command detects that the file has been replaced.
    project.add("it", &fs::read(rust_guest("text")).expect("a built guest"));
    slugify(&project);
}

#[test]
fn slow_compilation_is_shown_on_a_terminal() {
    let project = Project::new();
    project.add("slow", &bomb(2_000));
    let mut command = project.command(&["plugins"]);
    command.env("OPHOST_COMPILE_TIME", "3s");
    let (text, code) = terminal::run(command, 80);
    assert!(text.contains("compiling `slow.wasm` ("), "{text}");
    assert_eq!(code, Some(0));
    // The line is cleared before the result is printed.
    let (_, result) = text.rsplit_once("\u{1b}[2K").expect("a line that was cleared");
    assert!(result.contains("slow.wasm") && result.contains("rejected"), "{text}");
    let project = Project::new();
    project.add("slow", &bomb(2_000));
    let mut command = project.command(&["plugins"]);
    let piped = project.output(command.env("OPHOST_COMPILE_TIME", "2s"));
    // On a busy machine, the compiler gets the CPU so late that a line is printed.
    assert!(["", "compiling `slow.wasm` (32.9 KiB)\n"].contains(&&*piped.stderr), "{piped}");
}
