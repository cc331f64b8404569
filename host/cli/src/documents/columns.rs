//! The types of CSV columns.

use serde_json::Value;

use ophost_document::number;

/// The type of all cells of a column, so that a filter compares all of them in the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// All cells are empty.
    #[default]
    Empty,
    Number,
    Boolean,
    Text,
}

impl ColumnType {
    /// Returns the type of the column with one more cell: text if the types differ.
    pub(super) fn with(self, cell: &str) -> Self {
        match self {
            Self::Text => Self::Text,
            _ if cell.is_empty() => self,
            Self::Empty => Self::of(cell),
            Self::Number | Self::Boolean if self == Self::of(cell) => self,
            Self::Number | Self::Boolean => Self::Text,
        }
    }

    fn of(cell: &str) -> Self {
        match cell {
            "true" | "false" => Self::Boolean,
            _ if number::exact(cell).is_some() => Self::Number,
            _ => Self::Text,
        }
    }

    /// Returns the value of a cell.
    pub(super) fn value(self, cell: String) -> Value {
        match self {
            Self::Boolean => (cell == "true").into(),
            Self::Number => number::exact(&cell).unwrap_or_else(|| cell.into()),
            Self::Empty | Self::Text => cell.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> ColumnType {
        cells.iter().fold(ColumnType::default(), |column, cell| column.with(cell))
    }

    #[test]
    fn column_has_one_type_for_all_cells() {
        assert_eq!(column(&["10.00", "", "9.99"]), ColumnType::Number);
        assert_eq!(column(&["", "true", "false"]), ColumnType::Boolean);
        assert_eq!(column(&["", ""]), ColumnType::Empty);
        for cells in [["1234", "01234"], ["01234", "1234"], ["true", "1"], ["1", "true"]] {
            assert_eq!(column(&cells), ColumnType::Text, "{cells:?}");
        }
        assert_eq!(ColumnType::Number.value("10.00".into()), 10.0);
        assert_eq!(ColumnType::Text.value("10.00".into()), "10.00");
        assert_eq!(ColumnType::Boolean.value("false".into()), false);
    }
}
