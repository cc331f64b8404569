//! The results of one workload: a table, and raw JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::format;
use crate::machine::{Load, Machine};
use crate::measure::{Series, Unit, median};

/// A goal for a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// The ratio is at least this number.
    RatioAtLeast(f64),
    /// The ratio is at most this number.
    RatioAtMost(f64),
    /// The value is at most this number, in the unit of the row.
    ValueAtMost(f64),
}

impl Goal {
    /// Returns the goal as text, and how the result compares with it.
    fn judge(self, value: f64, ratio: Option<f64>, unit: Unit) -> (String, String) {
        let number = |goal| format::quantity(goal, Unit::Number);
        let (text, actual, factor) = match self {
            Self::RatioAtLeast(goal) => {
                let actual = ratio.unwrap_or(f64::NAN);
                (format!("at least {}", number(goal)), actual, goal / actual)
            }
            Self::RatioAtMost(goal) => {
                let actual = ratio.unwrap_or(f64::NAN);
                (format!("at most {}", number(goal)), actual, actual / goal)
            }
            Self::ValueAtMost(goal) => {
                (format!("at most {}", format::quantity(goal, unit)), value, value / goal)
            }
        };
        let verdict = match factor {
            _ if actual.is_nan() => "not measured".to_owned(),
            factor if factor <= 1.0 => "met".to_owned(),
            factor if factor < 2.0 => format!("missed by {:.0} %", (factor - 1.0) * 100.0),
            factor => format!("missed by a factor of {factor:.1}"),
        };
        (text, verdict)
    }
}

/// A row of the table: a measurement of ophost, and possibly of a peer.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    case: String,
    ours: Series,
    peer: Option<Series>,
    goal: Option<Goal>,
}

impl Row {
    /// Returns a row without a peer.
    pub(crate) fn new(case: impl Into<String>, ours: Series) -> Self {
        Self { case: case.into(), ours, peer: None, goal: None }
    }

    /// Sets the peer.
    pub(crate) fn beside(mut self, peer: Series) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Sets the goal.
    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self
    }

    /// Returns the ratio to the peer in each round.
    fn ratios(&self) -> Option<Vec<f64>> {
        let peer = self.peer.as_ref()?;
        let pairs = self.ours.samples.iter().zip(&peer.samples);
        Some(pairs.map(|(ours, peer)| ours / peer).collect())
    }

    /// Returns the row as Markdown.
    fn markdown(&self) -> String {
        let ratios = self.ratios();
        let ratio = ratios.as_deref().map(median);
        let (goal, verdict) = match self.goal {
            Some(goal) => goal.judge(median(&self.ours.samples), ratio, self.ours.unit),
            None => Default::default(),
        };
        let ours = match self.ours.name.as_str() {
            OPHOST => format::spread(&self.ours),
            name => format!("{name}: {}", format::spread(&self.ours)),
        };
        let peer = self.peer.as_ref();
        let peer = peer.map(|peer| format!("{}: {}", peer.name, format::spread(peer)));
        let cells = [
            self.case.clone(),
            ours,
            peer.unwrap_or_default(),
            ratios.as_deref().map(format::ratios).unwrap_or_default(),
            goal,
            verdict,
            format::quantity(median(&self.ours.fsync), Unit::Seconds),
        ];
        format!("| {} |", cells.join(" | "))
    }

    fn json(&self) -> Value {
        json!({
            "case": self.case,
            "ours": series_json(&self.ours),
            "peer": self.peer.as_ref().map(series_json),
            "ratios": self.ratios(),
            "goal": self.goal.map(|goal| format!("{goal:?}")),
        })
    }
}

fn series_json(series: &Series) -> Value {
    let Series { name, unit, samples, fsync } = series;
    json!({
        "name": name,
        "unit": format!("{unit:?}"),
        "samples": samples,
        "f_seconds": fsync,
    })
}

/// The name of the contenders of this project.
pub(crate) const OPHOST: &str = "ophost";

const HEADER: &str = "\
| case | ophost | peer | ratio | goal | result | F |
| --- | --- | --- | --- | --- | --- | --- |";

/// The results of one workload. Each row is printed when it is added.
pub(crate) struct Report {
    name: String,
    started: u64,
    before: Load,
    rows: Vec<Row>,
    missing: Vec<(String, String)>,
    notes: Vec<String>,
    text: String,
}

