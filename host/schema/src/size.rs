//! The size of a value.

use ophost_document::{Budget, Interruption};
use serde_json::Value;

/// Size of a value.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Nesting of lists and objects, including the value itself.
    pub(super) levels: usize,
    /// Approximate maximum length of a path to a part of the value, in bytes.
    pub(super) longest_path: usize,
}

/// Length of an index in a path, in bytes.
const NUMBER: usize = 8;

impl Size {
    /// Measures a value.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn of(value: &Value, budget: &Budget) -> Result<Self, Interruption> {
        let mut size = Self { levels: 1, longest_path: 0 };
        match value {
            Value::Array(items) => {
                budget.spend(items.len())?;
                items.iter().try_for_each(|item| size.hold(NUMBER, item, budget))?;
            }
            Value::Object(members) => {
                budget.spend(members.len())?;
                members
                    .iter()
                    .try_for_each(|(name, inner)| size.hold(1 + name.len(), inner, budget))?;
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
        Ok(size)
    }

    fn hold(&mut self, name: usize, inner: &Value, budget: &Budget) -> Result<(), Interruption> {
        let inner = match inner {
            Value::Array(_) | Value::Object(_) => Self::of(inner, budget)?,
            _ => Self { levels: 1, longest_path: 0 },
        };
        self.levels = self.levels.max(1 + inner.levels);
        self.longest_path = self.longest_path.max(name + inner.longest_path);
        Ok(())
    }
}
