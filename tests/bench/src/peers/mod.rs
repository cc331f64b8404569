//! The peers: other programs and libraries that do the same.

pub(crate) mod bare;
pub(crate) mod extism;
pub(crate) mod redb;
pub(crate) mod sqlite;

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::measure::median_and_p99;

/// Commits of one run in a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commits {
    /// The finished row is inserted.
    One,
    /// The row is inserted when the run starts, and updated when it ends.
    Two,
}

/// The kinds of runs in a large store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A successful run of the frequent operation.
    Frequent,
    /// A successful run of the rare operation: one run of 100.
    Rare,
    /// A failed run: one run of 1,000.
    Failed,
}

impl Kind {
    /// Returns the kind of the run with this number.
    pub(crate) fn of(number: usize) -> Self {
        match (number % 1_000, number % 100) {
            (999, _) => Self::Failed,
            (_, 50) => Self::Rare,
            _ => Self::Frequent,
        }
    }
}

/// Calls `record` in a thread for each of the `connections` for a time. Returns the calls per
/// second, and the median and the 99th percentile of the seconds of one call.
///
/// # Errors
///
/// Returns the error of the first call that fails.
pub(crate) fn call_for_time<C: Send>(
    connections: Vec<C>,
    time: Duration,
    record: impl Fn(&mut C) -> Result<()> + Sync,
) -> Result<Vec<f64>> {
    let (barrier, record) = (Barrier::new(connections.len()), &record);
    let (started, barrier) = (Instant::now(), &barrier);
    let times = thread::scope(|scope| {
        let callers = connections.into_iter().map(|mut connection| {
            scope.spawn(move || {
                barrier.wait();
                let mut times = Vec::new();
                while started.elapsed() < time {
                    let started = Instant::now();
                    record(&mut connection)?;
                    times.push(started.elapsed().as_secs_f64());
                }
                anyhow::Ok(times)
            })
        });
        let callers: Vec<_> = callers.collect();
        let ended = callers
            .into_iter()
            .map(|caller| caller.join().map_err(|_| anyhow!("a caller panicked"))?);
        ended.collect::<Result<Vec<_>>>()
    })?;
    let times = times.concat();
    let rate = times.len() as f64 / started.elapsed().as_secs_f64();
    Ok([vec![rate], median_and_p99(&times)].concat())
}
