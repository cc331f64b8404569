//! Limits that a caller sets.

use crate::harness::Project;

#[test]
fn run_beyond_its_timeout_fails() {
    let project = Project::with_rust(&["misbehave", "text"]);
    let spin = project.run(&["run", "misbehave.spin", "--timeout", "200ms"]);
    let first = spin.stderr.lines().next().unwrap();
    assert_eq!(
        first,
        "error: operation `misbehave.spin` failed (timeout): still running after 200ms"
    );
    assert!(spin.stderr.ends_with("hint: use `--timeout` to allow more time\n"), "{spin}");
    assert_eq!(spin.code, Some(1));
    assert_eq!(project.run(&["run", "slugify", "text=x", "--timeout", "10s"]).code, Some(0));
}

#[test]
fn failure_at_the_maximum_suggests_no_higher_flag() {
    let project = Project::with_rust(&["misbehave"]);
    project.settings("[limits.max]\ntimeout = \"200ms\"\n");
    insta::assert_snapshot!(project.run(&["run", "misbehave.spin"]), @"
    ---- stderr
    error: operation `misbehave.spin` failed (timeout): still running after 200ms
      at core::ops::function::FnOnce::call_once
      at ophost_sdk::dispatch::dispatch
      at core::ops::function::FnOnce::call_once
      at ophost:plugin/operations@0.1.1#invoke
    hint: the run already used the maximum; raise it in `[limits.max]` or `[operations.NAME]`
    ---- exit 1
    ");
    project.settings("[limits]\ntimeout = \"100ms\"\n[limits.max]\ntimeout = \"200ms\"\n");
    let less = project.run(&["run", "misbehave.spin"]);
    assert!(less.stderr.ends_with("hint: use `--timeout` to allow more time\n"), "{less}");
}

#[test]
fn memory_is_limited() {
    let project = Project::with_rust(&["misbehave"]);
    let output = project.run(&["run", "misbehave.allocate", "--memory", "32MiB"]);
    let expected = "error: operation `misbehave.allocate` failed (memory): memory exceeds the limit of 32.0 MiB";
    assert!(output.stderr.lines().any(|line| line == expected), "{output}");
    assert_eq!(output.code, Some(1));
}

#[test]
fn recursion_of_a_rust_guest_fails_with_kind_stack() {
    let output = Project::with_rust(&["misbehave"]).run(&["run", "misbehave.recurse"]);
    let first = output.stderr.lines().next().unwrap();
    assert_eq!(first, "error: operation `misbehave.recurse` failed (stack): stack overflow");
}

#[test]
fn output_limit_can_be_raised() {
    let project = Project::with_rust(&["misbehave"]);
    let huge = ["run", "misbehave.huge_output", "mib=9"];
    insta::assert_snapshot!(project.run(&huge), @"
    ---- stderr
    error: operation `misbehave.huge_output` failed (output): the output of 9.0 MiB exceeds the limit of 8.0 MiB
    hint: use `--max-output` to allow more
    ---- exit 1
    ");
    let raised = project.run(&[&huge[..], &["--max-output", "10MiB"]].concat());
    assert_eq!((raised.code, raised.stdout.len() > 9 << 20), (Some(0), true));
}

#[test]
fn log_limit_never_fails_a_run() {
    let project = Project::with_rust(&["misbehave"]);
    let output = project.run(&["run", "--json", "misbehave.flood_log", "mib=3"]);
    assert_eq!(output.json()["status"], "SUCCESS");
    assert!(output.stdout.len() < 2 << 20, "{} bytes", output.stdout.len());
}

#[test]
fn limit_above_the_maximum_is_denied() {
    let project = Project::with_rust(&["text"]);
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=x", "--timeout", "2h"]), @"
    ---- stderr
    error: 2h for `timeout` is above the maximum of 1h
    hint: use a lower value, or omit the flag
    ---- exit 4
    ");
    insta::assert_snapshot!(project.run(&["run", "slugify", "text=x", "--memory", "0"]), @"
    ---- stderr
    error: `memory` must be greater than zero
    hint: omit the flag for the default
    ---- exit 2
    ");
}

#[test]
fn largest_limits_do_not_overflow() {
    let project = Project::with_rust(&["text"]);
    let (time, size) = ("584542046000 years", "15EiB");
    let all = format!("timeout = \"{time}\"\nmemory = \"{size}\"\noutput = \"{size}\"\n");
    let all = format!("{all}effects = \"{size}\"\n");
    let compile = format!("[compile]\ntime = \"{time}\"\nmemory = \"{size}\"\n");
    project.settings(&format!("[limits]\n{all}[limits.max]\n{all}{compile}"));
    // The maximum of a timeout is one year.
    let flags =
        ["--timeout", "365d", "--memory", size, "--max-output", size, "--max-effects", size];
    let run = ["run", "slugify", "text=A b", "--record"];
    for arguments in [&run[..], &[&run[..], &flags].concat()] {
        let output = project.run(arguments);
        let expected = ("{\"slug\":\"a-b\"}\n", Some(0));
        assert_eq!((output.stdout.as_str(), output.code), expected, "{output}");
    }
    let longer = project.run(&[&run[..], &["--timeout", time]].concat());
    assert_eq!(longer.code, Some(4), "{longer}");
    for filter in ["--since", "--until"] {
        for moment in ["+262142-12-31", "-262143-01-01", "262142-12-31", "9999-12-31", "0001-01-01"]
        {
            let argument = format!("{filter}={moment}");
            for command in ["list", "stats", "export"] {
                let output = project.run(&["runs", command, &argument]);
                assert!(matches!(output.code, Some(0 | 2)), "{argument}: {output}");
            }
        }
        for span in ["584542046090 years", "1000000000000000000000h"] {
            let output = project.run(&["runs", "list", filter, span]);
            assert!(matches!(output.code, Some(0 | 2)), "{span}: {output}");
        }
    }
    let max = u64::MAX.to_string();
    for arguments in [
        &["runs", "list", "--after", &max][..],
        &["documents", "find", "things", "-n", &max],
        &["runs", "wait", "latest", "--timeout", time],
    ] {
        let output = project.run(arguments);
        assert!(matches!(output.code, Some(0 | 2)), "{arguments:?}: {output}");
    }
}
