//! What a disk costs: the measure that records are compared with.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes that are forced to a disk, one after the other in the same place.
#[derive(Debug)]
pub struct Forced(File);

impl Forced {
    /// Makes a file for them in a directory of that disk.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn new(directory: &Path) -> io::Result<Self> {
        let file = File::create(directory.join("forced"))?;
        file.write_all_at(&[1; 4096], 0)?;
        file.sync_all()?;
        Ok(Self(file))
    }

    /// Returns how long one takes: F, the time of one `fdatasync`.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn once(&self) -> io::Result<Duration> {
        self.0.write_all_at(&[2; 4096], 0)?;
        let started = Instant::now();
        self.0.sync_data()?;
        Ok(started.elapsed())
    }

    /// Returns the median of a hundred.
    ///
    /// # Errors
    ///
    /// Returns the system's error.
    pub fn median(&self) -> io::Result<Duration> {
        let mut times = (0..100).map(|_| self.once()).collect::<io::Result<Vec<_>>>()?;
        times.sort();
        Ok(times[times.len() / 2])
    }
}
