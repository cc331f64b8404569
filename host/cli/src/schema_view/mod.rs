//! Views of a JSON schema: its fields, a table of them, and an example command.

mod example;
mod node;
mod table;

pub(super) use self::example::{example_command, has_example};
pub(super) use self::node::{Field, Node};
pub(super) use self::table::{Side, rows};
