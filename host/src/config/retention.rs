//! Settings of retention.

use std::time::Duration;

use super::Sourced;
use crate::model::retention::{RetentionPolicy, RunRetention};

/// The settings of retention. Without a setting, nothing is removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionSettings {
    /// The limits of the runs whose status has no limits of its own.
    pub runs: RunRetentionSettings,
    /// The limits of successful runs.
    pub success: Option<RunRetentionSettings>,
    /// The limits of failed runs.
    pub failed: Option<RunRetentionSettings>,
    /// The limits of cancelled runs.
    pub cancelled: Option<RunRetentionSettings>,
    /// See [`RetentionPolicy::history_max_age`].
    pub history_max_age: Option<Sourced<Duration>>,
}

/// The limits of some runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunRetentionSettings {
    /// See [`RunRetention::max_age`].
    pub max_age: Option<Sourced<Duration>>,
    /// See [`RunRetention::max_runs`].
    pub max_runs: Option<Sourced<u64>>,
}

impl RunRetentionSettings {
    fn rule(&self) -> RunRetention {
        RunRetention {
            max_age: self.max_age.as_ref().map(|it| it.value),
            max_runs: self.max_runs.as_ref().map(|it| it.value),
        }
    }
}

impl RetentionSettings {
    /// Returns the policy of the settings.
    pub fn policy(&self) -> RetentionPolicy {
        let rule = |own: &Option<RunRetentionSettings>| own.as_ref().map(|own| own.rule());
        RetentionPolicy {
            runs: self.runs.rule(),
            success: rule(&self.success),
            failed: rule(&self.failed),
            cancelled: rule(&self.cancelled),
            history_max_age: self.history_max_age.as_ref().map(|it| it.value),
        }
    }

    /// Removes all settings and returns their keys.
    pub(super) fn clear(&mut self) -> Vec<String> {
        let settings = std::mem::take(self);
        let mut keys = settings.runs.keys("retention");
        let statuses = [
            ("success", settings.success),
            ("failed", settings.failed),
            ("cancelled", settings.cancelled),
        ];
        for (name, own) in statuses {
            keys.extend(own.iter().flat_map(|own| own.keys(&format!("retention.{name}"))));
        }
        keys.extend(settings.history_max_age.map(|_| "retention.history_max_age".to_owned()));
        keys
    }
}

impl RunRetentionSettings {
    fn keys(&self, table: &str) -> Vec<String> {
        let max_age = self.max_age.as_ref().map(|_| format!("{table}.max_age"));
        let max_runs = self.max_runs.as_ref().map(|_| format!("{table}.max_runs"));
        max_age.into_iter().chain(max_runs).collect()
    }
}
