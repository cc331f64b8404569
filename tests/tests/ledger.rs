//! Concurrent transfers in processes that are killed at random: the runs are serialisable.
//!
//! The total of all accounts never changes. The final balances equal those of a sequential
//! execution of the successful runs in the order of their commits.
//!
//! A child process is this test program, started with the one ignored test as its entry point.

#![expect(clippy::unwrap_used, reason = "a panic names the line that failed")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use ophost::document::{Address, Body};
use ophost::{Host, Outcome, Request, RunFilter, RunId, RunRecord, RunReport, RunState, Status};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// Variable with the directory of a child process.
const DIRECTORY: &str = "OPHOST_LEDGER_TEST";
/// The line that a child writes after an audit with the right total.
const AUDITED: &str = "audited";
/// Prefix of the report files, one for each child process.
const REPORT_PREFIX: &str = "report-";
/// Concurrent child processes.
const PROCESSES: usize = 4;
/// Concurrent runs of each child.
const CONCURRENT_RUNS: u64 = 16;
const ACCOUNTS: u64 = 8;
/// Initial balance of each account, in cents.
const BALANCE: i64 = 1_000;
/// How long the test kills processes.
const KILL_TIME: Duration = Duration::from_secs(8);

async fn host(directory: &Path) -> Host {
    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let guest = target.join("guests/ledger.wasm");
    let plugins = directory.join("plugins");
    if fs::create_dir(&plugins).is_ok() {
        fs::copy(guest, plugins.join("ledger.wasm")).unwrap();
    }
    Host::builder().plugins(plugins).data(directory.join("data")).build().await.unwrap()
}

fn account(number: u64) -> String {
    format!("account{number}")
}

async fn call(host: &Host, operation: &str, input: Value) -> RunReport {
    host.run(Request::new(operation, input)).await.unwrap()
}

/// Moves money until it is killed, and writes the id of each successful transfer to a report
/// file. Audits the total from time to time.
#[tokio::test]
#[ignore = "entry point of a child process: `runs_of_killed_processes_are_serialisable` starts it"]
async fn child_that_moves_money() {
    let directory = env::var_os(DIRECTORY).map(PathBuf::from);
    let directory = directory.expect("the directory of the parent test in OPHOST_LEDGER_TEST");
    let host = host(&directory).await;
    let report = directory.join(format!("{REPORT_PREFIX}{}", RunId::new()));
    let report = Arc::new(Mutex::new(File::create(report).unwrap()));
    let seed = u64::from(std::process::id()) << 20;
    let mut moving = JoinSet::new();
    for number in 0..CONCURRENT_RUNS {
        let (host, report) = (host.clone(), Arc::clone(&report));
        moving.spawn(move_money(host, report, fastrand::Rng::with_seed(seed | (number + 1))));
    }
    // A task ends only by a failed assertion. The child then terminates, and the parent, which
    // checks each child before it kills it, fails too.
    moving.join_next().await.unwrap().unwrap();
}

async fn move_money(host: Host, report_file: Arc<Mutex<File>>, mut random: fastrand::Rng) {
    loop {
        if random.u64(..8) == 0 {
            let report = call(&host, "ledger.audit", json!({})).await;
            // An audit that exceeded its retries has no output.
            if let Outcome::Success(output) = report.outcome {
                assert_eq!(output, full_total(), "the audit saw part of a transfer");
                append_line(&report_file, AUDITED);
            }
            continue;
        }
        let from = random.u64(..ACCOUNTS);
        let to = (from + 1 + random.u64(..ACCOUNTS - 1)) % ACCOUNTS;
        let input = json!({
            "from": account(from),
            "to": account(to),
            "amount": 1 + random.u64(..400),
        });
        let report = call(&host, "ledger.transfer", input).await;
        if let Outcome::Success(_) = report.outcome {
            append_line(&report_file, &report.run_id.unwrap().to_string());
        }
    }
}

/// Appends a line with one write, so that a killed process leaves no partial line.
fn append_line(file: &Mutex<File>, line: &str) {
    file.lock().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// Returns the expected output of every audit.
fn full_total() -> Value {
    json!({"accounts": ACCOUNTS, "total": BALANCE * ACCOUNTS as i64})
}

fn child(directory: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child_that_moves_money", "--test-threads=1", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill_at_random(directory: &Path) -> usize {
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| child(directory)).collect();
    let mut random = fastrand::Rng::with_seed(42);
    let (start, mut kills) = (Instant::now(), 0);
    while start.elapsed() < KILL_TIME {
        thread::sleep(Duration::from_millis(150 + random.u64(..250)));
        let victim = &mut children[random.u64(..PROCESSES as u64) as usize];
        kill(victim);
        *victim = child(directory);
        kills += 1;
    }
    children.iter_mut().for_each(kill);
    kills
}

