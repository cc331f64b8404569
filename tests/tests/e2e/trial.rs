//! The worst that happens to recorded commands: many of them killed at any moment, and a disk
//! that is full.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::guest::{Described, Operation, describing};
use serde_json::Value;

use crate::harness::{OPHOST, Output, Project};

/// Commands at a time.
const AT_ONCE: usize = 4;
/// How long the trial waits at most from one kill to the next, in microseconds: less than a
/// command takes.
const LONGEST: u64 = 6_000;
/// How long the trial takes at most, where the disk is slow.
const TRIAL: Duration = Duration::from_secs(40);

/// Returns a project whose one operation returns an empty object.
fn project() -> Project {
    let project = Project::new();
    let plugin = Described::new("it").with(Operation::new("it.works"));
    project.add("it", &describing(&plugin).expect("a guest"));
    project
}

/// Runs so many recorded commands, or as many as there is time for, half of which are killed.
/// Returns how many, and what the others, and those that were killed too late, said: the ids of
/// their runs.
fn kill_at_random(
    project: &Project,
    most: usize,
    random: &mut fastrand::Rng,
) -> (usize, Vec<String>) {
    let (mut count, mut told) = (0, Vec::new());
    let started = Instant::now();
    while count < most && started.elapsed() < TRIAL {
        count += AT_ONCE;
        let start = || {
            let mut command = project.command(&["run", "it.works", "--json"]);
            command.stdout(Stdio::piped()).spawn().expect("the command starts")
        };
        let mut children: Vec<_> = (0..AT_ONCE).map(|_| start()).collect();
        for child in &mut children {
            if random.u64(..2) == 0 {
                std::thread::sleep(Duration::from_micros(random.u64(..LONGEST)));
                child.kill().expect("a child of ours");
            }
        }
        for child in children {
            let said = child.wait_with_output().expect("it is gone").stdout;
            let said: Option<Value> = serde_json::from_slice(&said).ok();
            told.extend(said.and_then(|report| Some(report["run_id"].as_str()?.to_owned())));
        }
    }
    (count, told)
}

#[test]
fn f1_killed_commands_lose_nothing_that_they_said() {
    let project = project();
    assert_eq!(project.run(&["run", "it.works"]).code, Some(0));
    // Another seed in every run; a failure prints it.
    let seed = fastrand::u64(..);
    let mut random = fastrand::Rng::with_seed(seed);
    let (count, told) = kill_at_random(&project, 500, &mut random);

    let looked = project.run(&["runs", "list", "--status", "running", "--json"]).json();
    assert_eq!(looked["runs"].as_array().map(Vec::len), Some(0), "seed {seed}: {looked}");
    let all = project.run(&["runs", "export"]);
    let known: BTreeMap<String, Value> = all
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a run"))
        .map(|run| (run["id"].as_str().expect("an id").to_owned(), run))
        .collect();
    let lost = told
        .iter()
        .filter(|id| known.get(id.as_str()).is_none_or(|run| run["status"] != "SUCCESS"));
    assert_eq!(lost.count(), 0, "seed {seed}");
    let failed = known.values().filter(|run| run["status"] == "FAILED");
    assert!(failed.clone().all(|run| run["failure_kind"] == "crashed"), "seed {seed}");
    assert_eq!(project.run(&["store", "check"]).stdout, "the store is sound\n", "seed {seed}");
    let owners = fs::read_dir(project.path().join(".ophost/owners")).expect("a directory");
    assert_eq!(owners.count(), 0, "seed {seed}");
    assert!(told.len() > count / 4 && told.len() < count, "the trial is none: {}", told.len());
    println!(
        "{count} commands: {} said that they were done and lost 0, {} of {} records crashed",
        told.len(),
        failed.count(),
        known.len(),
    );
}

/// In a namespace of its own, on a disk of 1 MiB: commands until one fails, then more room.
const FULL: &str = r#"
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