impl Report {
    /// Starts the report of a workload.
    ///
    /// # Errors
    ///
    /// Returns an error if the load of the machine cannot be measured.
    pub(crate) fn start(name: &str, about: &str) -> Result<Self> {
        let mut report = Self {
            name: name.to_owned(),
            started: crate::machine::unix_time(),
            before: Load::now()?,
            rows: Vec::new(),
            missing: Vec::new(),
            notes: Vec::new(),
            text: String::new(),
        };
        report.print(&format!("### {name}: {about}\n\n{HEADER}"));
        Ok(report)
    }

    fn print(&mut self, lines: &str) {
        println!("{lines}");
        writeln!(self.text, "{lines}").ok();
    }

    /// Adds and prints a row.
    pub(crate) fn add(&mut self, row: Row) {
        self.print(&row.markdown());
        self.rows.push(row);
    }

    /// Names a peer, or a measurement, that is missing, and the reason. Each is named once.
    pub(crate) fn missing(&mut self, peer: &str, reason: &str) {
        let entry = (peer.to_owned(), reason.to_owned());
        if !self.missing.contains(&entry) {
            self.missing.push(entry);
        }
    }

    /// Adds a sentence below the table.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Prints the end of the report, writes `NAME-TIMESTAMP.json` to `directory`, and returns the
    /// report as Markdown.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be written.
    pub(crate) fn finish(mut self, directory: &Path, rounds: usize) -> Result<String> {
        let after = Load::now()?;
        let mut end = String::new();
        for note in &self.notes {
            write!(end, "\n{note}\n")?;
        }
        for (peer, reason) in &self.missing {
            write!(end, "\nMissing: {peer}: {reason}.\n")?;
        }
        let [true_before, true_after] =
            [&self.before, &after].map(|load| format::quantity(load.true_start, Unit::Seconds));
        write!(
            end,
            "\nRounds: {rounds}. Load average: {:.2} before, {:.2} after. \
             Start of `/bin/true`: {true_before} before, {true_after} after.\n",
            self.before.average, after.average,
        )?;
        self.print(&end);
        let file = directory.join(format!("{}-{}.json", self.name, self.started));
        let json = serde_json::to_string_pretty(&self.json(&after, rounds))?;
        fs::write(&file, json).with_context(|| format!("cannot write `{}`", file.display()))?;
        Ok(self.text)
    }

    fn json(&self, after: &Load, rounds: usize) -> Value {
        let missing = self.missing.iter();
        let missing = missing.map(|(peer, reason)| json!({"peer": peer, "reason": reason}));
        json!({
            "workload": self.name,
            "unix_time": self.started,
            "machine": Machine::this().json(),
            "rounds": rounds,
            "before": self.before.json(),
            "after": after.json(),
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "missing": missing.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, samples: &[f64]) -> Series {
        let (samples, fsync) = (samples.to_vec(), vec![0.000_2; samples.len()]);
        Series { name: name.to_owned(), unit: Unit::PerSecond, samples, fsync }
    }

    #[test]
    fn row_shows_the_median_of_the_ratios_of_each_round() {
        // The ratio of the medians would be 1.
        let (ours, peer) = (series(OPHOST, &[1.0, 2.0, 9.0]), series("SQLite", &[2.0, 1.0, 3.0]));
        let row = Row::new("case", ours).beside(peer).goal(Goal::RatioAtLeast(2.5));
        assert_eq!(
            row.markdown(),
            "| case | 2.00/s (1.00/s to 9.00/s) | SQLite: 2.00/s (1.00/s to 3.00/s) \
             | 2.00 (0.50 to 3.00) | at least 2.50 | missed by 25 % | 200 us |"
        );
    }

    #[test]
    fn goals_are_judged() {
        let judge = |goal: Goal| goal.judge(3.0, Some(1.5), Unit::Number).1;
        assert_eq!(judge(Goal::RatioAtMost(1.5)), "met");
        assert_eq!(judge(Goal::RatioAtLeast(6.0)), "missed by a factor of 4.0");
        assert_eq!(judge(Goal::ValueAtMost(2.0)), "missed by 50 %");
    }
}
