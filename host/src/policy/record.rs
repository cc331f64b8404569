//! The policy that decides which direct calls leave a run record.

use crate::model::operation::Operation;

/// Which direct calls are kept. What carries an idempotency key always is, but for dry runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordPolicy {
    /// Those of operations that declare it: `create_taskrun` and `async_enabled`.
    #[default]
    Declared,
    /// These, and those of operations that may change documents: that declare `models_out`.
    Changes,
    /// All.
    Always,
}

impl RecordPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Declared, Self::Changes, Self::Always];

    /// Returns the word for the rule, as settings name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Changes => "changes",
            Self::Always => "always",
        }
    }

    /// Returns whether a call of an operation is kept, whose caller asked for that, or for
    /// the opposite.
    pub(crate) fn should_record(self, operation: &Operation, asked: Option<bool>) -> bool {
        asked.unwrap_or(match self {
            Self::Declared => operation.is_recorded(),
            Self::Changes => operation.is_recorded() || !operation.models_out.is_empty(),
            Self::Always => true,
        })
    }
}
