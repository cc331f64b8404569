//! Resource limits of the process: a command works or names the limit that it reached.

use crate::harness::{OPHOST, Output, Project};
use crate::store_access::as_plain_user;

/// Runs a command with a resource limit.
fn limited(project: &Project, limit: &str, command: &[&str]) -> Output {
    let arguments = [&[limit, OPHOST], command].concat();
    project.output(&mut as_plain_user(project, "prlimit", &arguments))
}

const RUN: [&str; 4] = ["run", "slugify", "text=A b", "--record"];

/// Returns whether a command succeeded. If it failed, the message must name this limit.
fn works_or_names(output: &Output, limit: &str, names: &str) -> bool {
    let all = format!("{}{}", output.stdout, output.stderr);
    assert!(!all.contains("panicked") && !all.contains("RUST_BACKTRACE"), "{limit}: {output}");
    assert!(!all.contains("no operation") && !all.contains("corrupted"), "{limit}: {output}");
    match output.code {
        Some(0) => return true,
        Some(5) => assert!(all.contains(names) && all.contains("ulimit"), "{limit}: {output}"),
        _ => panic!("{limit}: {output}"),
    }
    false
}

/// Runs commands under each limit, in a project whose plugin is not compiled and in one whose
/// plugin is, and then again without a limit. Returns how many limits let both succeed.
fn under(limits: impl Iterator<Item = String>, names: &str) -> usize {
    let compiled = Project::with_rust(&["text"]);
    assert_eq!(compiled.output(&mut as_plain_user(&compiled, OPHOST, &RUN)).code, Some(0));
    let mut working = 0;
    for limit in limits {
        let fresh = Project::with_rust(&["text"]);
        let both = [&fresh, &compiled].map(|project| {
            let output = limited(project, &limit, &RUN);
            let works = works_or_names(&output, &limit, names);
            let listed = limited(project, &limit, &["list"]);
            works_or_names(&listed, &limit, names);
            let after = project.output(&mut as_plain_user(project, OPHOST, &RUN));
            assert_eq!(after.code, Some(0), "{limit}: the failure was cached: {after}");
            works
        });
        working += usize::from(both == [true, true]);
    }
    working
}

fn mebibytes(count: u64) -> String {
    format!("--as={}", count << 20)
}

#[test]
fn command_with_few_file_descriptors_works_or_names_the_limit() {
    assert!(
        under((4..=40).step_by(3).map(|count| format!("--nofile={count}")), "RLIMIT_NOFILE") == 0
    );
    // These limits suffice, and the command raises a soft limit.
    let enough = ["--nofile=64", "--nofile=80", "--nofile=10:1000"].map(ToOwned::to_owned);
    assert_eq!(under(enough.into_iter(), "RLIMIT_NOFILE"), 3);
}

#[test]
fn command_with_little_address_space_works_or_names_the_limit() {
    let sizes = [200, 400, 511, 512, 520, 600, 700, 800, 1_000, 1_500];
    under(sizes.into_iter().map(mebibytes), "RLIMIT_AS");
    // With a limited address space, the host does not reserve the maximum memory of a guest.
    let enough = [2_000, 3_000, 4_000, 6_000].map(mebibytes);
    assert_eq!(under(enough.into_iter(), "RLIMIT_AS"), 4);
}

#[test]
fn command_with_few_processes_works_or_names_the_limit() {
    // The command itself counts, and so do the processes of concurrent tests.
    let working = under((1..=12).map(|count| format!("--nproc={count}")), "RLIMIT_NPROC");
    assert!(working < 12, "one thread is too few");
}

/// The schemas of `jobs` have defaults, which are validated on a separate thread.
#[test]
fn plugin_is_not_rejected_if_no_thread_can_check_its_schema() {
    for limit in (1..=12).map(|count| format!("--nproc={count}")) {
        let project = Project::with_rust(&["jobs"]);
        let file = project.path().join("plugins/jobs.wasm");
        let check = ["check", file.to_str().expect("a path")];
        for command in [&["list"][..], &check] {
            works_or_names(&limited(&project, &limit, command), &limit, "RLIMIT_NPROC");
        }
        let listed = project.output(&mut as_plain_user(&project, OPHOST, &["list"]));
        assert!(listed.stdout.contains("jobs."), "{limit}: something was remembered: {listed}");
        assert_eq!(listed.code, Some(0), "{limit}: {listed}");
    }
}

#[test]
fn doctor_names_the_limit_that_is_too_low_for_the_sandbox() {
    let project = Project::new();
    let output = limited(&project, "--nproc=1", &["doctor"]);
    let line = output.stdout.lines().find(|line| line.contains("cannot start the host"));
    let line = line.unwrap_or_else(|| panic!("{output}"));
    assert!(line.contains("RLIMIT_NPROC"), "{output}");
    assert!(output.stdout.contains("ulimit -u"), "{output}");
}

/// A large input is validated on a thread of the runtime's pool.
#[test]
fn large_input_without_a_thread_to_validate_it_does_not_panic() {
    let project = Project::with_rust(&["text"]);
    std::fs::write(project.path().join("large.txt"), "a b ".repeat(75_000)).expect("a file");
    let run = ["run", "word_count", "text=@large.txt"];
    assert_eq!(project.output(&mut as_plain_user(&project, OPHOST, &run)).code, Some(0));
    for limit in (1..=8).map(|count| format!("--nproc={count}")) {
        works_or_names(&limited(&project, &limit, &run), &limit, "RLIMIT_NPROC");
    }
}

#[test]
fn file_size_limit_never_kills_a_command_by_a_signal() {
    let sizes = [0, 4_096, 100_000, 1_000_000, 2_000_000].map(|size| format!("--fsize={size}"));
    under(sizes.into_iter(), "RLIMIT_FSIZE");
    assert_eq!(under(std::iter::once("--fsize=100000000".to_owned()), "RLIMIT_FSIZE"), 1);
    // The limit also applies to a redirected stdout.
    let project = Project::with_rust(&["text"]);
    assert_eq!(project.run(&RUN).code, Some(0));
    let script = "ulimit -f 0; exec \"$0\" runs export >exported";
    insta::assert_snapshot!(project.output(&mut project.program("sh", &["-c", script, OPHOST])), @"
    ---- stderr
    error: cannot write to stdout: the file is too large (RLIMIT_FSIZE, or the limit of the file system)
    hint: raise `ulimit -f`
    ---- exit 5
    ");
}
