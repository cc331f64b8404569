//! Runs cases, each with an empty store of its own, several at a time.

use std::collections::BTreeMap;
use std::io;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use ophost::document::{Document, Filter};
use ophost::{
    CallSettings, Caller, Flags, Host, Import, LogEntry, Outcome, Request, RunReport, StoreError,
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::case::{Case, Documents};
use super::pattern::{Difference, Pattern};
use super::suite::{Check, Test};
use crate::error::CliError;
use crate::run::envelope;

/// Maximum number of cases that run at the same time. More do not help, because each run syncs its
/// store.
const MAX_CONCURRENT: usize = 8;

/// The result of a check.
#[derive(Debug)]
pub(super) struct CheckResult {
    pub(super) verdict: Verdict,
    /// The result of the run; `None` for metadata, and if there was no run.
    pub(super) actual: Option<Actual>,
    pub(super) duration: Duration,
}

#[derive(Debug)]
pub(super) enum Verdict {
    Passed,
    Failed(Vec<PartDifferences>),
    /// The case could not be run.
    Error(String),
}

impl CheckResult {
    pub(super) fn is_passed(&self) -> bool {
        matches!(self.verdict, Verdict::Passed)
    }
}

/// The differences in one part of a result, such as `output`.
#[derive(Debug)]
pub(super) struct PartDifferences {
    pub(super) part: &'static str,
    pub(super) differences: Vec<Difference>,
}

/// The result of a run.
#[derive(Debug)]
pub(super) struct Actual {
    /// The output, or the `error` of `ophost run --json`.
    pub(super) outcome: Result<Value, Value>,
    pub(super) run_id: Value,
    pub(super) item_errors: Value,
    pub(super) changes: Value,
    pub(super) result_refs: Value,
    pub(super) documents: Documents,
    pub(super) log: Vec<LogEntry>,
}

/// How checks are run.
pub(super) struct RunOptions {
    pub(super) is_fail_fast: bool,
    pub(super) cancel: CancellationToken,
}

/// Runs checks and passes the results in order to `report`. Checks that did not start because of a
/// failure or a cancellation have no result.
///
/// # Errors
///
/// Returns the error of the operating system if no thread can be started.
pub(super) fn run_all(
    host: &Host,
    tests: &[Test<'_>],
    options: &RunOptions,
    mut report: impl FnMut(usize, CheckResult),
) -> io::Result<()> {
    let (next, is_failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, results) = mpsc::channel();
    let worker = |sender: mpsc::Sender<(usize, CheckResult)>| -> io::Result<()> {
        let runtime = crate::runtime()?;
        let is_stopped = || options.is_fail_fast && is_failed.load(Ordering::Relaxed);
        while !options.cancel.is_cancelled()
            && !is_stopped()
            && let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(test) = tests.get(index)
        {
            let result = runtime.block_on(check(host, test, &options.cancel));
            if options.cancel.is_cancelled() {
                break;
            }
            is_failed.fetch_or(!result.is_passed(), Ordering::Relaxed);
            if sender.send((index, result)).is_err() {
                break;
            }
        }
        Ok(())
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let count = cores.min(MAX_CONCURRENT).min(tests.len());
    thread::scope(|scope| {
        let mut workers = Vec::new();
        for _ in 0..count {
            let (sender, worker) = (sender.clone(), &worker);
            let spawned = thread::Builder::new()
                .name("case".to_owned())
                .spawn_scoped(scope, || worker(sender));
            match spawned {
                Ok(handle) => workers.push(handle),
                Err(error) if workers.is_empty() => return Err(error),
                Err(_) => break,
            }
        }
        drop(sender);
        in_order(&results, &mut report);
        workers.into_iter().try_for_each(|worker| {
            worker.join().unwrap_or_else(|_| Err(io::Error::other("a case panicked")))
        })
    })
}

/// Reports results in the order of their checks. Results after a missing one come last.
fn in_order(
    results: &mpsc::Receiver<(usize, CheckResult)>,
    report: &mut impl FnMut(usize, CheckResult),
) {
    let (mut waiting, mut next) = (BTreeMap::new(), 0);
    for (index, result) in results {
        waiting.insert(index, result);
        while let Some(result) = waiting.remove(&next) {
            report(next, result);
            next += 1;
        }
    }
    waiting.into_iter().for_each(|(index, result)| report(index, result));
}

async fn check(host: &Host, test: &Test<'_>, cancel: &CancellationToken) -> CheckResult {
    let started = Instant::now();
    let (verdict, actual) = match &test.check {
        Check::Metadata(metadata) => {
            let described = test.description(host);
            let differences = Pattern::default().check_part(metadata, &described);
            (verdict(vec![("metadata", differences)]), None)
        }
        Check::Case(case) => match run_case(host, test.operation(), case, cancel).await {
            Ok(actual) => (compare(case, &actual), Some(actual)),
            Err(problem) => (Verdict::Error(problem), None),
        },
    };
    CheckResult { verdict, actual, duration: started.elapsed() }
}

fn verdict(parts: Vec<(&'static str, Vec<Difference>)>) -> Verdict {
    let different = parts.into_iter().filter(|(_, differences)| !differences.is_empty());
    let parts: Vec<_> =
        different.map(|(part, differences)| PartDifferences { part, differences }).collect();
    if parts.is_empty() { Verdict::Passed } else { Verdict::Failed(parts) }
}

/// Compares the result of a run with a case.
fn compare(case: &Case, actual: &Actual) -> Verdict {
    let mut pattern = Pattern::with_run(actual.run_id.clone());
    let mut parts = compare_outcome(case, actual, &mut pattern);
    let item_errors = pattern.check_part(&case.expected_item_errors(), &actual.item_errors);
    parts.push(("item_errors", item_errors));
    let documents = pattern.check_documents(&case.expected_documents(), &actual.documents);
    parts.push(("documents", documents));
    if let Some(changes) = &case.changes {
        parts.push(("changes", pattern.check(changes, &actual.changes)));
    }
    if let Some(expected) = &case.result_refs {
        parts.push(("result_refs", pattern.check_part(&json!(expected), &actual.result_refs)));
    }
    verdict(parts)
}

fn compare_outcome(
    case: &Case,
    actual: &Actual,
    pattern: &mut Pattern,
) -> Vec<(&'static str, Vec<Difference>)> {
    let one = |expected: Option<&Value>, actual: Option<&Value>| {
        let is_different = expected.is_some() || actual.is_some();
        let (path, expected, actual) = (String::new(), expected.cloned(), actual.cloned());
        is_different.then_some(Difference { path, expected, actual }).into_iter().collect()
    };
    match (&case.output, &case.failure, &actual.outcome) {
        (Some(expected), _, Ok(output)) => vec![("output", pattern.check(expected, output))],
        (_, Some(expected), Err(error)) => vec![("failure", pattern.check_part(expected, error))],
        (output, failure, outcome) => vec![
            ("output", one(output.as_ref(), outcome.as_ref().ok())),
            ("failure", one(failure.as_ref(), outcome.as_ref().err())),
        ],
    }
}

/// Runs a case with an empty store.
///
/// # Errors
///
/// Returns the reason why the case could not be run.
async fn run_case(
    host: &Host,
    operation: &str,
    case: &Case,
    cancel: &CancellationToken,
) -> Result<Actual, String> {
    let directory = tempfile::tempdir().map_err(|error| format!("no temporary store: {error}"))?;
    let host = host.with_data(directory.path());
    for (collection, documents) in case.parsed_documents().map_err(|error| error.to_string())? {
        let import = Import::new(collection, documents);
        let imported = host.import(import, CallSettings::default()).await;
        match imported.map(|report| report.outcome) {
            Ok(Outcome::Success(_)) => {}
            Ok(Outcome::Failed(failure)) => {
                return Err(format!("cannot import the documents: {}", failure.message));
            }
            Ok(Outcome::Cancelled) => return Err("cancelled".to_owned()),
            Err(error) => {
                let error = CliError::from(error).message();
                return Err(format!("cannot import the documents: {error}"));
            }
        }
    }
    let request = request(operation, case)?.cancellation_token(cancel.clone());
    let result = host.run(request).await;
    let mut actual = match result {
        Ok(report) => actual_of_report(&report),
        Err(error) => actual_of_error(&CliError::from(error)),
    };
    let read = |error: StoreError| format!("cannot read the store: {error}");
    actual.documents = stored_documents(&host).await.map_err(read)?;
    if let (Some(id), Some(runs)) = (actual.run_id.as_str(), host.runs()) {
        let record = runs.find(id).await.map_err(|error| error.to_string())?;
        actual.result_refs = json!(record.result_refs);
    }
    Ok(actual)
}

fn request(operation: &str, case: &Case) -> Result<Request, String> {
    let flags = &case.flags;
    let caller = Caller {
        user_id: flags.user.clone(),
        channel: flags.channel.clone(),
        flags: Flags { dry_run: flags.dry_run, test_mode: flags.test_mode, verbose: flags.verbose },
        ..Caller::at("cli")
    };
    let limits = flags.limits().map_err(|error| error.to_string())?;
    let mut request = Request::new(operation, case.input.clone()).caller(caller).limits(limits);
    if let Some(record) = flags.record {
        request = request.record(record);
    }
    if let Some(key) = &flags.idempotency_key {
        request = request.idempotency_key(key);
    }
    Ok(request)
}

/// Returns the result of a run that started.
pub(crate) fn actual_of_report(report: &RunReport) -> Actual {
    let mut envelope = json!(envelope(report));
    let error = envelope["error"].take();
    let outcome = match &report.outcome {
        Outcome::Success(output) => Ok(output.clone()),
        Outcome::Failed(_) | Outcome::Cancelled => Err(error),
    };
    Actual {
        outcome,
        run_id: envelope["run_id"].take(),
        item_errors: envelope["item_errors"].take(),
        changes: envelope["changes"].take(),
        log: report.trail.log.clone(),
        ..actual_of_nothing()
    }
}

/// Returns the result of a run that did not start.
fn actual_of_error(error: &CliError) -> Actual {
    Actual { outcome: Err(error.envelope()["error"].take()), ..actual_of_nothing() }
}

fn actual_of_nothing() -> Actual {
    Actual {
        outcome: Ok(Value::Null),
        run_id: Value::Null,
        item_errors: json!([]),
        changes: Value::Null,
        result_refs: json!([]),
        documents: Documents::new(),
        log: Vec::new(),
    }
}

/// Returns all documents, in the order of their ids.
async fn stored_documents(host: &Host) -> Result<Documents, StoreError> {
    let mut stored = Documents::new();
    let Some(documents) = host.documents() else { return Ok(stored) };
    let pinned = documents.pin().await?;
    for (collection, _) in documents.collections().await? {
        let name = collection.to_string();
        let list = Arc::new(Mutex::new(Vec::new()));
        let visited = Arc::clone(&list);
        let visit = move |document: Document| {
            visited.lock().unwrap_or_else(PoisonError::into_inner).push(with_id(&document));
            ControlFlow::Continue(())
        };
        pinned.each(collection, Filter::all(), visit).await?;
        let list = std::mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner));
        stored.insert(name, list);
    }
    Ok(stored)
}

/// Returns a document with its id as the first field.
fn with_id(document: &Document) -> Value {
    let mut fields = Map::from_iter([("_id".to_owned(), json!(document.id))]);
    // The store writes only valid JSON objects.
    fields.extend(serde_json::from_str::<Map<_, _>>(&document.body).unwrap_or_default());
    Value::Object(fields)
}
