//! The machine: its description, its load, and the start of a process.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::measure::median;
use crate::process;

/// Starts of `/bin/true` of one median.
const STARTS: usize = 20;

/// Returns the seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// The load of the machine at one time.
pub(crate) struct Load {
    /// The load average of the last minute.
    pub(crate) average: f64,
    /// The median time of starting `/bin/true`, in seconds.
    pub(crate) true_start: f64,
}

impl Load {
    /// Measures the load.
    ///
    /// # Errors
    ///
    /// Returns an error if the system does not report a load average.
    pub(crate) fn now() -> Result<Self> {
        let text = fs::read_to_string("/proc/loadavg").context("cannot read the load average")?;
        let average = text.split(' ').next().unwrap_or_default().parse()?;
        let starts = (0..STARTS).map(|_| process::time(&mut Command::new("/bin/true")));
        Ok(Self { average, true_start: median(&starts.collect::<Result<Vec<_>>>()?) })
    }

    /// Returns the load as JSON.
    pub(crate) fn json(&self) -> Value {
        json!({"load_average": self.average, "true_seconds": self.true_start})
    }
}

/// The description of this machine. A part that the system does not report is empty.
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory: String,
    kernel: String,
}

impl Machine {
    /// Describes this machine.
    pub(crate) fn this() -> Self {
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory: field("/proc/meminfo", "MemTotal"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default(),
        }
    }

    /// Returns the description and the file system of `directory` as one line.
    pub(crate) fn line(&self, directory: &Path) -> String {
        let Self { cores, processor, memory, kernel } = self;
        let file_system = file_system(directory);
        format!(
            "{cores} cores, {processor}, memory {memory}, Linux {}, {file_system}",
            kernel.trim()
        )
    }

    /// Returns the description as JSON.
    pub(crate) fn json(&self) -> Value {
        let Self { cores, processor, memory, kernel } = self;
        json!({
            "cores": cores,
            "processor": processor,
            "memory": memory,
            "kernel": kernel.trim(),
        })
    }
}

/// Returns the first value of a field in a file of lines `NAME: VALUE`.
fn field(file: &str, name: &str) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
    values.next().unwrap_or_default().to_owned()
}

/// Returns the type of the file system of a directory: that of the longest mount point above it.
fn file_system(directory: &Path) -> String {
    let Ok(directory) = directory.canonicalize() else { return String::new() };
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = mounts.filter(|(point, _)| directory.starts_with(point));
    above.max_by_key(|(point, _)| point.len()).map_or_else(String::new, |(_, kind)| kind.to_owned())
}
