//! Project directories with tiny plugins, and hosts for them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use e2e::guest::{Described, Operation, describing, wat_component};
use ophost::{Host, Outcome, RecordPolicy, Request, RunId, RunReport, Runs};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::measure::median_and_p99;

/// The operation of most runs. It returns `{}`.
pub(crate) const TINY: &str = "bench.tiny";
/// An operation like [`TINY`], with fewer runs.
pub(crate) const RARE: &str = "bench.rare";
/// An operation that fails.
pub(crate) const FAILING: &str = "hostile.trap";

/// The data directory of a project.
const DATA: &str = ".ophost";
/// Slots of the instance pool of a host. More concurrent runs use instances on demand.
const POOL_SLOTS: u16 = 64;

/// A project in a temporary directory.
pub(crate) struct Project(TempDir);

impl Project {
    /// Creates a project without plugins in the directory `scratch`.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be written.
    pub(crate) fn empty(scratch: &Path) -> Result<Self> {
        let project = Self(tempfile::tempdir_in(scratch)?);
        fs::create_dir(project.path().join("plugins"))?;
        // Without settings, a project around the target directory would be used.
        fs::write(project.path().join("ophost.toml"), "")?;
        Ok(project)
    }

    /// Creates a project with the operations [`TINY`], [`RARE`] and [`FAILING`].
    ///
    /// # Errors
    ///
    /// As [`Self::empty`].
    pub(crate) fn tiny(scratch: &Path) -> Result<Self> {
        let project = Self::empty(scratch)?;
        let described = Described::new("bench");
        let described = described.with(Operation::new(TINY)).with(Operation::new(RARE));
        project.add("bench", &describing(&described)?)?;
        project.add("trap", &wat_component("trap")?)?;
        Ok(project)
    }

    /// Adds a plugin.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory cannot be written.
    pub(crate) fn add(&self, name: &str, component: &[u8]) -> Result<()> {
        Ok(fs::write(self.path().join(format!("plugins/{name}.wasm")), component)?)
    }

    /// Adds a Rust plugin from the directory `guests`.
    ///
    /// # Errors
    ///
    /// Returns an error if the plugin has not been built.
    pub(crate) fn add_guest(&self, guests: &Path, name: &str) -> Result<()> {
        self.add(name, &read_guest(guests, name)?)
    }

    /// The directory of the project.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The file of the store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path().join(DATA).join("store").join(ophost::STORE_FILE)
    }
}

/// Reads a Rust plugin.
///
/// # Errors
///
/// Returns an error if the plugin has not been built.
pub(crate) fn read_guest(guests: &Path, name: &str) -> Result<Vec<u8>> {
    let file = guests.join(format!("{name}.wasm"));
    fs::read(&file).with_context(|| format!("cannot read `{}`", file.display()))
}

/// Returns a runtime with one thread, like that of the command.
///
/// # Errors
///
/// Returns the error of the operating system.
pub(crate) fn runtime() -> Result<Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// A host of a project, with its runtime.
pub(crate) struct OpenHost {
    pub(crate) runtime: Runtime,
    pub(crate) host: Host,
}

impl OpenHost {
    /// Opens a host that lives long: it has an instance pool. It records every run of its
    /// operations, unless the request says otherwise.
    ///
    /// # Errors
    ///
    /// Returns the error of the host.
    pub(crate) fn open(project: &Path) -> Result<Self> {
        Self::open_with_pool(project, POOL_SLOTS)
    }

    /// Like [`Self::open`], with another number of slots. Without slots, instances are allocated on
    /// demand.
    ///
    /// # Errors
    ///
    /// Returns the error of the host.
    pub(crate) fn open_with_pool(project: &Path, slots: u16) -> Result<Self> {
        let runtime = runtime()?;
        let builder = Host::builder().plugins(project.join("plugins")).instance_pool(slots);
        let builder = builder.data(project.join(DATA)).record(RecordPolicy::Always);
        let host = runtime.block_on(builder.build())?;
        Ok(Self { runtime, host })
    }

