//! Runs that move money at the same time, in processes that are killed at random: whatever
//! happens, no money is made or lost, and what became of it is what some order of the runs,
//! one after the other, would have made of it.
//!
//! A child is this test program again, running one test that does nothing elsewhere.

#![expect(clippy::unwrap_used, reason = "a trial that cannot go on says where")]

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

/// The directory that a child works in.
const DIRECTORY: &str = "OPHOST_LEDGER_TRIAL";
/// What a child notes of an audit that found all the money.
const AUDITED: &str = "audited";
/// How many processes there are, how many runs each has at once, and how many accounts.
const PROCESSES: usize = 4;
const AT_ONCE: u64 = 16;
const ACCOUNTS: u64 = 8;
/// What is in each account at first, in cents.
const BALANCE: i64 = 1_000;
/// How long processes are killed.
const TRIAL: Duration = Duration::from_secs(8);

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

/// Moves money for ever, and notes which runs it was told of as done; in between it adds up
/// all there is.
#[tokio::test]
async fn child_that_moves_money() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let host = host(&directory).await;
    let told = directory.join(format!("told-{}", RunId::new()));
    let told = Arc::new(Mutex::new(File::create(told).unwrap()));
    let seed = u64::from(std::process::id()) << 20;
    let mut moving = JoinSet::new();
    for place in 0..AT_ONCE {
        let (host, told) = (host.clone(), Arc::clone(&told));
        moving.spawn(move_money(host, told, fastrand::Rng::with_seed(seed | (place + 1))));
    }
    // None ends but by what it found, which ends all of them: whoever kills looks first.
    moving.join_next().await.unwrap().unwrap();
}

async fn move_money(host: Host, told: Arc<Mutex<File>>, mut random: fastrand::Rng) {
    loop {
        if random.u64(..8) == 0 {
            let report = call(&host, "ledger.audit", json!({})).await;
            // One that others were in the way of for too long has seen nothing.
            if let Outcome::Success(seen) = report.outcome {
                assert_eq!(seen, all_the_money(), "somebody saw half of a run");
                tell(&told, AUDITED);
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
            tell(&told, &report.run_id.unwrap().to_string());
        }
    }
}

/// Notes something in one step: whoever is killed leaves no half of it.
fn tell(told: &Mutex<File>, what: &str) {
    told.lock().unwrap().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// Returns what every audit has to find.
fn all_the_money() -> Value {
    json!({"accounts": ACCOUNTS, "total": BALANCE * ACCOUNTS as i64})
}

fn child(directory: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "child_that_moves_money", "--test-threads=1", "--nocapture"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn kill_at_random(directory: &Path) -> usize {
    let mut children: Vec<Child> = (0..PROCESSES).map(|_| child(directory)).collect();
    let mut random = fastrand::Rng::with_seed(42);
    let (start, mut kills) = (Instant::now(), 0);
    while start.elapsed() < TRIAL {
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
    assert!(child.try_wait().unwrap().is_none(), "a child ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn money_is_neither_made_nor_lost_whoever_is_killed() {
    let scratch = tempfile::tempdir().unwrap();
    let host = host(scratch.path()).await;
    for number in 0..ACCOUNTS {
        let input = json!({"id": account(number), "balance": BALANCE});
        let opened = call(&host, "ledger.open_account", input).await;
        assert!(matches!(opened.outcome, Outcome::Success(_)), "{opened:?}");
    }
    let kills = kill_at_random(scratch.path());

    let audit = call(&host, "ledger.audit", json!({})).await;
    assert_eq!(audit.outcome, Outcome::Success(all_the_money()));
    let runs = runs(&host).await;
    let of = |status| runs.iter().filter(|run| run.state.status() == status).count();
    assert_eq!(of(Status::Running), 0);
    let again =
        runs.iter().filter_map(|run| run.usage).map(|usage| usage.conflict_retries).sum::<u32>();
    let (moved, failed) = (of(Status::Success), of(Status::Failed));
    println!("{kills} kills, {moved} transfers, {failed} failed, {again} executed again");
    assert!(moved > 50, "{moved}");
    let (told, audits) = everything_told_is_there(scratch.path(), &runs);
    assert!(told > 0 && audits > 0, "{told} transfers told, {audits} audits");
    one_after_the_other(&host, &runs).await;
    assert_eq!(host.runs().unwrap().check().await.unwrap(), [""; 0]);
}

/// Returns all runs that are recorded.
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

/// Returns how many runs were told of as done, each of which is there, and how many audits.
fn everything_told_is_there(directory: &Path, runs: &[RunRecord]) -> (usize, usize) {
    let known: BTreeMap<_, _> = runs.iter().map(|run| (run.id, run.state.status())).collect();
    let (mut told, mut audits) = (0, 0);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("told-") {
            continue;
        }
        for line in fs::read_to_string(path).unwrap().lines() {
            if line == AUDITED {
                audits += 1;
                continue;
            }
            assert_eq!(known[&line.parse::<RunId>().unwrap()], Status::Success);
            told += 1;
        }
    }
    (told, audits)
}

/// Makes of the accounts what each run says that it did, in the order of their commits: each
/// has to have seen what those before it left, and the last has to leave what is there.
async fn one_after_the_other(host: &Host, runs: &[RunRecord]) {
    let mut committed: Vec<_> =
        runs.iter().filter_map(|run| Some((run.changes?.revision?, run))).collect();
    committed.sort_by_key(|(revision, _)| *revision);
    assert!(committed.windows(2).all(|pair| pair[0].0 < pair[1].0), "each has its own number");
    let mut accounts = BTreeMap::<Address, Body>::new();
    for (_, run) in committed {
        assert_eq!(run.state.status(), Status::Success);
        for (address, change) in host.runs().unwrap().changes(run.id).await.unwrap() {
            assert_eq!(accounts.get(&address), change.before.as_ref(), "run {}", run.id);
            accounts.insert(address, change.after.unwrap());
        }
        says_what_it_left(run, &accounts);
    }
    for (address, body) in accounts {
        let kept = host.documents().unwrap().get(address).await.unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&kept.body).unwrap(), json!(body));
    }
}

fn says_what_it_left(run: &RunRecord, accounts: &BTreeMap<Address, Body>) {
    let RunState::Success { output, .. } = &run.state else { return };
    for side in ["from", "to"] {
        let (Some(id), Some(balance)) = (run.input_dump.get(side), output.get(side)) else {
            continue;
        };
        let collection = "accounts".parse().unwrap();
        let address = Address { collection, id: id.as_str().unwrap().parse().unwrap() };
        assert_eq!(accounts[&address].get("balance"), Some(balance), "run {}", run.id);
    }
}