/// In a namespace of its own, on a disk of 8 MiB: a change that does not fit, and a run.
const TOO_LARGE: &str = r#"
mount -t tmpfs -o size=8m tmpfs "$OPHOST_DATA" || exit 77
"$0" run it.works && "$0" documents import noise noise.jsonl
echo "import: exit $?"
"$0" run it.works && "$0" documents count noise && "$0" store check
"$0" runs list | wc -l
[ $(du -sk "$OPHOST_DATA" | cut -f1) -lt 2000 ] && echo "room is left"
mount -o remount,size=64m "$OPHOST_DATA" && "$0" documents import noise noise.jsonl
"#;

/// In a namespace of its own: a run whose process is killed, and no room to record that.
const DEAD: &str = r#"
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

/// Returns whether a user may mount here, in a namespace of his own.
fn may_mount() -> bool {
    let script = ["--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    let mut unshare = Command::new("unshare");
    unshare.args(script).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Runs a script where it can mount a disk for its data; `None` if that is nowhere.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn on_a_disk(project: &Project, script: &str) -> Option<Output> {
    if !may_mount() {
        println!("skipped: nobody may mount here, not even in a namespace of his own");
        return None;
    }
    let disk = project.path().join("disk");
    fs::create_dir(&disk).expect("a writable directory");
    let script = ["--map-root-user", "--mount", "sh", "-c", script, OPHOST];
    Some(project.output(project.program("unshare", &script).env("OPHOST_DATA", disk)))
}

#[test]
fn f4_a_dead_run_is_not_waited_for_where_its_end_cannot_be_recorded() {
    let project = Project::with_rust(&["misbehave"]);
    let Some(output) = on_a_disk(&project, DEAD) else { return };
    insta::assert_snapshot!(output, @"
    error: the store's disk is full
    hint: free some space, and try again
    wait: exit 5
    error: the store's disk is full
    hint: free some space, and try again
    logs: exit 5
    warning: of those that are RUNNING, 1 crashed, not recorded: the store's disk is full
    list: exit 0
    1
    ");
}

#[test]
fn f4_on_a_full_disk_nothing_is_lost_and_all_goes_on_when_there_is_room() {
    let project = project();
    let mut random = fastrand::Rng::with_seed(7);
    let noise: String = (0..60_000).map(|_| char::from(b'a' + random.u64(..26) as u8)).collect();
    fs::write(project.path().join("noise.json"), serde_json::json!({"noise": noise}).to_string())
        .expect("a writable directory");
    let Some(output) = on_a_disk(&project, FULL) else { return };
    let error = fs::read_to_string(project.path().join("error.txt")).expect("an error");
    assert!(error.contains("the store's disk is full"), "{error}{output}");
    let listed = fs::read(project.path().join("listed.json")).expect("a list");
    let listed: Value = serde_json::from_slice(&listed).expect("JSON");
    let count = listed["runs"].as_array().map_or(0, Vec::len);
    assert!(count > 5, "{output}");
    let expected = format!(
        "full: exit 5 after {count}\n{{}}\nthe store is sound\n{{}}\nthe store is sound\n{}\n",
        count + 1
    );
    assert_eq!(output.stdout, expected, "{output}");
}

/// The file of the store never shrinks: what is written in vain takes room from all who come.
#[test]
fn f4_a_change_that_does_not_fit_on_the_disk_takes_no_room_from_others() {
    let project = project();
    let mut random = fastrand::Rng::with_seed(7);
    let mut noise =
        || -> String { (0..10_000).map(|_| char::from(b' ' + random.u64(..95) as u8)).collect() };
    let lines = (0..800).map(|_| format!("{}\n", serde_json::json!({"noise": noise()})));
    fs::write(project.path().join("noise.jsonl"), lines.collect::<String>())
        .expect("a writable directory");
    let Some(output) = on_a_disk(&project, TOO_LARGE) else { return };
    let expected = "{}\nimport: exit 5\n{}\n0\nthe store is sound\n3\nroom is left\n{\"put\":800,\"skipped\":0}\n";
    assert_eq!(output.stdout, expected, "{output}");
    assert!(output.stderr.contains("the store's disk is full"), "{output}");
}
