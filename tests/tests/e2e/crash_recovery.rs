//! Recovery of recorded runs from killed commands and from a full disk.

use std::collections::BTreeMap;
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use serde_json::Value;

use crate::harness::{OPHOST, Output, Project, require_mount_namespace};

/// Concurrent commands.
const CONCURRENT: usize = 4;
/// Maximum delay before a kill, in microseconds. It is shorter than a command takes.
const MAX_KILL_DELAY: u64 = 6_000;
/// Maximum time of the killing, for slow disks.
const KILL_TIME: Duration = Duration::from_secs(40);

/// Returns a project whose one operation returns an empty object.
fn project() -> Project {
    let project = Project::new();
    let plugin = Described::new("it").with(Operation::new("it.works"));
    project.add("it", &describing(&plugin).expect("a guest"));
    project
}

/// Starts up to `max` recorded commands within [`KILL_TIME`] and kills half of them. Returns the
/// number of commands and the run ids that the others printed. Commands that print their run id
/// before the kill are among the others.
fn kill_at_random(
    project: &Project,
    max: usize,
    random: &mut fastrand::Rng,
) -> (usize, Vec<String>) {
    let (mut count, mut printed) = (0, Vec::new());
    let started = Instant::now();
    while count < max && started.elapsed() < KILL_TIME {
        count += CONCURRENT;
        let start = || {
            let mut command = project.command(&["run", "it.works", "--json"]);
            command.stdout(Stdio::piped()).spawn().expect("the command starts")
        };
        let mut children: Vec<_> = (0..CONCURRENT).map(|_| start()).collect();
        for child in &mut children {
            if random.u64(..2) == 0 {
                std::thread::sleep(Duration::from_micros(random.u64(..MAX_KILL_DELAY)));
                child.kill().expect("a running child");
            }
        }
        for child in children {
            let stdout = child.wait_with_output().expect("a terminated child").stdout;
            let report: Option<Value> = serde_json::from_slice(&stdout).ok();
            printed.extend(report.and_then(|report| Some(report["run_id"].as_str()?.to_owned())));
        }
    }
    (count, printed)
}

#[test]
fn killed_commands_lose_no_result_that_they_printed() {
    let project = project();
    assert_eq!(project.run(&["run", "it.works"]).code, Some(0));
    // A new seed each time. The assertions print it.
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let (count, printed) = kill_at_random(&project, 500, &mut random);

    let running = project.run(&["runs", "list", "--status", "running", "--json"]).json();
    assert_eq!(running["runs"].as_array().map(Vec::len), Some(0), "seed {seed}: {running}");
    let all = project.run(&["runs", "export"]);
    let known: BTreeMap<String, Value> = all
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a run"))
        .map(|run| (run["id"].as_str().expect("an id").to_owned(), run))
        .collect();
    let lost = printed
        .iter()
        .filter(|id| known.get(id.as_str()).is_none_or(|run| run["status"] != "SUCCESS"));
    assert_eq!(lost.count(), 0, "seed {seed}");
    let failed = known.values().filter(|run| run["status"] == "FAILED");
    assert!(failed.clone().all(|run| run["failure_kind"] == "crashed"), "seed {seed}");
    assert_eq!(project.run(&["store", "check"]).stdout, "no problems found\n", "seed {seed}");
    let owners = fs::read_dir(project.path().join(".ophost/owners")).expect("a directory");
    // Names with a leading dot are locks of the store.
    let owners = owners.map(|file| file.expect("a file").file_name());
    let owners = owners.filter(|name| !name.to_string_lossy().starts_with('.'));
    assert_eq!(owners.count(), 0, "seed {seed}");
    assert!(
        printed.len() > count / 4 && printed.len() < count,
        "{} of {count} commands were not killed",
        printed.len()
    );
    println!(
        "{count} commands: {} printed their result and lost 0, {} of {} records crashed",
        printed.len(),
        failed.count(),
        known.len(),
    );
}

/// Runs commands on a disk of 1 MiB until one fails, then enlarges the disk.
const FILL_DISK: &str = r#"
mount -t tmpfs -o size=1m tmpfs "$OPHOST_DATA" || exit 77
code=0 count=0
while [ $code = 0 ] && [ $count -lt 100 ]; do
    "$0" run it.works n:=$count --input @noise.json >/dev/null 2>error.txt
    code=$?
    [ $code = 0 ] && count=$((count + 1))
done
echo "full: exit $code after $count"
"$0" run it.works --no-record && "$0" store check
"$0" runs list --limit 1000 --json >listed.json
mount -o remount,size=8m "$OPHOST_DATA" && "$0" run it.works && "$0" store check
"$0" runs list --limit 1000 | wc -l
"#;