    /// Returns the run records.
    ///
    /// # Errors
    ///
    /// Returns an error if the host has no data directory.
    pub(crate) fn runs(&self) -> Result<Runs<'_>> {
        self.host.runs().context("the host has no data directory")
    }

    /// Runs [`TINY`] once and returns the seconds that the run took.
    ///
    /// # Errors
    ///
    /// Returns an error if the run fails.
    pub(crate) fn once(&self) -> Result<f64> {
        self.runtime.block_on(run_tiny(&self.host))
    }

    /// Runs [`TINY`] once without a record, so that its code is loaded.
    ///
    /// # Errors
    ///
    /// Returns an error if the run fails.
    pub(crate) fn load(&self) -> Result<()> {
        let request = Request::new(TINY, json!({})).record(false);
        self.runtime.block_on(async { succeeded(self.host.run(request).await?) })?;
        Ok(())
    }

    /// Runs [`TINY`] by concurrent callers for a time. Returns the runs per second, and the median
    /// and the 99th percentile of the seconds of one run.
    ///
    /// # Errors
    ///
    /// Returns an error if a run fails.
    pub(crate) fn for_time(&self, callers: usize, time: Duration) -> Result<Vec<f64>> {
        let started = Instant::now();
        let times = self.runtime.block_on(self.call(callers, move |_| started.elapsed() < time))?;
        let rate = times.len() as f64 / started.elapsed().as_secs_f64();
        Ok([vec![rate], median_and_p99(&times)].concat())
    }

    /// Runs [`TINY`] about `count` times by concurrent callers, each equally often. Returns the
    /// number of runs.
    ///
    /// # Errors
    ///
    /// Returns an error if a run fails.
    pub(crate) fn count(&self, callers: usize, count: usize) -> Result<usize> {
        let each = count / callers;
        let times = self.runtime.block_on(self.call(callers, move |done| done < each))?;
        Ok(times.len())
    }

    async fn call(
        &self,
        callers: usize,
        goes_on: impl Fn(usize) -> bool + Clone + Send + 'static,
    ) -> Result<Vec<f64>> {
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (host, goes_on) = (self.host.clone(), goes_on.clone());
            tasks.spawn(async move {
                let mut times = Vec::new();
                while goes_on(times.len()) {
                    times.push(run_tiny(&host).await?);
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(caller) = tasks.join_next().await {
            times.extend(caller??);
        }
        Ok(times)
    }
}

async fn run_tiny(host: &Host) -> Result<f64> {
    let started = Instant::now();
    succeeded(host.run(Request::new(TINY, json!({"text": "Hello, World!"}))).await?)?;
    Ok(started.elapsed().as_secs_f64())
}

/// Returns the report of a successful run.
///
/// # Errors
///
/// Returns an error if the run has not succeeded.
pub(crate) fn succeeded(report: RunReport) -> Result<RunReport> {
    match &report.outcome {
        Outcome::Success(_) => Ok(report),
        other => bail!("a run ended with {other:?}"),
    }
}

/// The names of the files of [`SampleRecords`].
const RECORD_FILES: [&str; 3] = ["running.json", "finished.json", "failed.json"];

/// The records of two runs as JSON, for peers that store the same rows.
#[derive(Clone)]
pub(crate) struct SampleRecords {
    /// A run that has started.
    pub(crate) running: String,
    /// The same run at its end.
    pub(crate) finished: String,
    /// A run that failed.
    pub(crate) failed: String,
}

impl SampleRecords {
    /// Makes a successful and a failed run in a new project, and returns their records.
    ///
    /// # Errors
    ///
    /// Returns an error if a run cannot be recorded.
    pub(crate) fn make(scratch: &Path) -> Result<Self> {
        let project = Project::tiny(scratch)?;
        let host = OpenHost::open(project.path())?;
        let finished = recorded(&host, TINY)?;
        let failed = recorded(&host, FAILING)?.to_string();
        let mut running = finished.clone();
        if let Value::Object(fields) = &mut running {
            for field in ["output", "finished_at", "duration_ms", "usage"] {
                fields.remove(field);
            }
        }
        Ok(Self { running: running.to_string(), finished: finished.to_string(), failed })
    }

    /// Writes the records to files in a directory, for a child of this program.
    ///
    /// # Errors
    ///
    /// Returns an error if the files cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> Result<()> {
        let Self { running, finished, failed } = self;
        for (name, text) in RECORD_FILES.into_iter().zip([running, finished, failed]) {
            fs::write(directory.join(name), text)?;
        }
        Ok(())
    }

    /// Reads the files of [`Self::write`].
    ///
    /// # Errors
    ///
    /// Returns an error if a file is missing.
    pub(crate) fn read(directory: &Path) -> Result<Self> {
        let [running, finished, failed] =
            RECORD_FILES.map(|name| fs::read_to_string(directory.join(name)));
        Ok(Self { running: running?, finished: finished?, failed: failed? })
    }
}

/// Runs an operation and returns its record.
fn recorded(host: &OpenHost, operation: &str) -> Result<Value> {
    let request = Request::new(operation, json!({"text": "Hello, World!"}));
    let record = host.runtime.block_on(async {
        let id: RunId = host.host.run(request).await?.run_id.context("no record")?;
        host.runs()?.get(id).await?.context("no record")
    })?;
    Ok(serde_json::to_value(record)?)
}
