//! Interleaved measurements: in each round every contender is measured once, one after the other,
//! so that a change of the machine's speed affects all of them equally.

use anyhow::{Context as _, Result};

use crate::disk::FsyncProbe;

/// A contender: a name and a measurement.
///
/// The measurement returns one number for each of its metrics, always in the same order.
pub(crate) struct Contender<'a> {
    name: String,
    measure: Box<dyn FnMut() -> Result<Vec<f64>> + 'a>,
}

impl<'a> Contender<'a> {
    /// Returns a contender.
    pub(crate) fn new(
        name: impl Into<String>,
        measure: impl FnMut() -> Result<Vec<f64>> + 'a,
    ) -> Self {
        Self { name: name.into(), measure: Box::new(measure) }
    }
}

/// The unit of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Seconds.
    Seconds,
    /// Events per second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// A plain number.
    Number,
}

/// A metric of one contender, with one sample per round.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The name of the contender.
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) samples: Vec<f64>,
    /// F of each round in seconds: the mean of before and after the measurement.
    pub(crate) fsync: Vec<f64>,
}

impl Series {
    /// Returns a series that is computed from this one and another one, round by round.
    pub(crate) fn combined(
        &self,
        other: &Self,
        name: &str,
        compute: impl Fn(f64, f64) -> f64,
    ) -> Self {
        let pairs = self.samples.iter().zip(&other.samples);
        let samples = pairs.map(|(own, other)| compute(*own, *other)).collect();
        Self { name: name.to_owned(), samples, ..self.clone() }
    }

    /// Returns F of each round as a series in seconds, changed by `compute`.
    pub(crate) fn fsync_as(&self, name: &str, compute: impl Fn(f64) -> f64) -> Self {
        let samples = self.fsync.iter().copied().map(compute).collect();
        Self { name: name.to_owned(), unit: Unit::Seconds, samples, ..self.clone() }
    }

    /// Returns this series under another name.
    pub(crate) fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

/// The metrics of one contender.
struct Measured {
    name: String,
    /// The metrics of each round.
    rounds: Vec<Vec<f64>>,
    fsync: Vec<f64>,
}

/// The metrics of all contenders.
pub(crate) struct Measurements(Vec<Measured>);

impl Measurements {
    /// Returns a metric of a contender by its position.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no contender of this name, or no such metric.
    pub(crate) fn series(&self, contender: &str, metric: usize, unit: Unit) -> Result<Series> {
        let measured = self.0.iter().find(|measured| measured.name == contender);
        let measured = measured.with_context(|| format!("`{contender}` was not measured"))?;
        let samples = measured.rounds.iter().map(|round| round.get(metric).copied());
        Ok(Series {
            name: measured.name.clone(),
            unit,
            samples: samples.collect::<Option<_>>().context("a metric is missing")?,
            fsync: measured.fsync.clone(),
        })
    }

    /// Returns whether there is a contender of this name.
    pub(crate) fn contains(&self, contender: &str) -> bool {
        self.0.iter().any(|measured| measured.name == contender)
    }

    /// Returns the series with the largest median. Peers that do the same in several ways count
    /// with their best one.
    ///
    /// # Errors
    ///
    /// As [`Self::series`].
    pub(crate) fn fastest(&self, contenders: &[&str]) -> Result<Series> {
        let rates = contenders.iter().map(|name| self.series(name, 0, Unit::PerSecond));
        let rates = rates.collect::<Result<Vec<_>>>()?;
        let fastest = rates
            .into_iter()
            .max_by(|one, other| median(&one.samples).total_cmp(&median(&other.samples)));
        fastest.context("no contenders")
    }
}

/// Measures each contender once per round, and F before and after each measurement.
///
/// # Errors
///
/// Returns the error of the first measurement that fails, with the name of its contender.
pub(crate) fn interleave(
    probe: &FsyncProbe,
    rounds: usize,
    mut contenders: Vec<Contender<'_>>,
) -> Result<Measurements> {
    let mut measurements: Vec<_> = contenders
        .iter()
        .map(|contender| Measured {
            name: contender.name.clone(),
            rounds: Vec::new(),
            fsync: Vec::new(),
        })
        .collect();
    let mut before = probe.median()?;
    for _ in 0..rounds {
        for (contender, measured) in contenders.iter_mut().zip(&mut measurements) {
            let metrics = (contender.measure)();
            measured.rounds.push(metrics.with_context(|| format!("in `{}`", contender.name))?);
            let after = probe.median()?;
            measured.fsync.push((before + after).as_secs_f64() / 2.0);
            before = after;
        }
    }
    Ok(Measurements(measurements))
}

/// Returns the median, or the mean of the two middle values.
pub(crate) fn median(values: &[f64]) -> f64 {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        0 => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// Returns the smallest value that at least this part of the values does not exceed.
pub(crate) fn quantile(values: &[f64], part: f64) -> f64 {
    let sorted = sorted(values);
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

/// Returns the median and the 99th percentile.
pub(crate) fn median_and_p99(values: &[f64]) -> Vec<f64> {
    vec![median(values), quantile(values, 0.99)]
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn median_of_an_even_number_is_the_mean_of_the_middle() {
        assert!((median(&[4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn quantile_is_a_value_of_the_sample() {
        let values: Vec<_> = (1..=200).map(f64::from).collect();
        assert!((quantile(&values, 0.99) - 198.0).abs() < f64::EPSILON);
        assert!((quantile(&[7.0], 0.99) - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn contenders_alternate() {
        let directory = tempfile::tempdir().unwrap();
        let probe = FsyncProbe::new(directory.path()).unwrap();
        let order = RefCell::new(String::new());
        let contender = |name: &'static str| {
            let order = &order;
            Contender::new(name, move || {
                order.borrow_mut().push_str(name);
                Ok(vec![1.0])
            })
        };
        let measured = interleave(&probe, 3, vec![contender("a"), contender("b")]).unwrap();
        assert_eq!(*order.borrow(), "ababab");
        let series = measured.series("b", 0, Unit::Number).unwrap();
        assert_eq!((series.samples.len(), series.fsync.len()), (3, 3));
    }
}
