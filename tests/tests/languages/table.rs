//! The table of languages and behaviours.

use std::fmt::{self, Write as _};

/// The result of one behaviour in one language.
pub(crate) enum Cell {
    Passed,
    /// The behaviour was not checked, for this reason.
    Skipped(String),
    /// The behaviour differs from the expected one.
    Failed(String),
}

impl Cell {
    fn text(&self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "FAILED",
        }
    }
}

/// The cells of a language, one for each behaviour.
pub(crate) struct Column {
    pub(crate) language: &'static str,
    pub(crate) cells: Vec<Cell>,
    /// The size of the component in KiB, if it was built.
    pub(crate) size: Option<u64>,
    /// The time of all checks.
    pub(crate) seconds: u64,
}

/// All cells. `Display` formats the table, the size of each component, the seconds of each column, the
/// reasons, and a line with the numbers of cells.
pub(crate) struct Table {
    pub(crate) behaviours: Vec<&'static str>,
    pub(crate) columns: Vec<Column>,
}

impl Table {
    /// Returns whether no cell failed.
    pub(crate) fn has_passed(&self) -> bool {
        self.count(|cell| matches!(cell, Cell::Failed(_))) == 0
    }

    fn count(&self, is_counted: impl Fn(&Cell) -> bool) -> usize {
        self.columns.iter().flat_map(|column| &column.cells).filter(|cell| is_counted(cell)).count()
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, cells: &[&str]) -> fmt::Result {
        let width = self.behaviours.iter().map(|name| name.len()).max().unwrap_or_default();
        let mut row = format!("{name:width$}");
        for (cell, column) in cells.iter().zip(&self.columns) {
            let width = column.language.len().max(Cell::Skipped(String::new()).text().len());
            let _ = write!(row, "  {cell:width$}");
        }
        writeln!(f, "{}", row.trim_end())
    }

    /// Writes a row of numbers.
    fn measures(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        number: impl Fn(&Column) -> String,
    ) -> fmt::Result {
        let numbers: Vec<_> = self.columns.iter().map(number).collect();
        self.row(f, name, &numbers.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Writes the reason of each cell that did not pass. Cells of a language with the same reason
    /// share a line.
    fn reasons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for column in &self.columns {
            let named = self.behaviours.iter().zip(&column.cells);
            let reasons = named.filter_map(|(name, cell)| match cell {
                Cell::Passed => None,
                Cell::Skipped(reason) | Cell::Failed(reason) => Some((*name, cell, reason)),
            });
            let reasons: Vec<_> = reasons.collect();
            for group in reasons.chunk_by(|(_, _, one), (_, _, next)| one == next) {
                let names: Vec<_> = group.iter().map(|(name, ..)| *name).collect();
                let (_, cell, reason) = group[0];
                let (text, names) = (cell.text(), names.join(", "));
                writeln!(f, "{text}: {}: {names}: {reason}", column.language)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let languages: Vec<_> = self.columns.iter().map(|column| column.language).collect();
        self.row(f, "", &languages)?;
        for (index, name) in self.behaviours.iter().enumerate() {
            let cells: Vec<_> =
                self.columns.iter().map(|column| column.cells[index].text()).collect();
            self.row(f, name, &cells)?;
        }
        let size = |column: &Column| column.size.map_or_else(String::new, |it| it.to_string());
        self.measures(f, "component, KiB", size)?;
        self.measures(f, "seconds", |column| column.seconds.to_string())?;
        self.reasons(f)?;
        let skipped = self.count(|cell| matches!(cell, Cell::Skipped(_)));
        let failed = self.count(|cell| matches!(cell, Cell::Failed(_)));
        let cells = self.count(|_| true);
        write!(f, "languages: {cells} cells, {failed} failed, {skipped} skipped")
    }
}