fn kill(child: &mut Child) {
    assert!(child.try_wait().unwrap().is_none(), "a child process terminated by itself");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn runs_of_killed_processes_are_serialisable() {
    let scratch = tempfile::tempdir().unwrap();
    let host = host(scratch.path()).await;
    for number in 0..ACCOUNTS {
        let input = json!({"id": account(number), "balance": BALANCE});
        let opened = call(&host, "ledger.open_account", input).await;
        assert!(matches!(opened.outcome, Outcome::Success(_)), "{opened:?}");
    }
    let kills = kill_at_random(scratch.path());

    let audit = call(&host, "ledger.audit", json!({})).await;
    assert_eq!(audit.outcome, Outcome::Success(full_total()));
    let runs = runs(&host).await;
    let of = |status| runs.iter().filter(|run| run.state.status() == status).count();
    assert_eq!(of(Status::Running), 0);
    let again =
        runs.iter().filter_map(|run| run.usage).map(|usage| usage.conflict_retries).sum::<u32>();
    let (moved, failed) = (of(Status::Success), of(Status::Failed));
    println!("{kills} kills, {moved} transfers, {failed} failed, {again} retries");
    assert!(moved > 50, "{moved}");
    let (transfers, audits) = verify_reports(scratch.path(), &runs);
    assert!(transfers > 0 && audits > 0, "{transfers} reported transfers, {audits} audits");
    replay_in_commit_order(&host, &runs).await;
    assert_eq!(host.runs().unwrap().check().await.unwrap(), [""; 0]);
}

/// Returns all run records.
async fn runs(host: &Host) -> Vec<RunRecord> {
    let runs = host.runs().unwrap();
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = runs.list(&RunFilter::default(), after, 1_000).await.unwrap();
        for run in page.runs {
            all.push(runs.get(run.id).await.unwrap().unwrap());
        }
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

/// Checks that every reported transfer is recorded as successful. Returns the number of reported
/// transfers and of audits.
fn verify_reports(directory: &Path, runs: &[RunRecord]) -> (usize, usize) {
    let known: BTreeMap<_, _> = runs.iter().map(|run| (run.id, run.state.status())).collect();
    let (mut transfers, mut audits) = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with(REPORT_PREFIX) {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            if line == AUDITED {
                audits += 1;
                continue;
            }
            assert_eq!(known[&line.parse::<RunId>().unwrap()], Status::Success);
            transfers += 1;
        }
    }
    (transfers, audits)
}

/// Applies the recorded changes of all runs in the order of their commits. Each run must have
/// read the state that its predecessors wrote, and the final state must equal the store.
async fn replay_in_commit_order(host: &Host, runs: &[RunRecord]) {
    let mut committed: Vec<_> =
        runs.iter().filter_map(|run| Some((run.changes?.revision?, run))).collect();
    committed.sort_by_key(|(revision, _)| *revision);
    assert!(
        committed.windows(2).all(|pair| pair[0].0 < pair[1].0),
        "two commits have the same revision"
    );
    let mut accounts = BTreeMap::<Address, Body>::new();
    for (_, run) in committed {
        assert_eq!(run.state.status(), Status::Success);
        for (address, change) in host.runs().unwrap().changes(run.id).await.unwrap() {
            assert_eq!(accounts.get(&address), change.before.as_ref(), "run {}", run.id);
            accounts.insert(address, change.after.unwrap());
        }
        verify_output(run, &accounts);
    }
    for (address, body) in accounts {
        let stored = host.documents().unwrap().get(address).await.unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&stored.body).unwrap(), json!(body));
    }
}

/// Checks that the balances in the output of a transfer are those that its commit wrote.
fn verify_output(run: &RunRecord, accounts: &BTreeMap<Address, Body>) {
    let RunState::Success { output, .. } = &run.state else {
        panic!("run {} changed documents and has no output", run.id);
    };
    for side in ["from", "to"] {
        let (Some(id), Some(balance)) = (run.input_dump.get(side), output.get(side)) else {
            continue;
        };
        let collection = "accounts".parse().unwrap();
        let address = Address { collection, id: id.as_str().unwrap().parse().unwrap() };
        assert_eq!(accounts[&address].get("balance"), Some(balance), "run {}", run.id);
    }
}
