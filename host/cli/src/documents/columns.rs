//! What the cells of a CSV column are.

use ophost_document::number;
use serde_json::Value;

/// What all cells of a column are, so that a filter finds all of them or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Column {
    /// No cell says it.
    #[default]
    Empty,
    Numbers,
    Boolean,
    Text,
}

impl Column {
    /// Returns what the column is with one more cell. Where two differ, all are text.
    pub(super) fn with(self, cell: &str) -> Self {
        match self {
            Self::Text => Self::Text,
            _ if cell.is_empty() => self,
            Self::Empty => Self::of(cell),
            Self::Numbers | Self::Boolean if self == Self::of(cell) => self,
            Self::Numbers | Self::Boolean => Self::Text,
        }
    }

    fn of(cell: &str) -> Self {
        match cell {
            "true" | "false" => Self::Boolean,
            _ if number::exact(cell).is_some() => Self::Numbers,
            _ => Self::Text,
        }
    }

    /// Returns what a cell of the column stands for.
    pub(super) fn value(self, cell: String) -> Value {
        match self {
            Self::Boolean => (cell == "true").into(),
            Self::Numbers => number::exact(&cell).unwrap_or_else(|| cell.into()),
            Self::Empty | Self::Text => cell.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Column {
        cells.iter().fold(Column::default(), |column, cell| column.with(cell))
    }

    #[test]
    fn a_column_is_one_thing_altogether() {
        assert_eq!(column(&["10.00", "", "9.99"]), Column::Numbers);
        assert_eq!(column(&["", "true", "false"]), Column::Boolean);
        assert_eq!(column(&["", ""]), Column::Empty);
        for cells in [["1234", "01234"], ["01234", "1234"], ["true", "1"], ["1", "true"]] {
            assert_eq!(column(&cells), Column::Text, "{cells:?}");
        }
        assert_eq!(Column::Numbers.value("10.00".into()), 10.0);
        assert_eq!(Column::Text.value("10.00".into()), "10.00");
        assert_eq!(Column::Boolean.value("false".into()), false);
    }
}