/// Makes a change that does not fit on a disk of 8 MiB, and a run that fits.
const CHANGE_TOO_LARGE: &str = r#"
mount -t tmpfs -o size=8m tmpfs "$OPHOST_DATA" || exit 77
"$0" run it.works && "$0" documents import noise noise.jsonl
echo "import: exit $?"
"$0" run it.works && "$0" documents count noise && "$0" store check
"$0" runs list | wc -l
[ $(du -sk "$OPHOST_DATA" | cut -f1) -lt 2000 ] && echo "space is left"
mount -o remount,size=64m "$OPHOST_DATA" && "$0" documents import noise noise.jsonl
"#;

/// Kills the process of a run and fills the disk, so that the crash cannot be recorded.
const CRASH_ON_FULL_DISK: &str = r#"
mount -t tmpfs -o size=64m tmpfs "$OPHOST_DATA" || exit 77
"$0" run misbehave.spin --record --timeout 60s --verbose >/dev/null 2>&1 &
tries=0
until "$0" runs list 2>/dev/null | grep -q RUNNING || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done
kill -9 $! && wait $! 2>/dev/null
cat /dev/zero >"$OPHOST_DATA/fill" 2>/dev/null
timeout 20 "$0" runs wait latest 2>&1; echo "wait: exit $?"
timeout 20 "$0" runs logs --follow latest 2>&1 >/dev/null; echo "logs: exit $?"
timeout 20 "$0" runs list 2>&1 >/dev/null; echo "list: exit $?"
rm "$OPHOST_DATA/fill"
"$0" runs wait latest --json | grep -c '"failure_kind":"crashed"'
"#;

/// Runs a script in a mount namespace, in which it mounts a disk for its data directory.
fn on_own_disk(project: &Project, script: &str) -> Output {
    require_mount_namespace();
    let disk = project.path().join("disk");
    fs::create_dir(&disk).expect("a writable directory");
    let script = ["--map-root-user", "--mount", "sh", "-c", script, OPHOST];
    project.output(project.program("unshare", &script).env("OPHOST_DATA", disk))
}

#[test]
fn commands_do_not_wait_for_a_crashed_run_if_the_disk_is_full() {
    let project = Project::with_rust(&["misbehave"]);
    let output = on_own_disk(&project, CRASH_ON_FULL_DISK);
    insta::assert_snapshot!(output, @"
    error: the store's disk is full
    hint: free some disk space and retry
    wait: exit 5
    error: the store's disk is full
    hint: free some disk space and retry
    logs: exit 5
    warning: 1 run shown as RUNNING has crashed, but this could not be recorded: the store's disk is full
    list: exit 0
    1
    ");
}

#[test]
fn full_disk_loses_no_record_and_runs_continue_when_space_is_freed() {
    let project = project();
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = (0..60_000).map(|_| char::from(b'a' + random.u64(..26) as u8)).collect();
    fs::write(project.path().join("noise.json"), serde_json::json!({"noise": noise}).to_string())
        .expect("a writable directory");
    let output = on_own_disk(&project, FILL_DISK);
    let error = fs::read_to_string(project.path().join("error.txt")).expect("an error");
    assert!(error.contains("the store's disk is full"), "{error}{output}");
    let listed = fs::read(project.path().join("listed.json")).expect("a list");
    let listed: Value = serde_json::from_slice(&listed).expect("JSON");
    let count = listed["runs"].as_array().map_or(0, Vec::len);
    assert!(count > 5, "{output}");
    let expected = format!(
        "full: exit 5 after {count}\n{{}}\nno problems found\n{{}}\nno problems found\n{}\n",
        count + 1
    );
    assert_eq!(output.stdout, expected, "{output}");
}

/// The store file never shrinks, so a large write that fails half way would waste space for good.
#[test]
fn change_that_does_not_fit_on_the_disk_leaves_the_free_space() {
    let project = project();
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise =
        || -> String { (0..10_000).map(|_| char::from(b' ' + random.u64(..95) as u8)).collect() };
    let lines = (0..800).map(|_| format!("{}\n", serde_json::json!({"noise": noise()})));
    fs::write(project.path().join("noise.jsonl"), lines.collect::<String>())
        .expect("a writable directory");
    let output = on_own_disk(&project, CHANGE_TOO_LARGE);
    // The import has a record only if the start of the run was written before its changes.
    let expected = |runs| {
        format!(
            "{{}}\nimport: exit 5\n{{}}\n0\nno problems found\n{runs}\nspace is left\n\
             {{\"put\":800,\"skipped\":0}}\n"
        )
    };
    assert!([2, 3].map(expected).contains(&output.stdout), "{output}");
    assert!(output.stderr.contains("the store's disk is full"), "{output}");
}
