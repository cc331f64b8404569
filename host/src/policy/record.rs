//! The policy that decides which direct calls leave a run record.

use crate::model::operation::Operation;

/// Selects the direct calls that are recorded. A call with an idempotency key is always recorded,
/// except for a dry run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordPolicy {
    /// Calls of operations that declare `create_taskrun` and `async_enabled`.
    #[default]
    Declared,
    /// Like `Declared`, and calls of operations that declare `models_out`.
    Changes,
    /// All calls.
    Always,
}

impl RecordPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Declared, Self::Changes, Self::Always];

    /// Returns the name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Changes => "changes",
            Self::Always => "always",
        }
    }

    /// Returns whether a call of an operation is recorded. The decision of the caller has
    /// precedence.
    pub(crate) fn should_record(self, operation: &Operation, requested: Option<bool>) -> bool {
        requested.unwrap_or(match self {
            Self::Declared => operation.is_recorded(),
            Self::Changes => operation.is_recorded() || !operation.models_out.is_empty(),
            Self::Always => true,
        })
    }
}
