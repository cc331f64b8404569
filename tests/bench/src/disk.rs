//! The cost of a durable write on a disk: the unit in which the benchmarks express their times.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Measurements of one median.
const SAMPLES: usize = 25;

/// Measures `fdatasync` on a disk, with writes to the same place of one file.
#[derive(Debug)]
pub(crate) struct FsyncProbe(File);

impl FsyncProbe {
    /// Creates the file of the probe in `directory`, which selects the disk.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let file = File::create(directory.join("fsync-probe"))?;
        file.write_all_at(&[1; 4096], 0)?;
        file.sync_all()?;
        Ok(Self(file))
    }

    /// Returns F, the time of one `fdatasync` after a write of 4 KiB.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub(crate) fn once(&self) -> io::Result<Duration> {
        self.0.write_all_at(&[2; 4096], 0)?;
        let started = Instant::now();
        self.0.sync_data()?;
        Ok(started.elapsed())
    }

    /// Returns the median of [`SAMPLES`] measurements.
    ///
    /// # Errors
    ///
    /// Returns the error of the operating system.
    pub(crate) fn median(&self) -> io::Result<Duration> {
        let mut times = (0..SAMPLES).map(|_| self.once()).collect::<io::Result<Vec<_>>>()?;
        times.sort();
        Ok(times[times.len() / 2])
    }
}
