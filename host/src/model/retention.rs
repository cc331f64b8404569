//! Retention: which runs and document changes may be removed.

use std::time::Duration;

use crate::model::run_record::Status;

/// The rules of retention. Without a rule, everything is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The rule of the finished runs whose status has no rule of its own.
    pub runs: RunRetention,
    /// The rule of successful runs, in place of `runs`.
    pub success: Option<RunRetention>,
    /// The rule of failed runs, in place of `runs`.
    pub failed: Option<RunRetention>,
    /// The rule of cancelled runs, in place of `runs`.
    pub cancelled: Option<RunRetention>,
    /// The age from which the document changes of a commit may be removed; `None` keeps them.
    pub history_max_age: Option<Duration>,
}

/// The rule of runs. A run may be removed if it exceeds one of the limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunRetention {
    /// The maximum time since the end of a run; `None` if the age is not limited.
    pub max_age: Option<Duration>,
    /// The maximum number of runs; `None` if the number is not limited. The newest runs remain.
    pub max_runs: Option<u64>,
}

impl RunRetention {
    /// Returns whether the rule has no limit.
    pub fn is_unlimited(&self) -> bool {
        *self == Self::default()
    }
}

impl RetentionPolicy {
    /// Returns whether nothing may be removed.
    pub fn is_empty(&self) -> bool {
        self.history_max_age.is_none() && self.classes().is_empty()
    }

    /// Returns the rules that have a limit, with the statuses of each.
    pub(crate) fn classes(&self) -> Vec<RunClass> {
        let of_status = [
            (Status::Success, self.success),
            (Status::Failed, self.failed),
            (Status::Cancelled, self.cancelled),
        ];
        let shared = of_status.iter().filter(|(_, own)| own.is_none()).map(|(status, _)| *status);
        let mut classes = vec![RunClass { statuses: shared.collect(), rule: self.runs }];
        classes.extend(of_status.iter().filter_map(|(status, own)| {
            own.map(|rule| RunClass { statuses: vec![*status], rule })
        }));
        classes.retain(|class| !class.rule.is_unlimited() && !class.statuses.is_empty());
        classes
    }
}

/// The finished runs to which a rule applies. [`RunRetention::max_runs`] counts them together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunClass {
    /// The statuses of the runs.
    pub(crate) statuses: Vec<Status>,
    /// The rule.
    pub(crate) rule: RunRetention,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_of_a_status_replaces_the_general_rule() {
        let rule = |days: u64| RunRetention {
            max_age: Some(Duration::from_secs(days * 86_400)),
            max_runs: None,
        };
        let general = RetentionPolicy { runs: rule(30), ..RetentionPolicy::default() };
        let all = vec![Status::Success, Status::Failed, Status::Cancelled];
        assert_eq!(general.classes(), [RunClass { statuses: all, rule: rule(30) }]);
        let policy = RetentionPolicy {
            failed: Some(rule(90)),
            cancelled: Some(RunRetention::default()),
            ..general
        };
        let classes = [
            RunClass { statuses: vec![Status::Success], rule: rule(30) },
            RunClass { statuses: vec![Status::Failed], rule: rule(90) },
        ];
        assert_eq!(policy.classes(), classes);
        assert!(
            RetentionPolicy { runs: RunRetention::default(), ..RetentionPolicy::default() }
                .is_empty()
        );
        let failed = Some(RunRetention::default());
        assert!(RetentionPolicy { failed, ..RetentionPolicy::default() }.is_empty());
    }
}
