//! Computes statistics of the columns of a table.

use ophost_sdk::serde_json::json;
use ophost_sdk::{Failure, Result, item_errors, model, operation, progress};

use crate::column::{Column, Statistics, truncate};
use crate::fields::Fields;
use crate::frequencies::Budget;
use crate::rows::{InvalidRow, Row, Rows};

/// The number of rows between two progress reports.
const PROGRESS_ROWS: u64 = 5_000;
/// The maximum number of characters of an invalid row in an item error.
const MAX_REPORTED_CHARS: usize = 80;
/// The maximum number of columns. Each takes a few hundred bytes of the run's memory.
const MAX_COLUMNS: usize = 10_000;
/// The maximum memory for the values of all columns, in bytes.
const MAX_VALUE_BYTES: usize = 32 << 20;

/// The table to profile.
#[model]
pub(crate) struct Table {
    /// The table as CSV text, one row per line. Double quotes around a value are optional. White
    /// space around a value is ignored, and blank lines are skipped.
    csv: String,
    /// The separator of two values: one ASCII character.
    #[serde(default = "default_delimiter")]
    #[schemars(length(min = 1, max = 1))]
    delimiter: String,
    /// Whether the first row contains the column names. Without a header, the names are
    /// `column_1`, `column_2` and so on.
    #[serde(default = "default_header")]
    header: bool,
    /// The names of the columns to profile. An empty list selects all columns.
    #[serde(default)]
    columns: Vec<String>,
    /// The number of most frequent values to list for each column.
    #[serde(default = "default_top")]
    #[schemars(range(max = 50))]
    top: usize,
    /// The values that count as null. All other statistics ignore nulls.
    #[serde(default = "default_null_values")]
    null_values: Vec<String>,
}

fn default_delimiter() -> String {
    ",".to_owned()
}

fn default_header() -> bool {
    true
}

fn default_top() -> usize {
    5
}

fn default_null_values() -> Vec<String> {
    ["", "NA", "N/A", "NaN", "null", "NULL"].map(str::to_owned).to_vec()
}

/// The statistics of a table.
#[model]
pub(crate) struct Profile {
    /// The number of valid rows, without the header.
    rows: u64,
    /// The number of invalid rows, which are skipped. They have invalid quotes, or more or fewer
    /// values than the first row. Each is an item error of the run.
    bad_rows: u64,
    /// The number of columns of the table.
    column_count: usize,
    /// The columns, each with `name`, `type` (integer, number, boolean, date, datetime, text,
    /// empty), `count` (without nulls), `nulls`, `distinct`, `min`, `max`, `mean`,
    /// `most_frequent`.
    columns: Vec<Column>,
}

/// Profiles the columns of a CSV table: type, nulls, distinct values, range and mean.
///
/// Invalid rows are reported as item errors and skipped. The failure codes are `empty`,
/// `bad-delimiter`, `bad-header`, `too-many-columns`, `no-such-column` and `no-readable-row`.
#[operation(
    category = "data",
    tags = ["csv", "statistics"],
    async_enabled = true,
    annotations("ophost.idempotent" = true)
)]
pub(crate) fn profile_csv(input: Table) -> Result<Profile> {
    let mut rows = Rows::new(&input.csv, delimiter(&input.delimiter)?);
    let mut profiler = Profiler::new(&input);
    if input.header {
        profiler.set_names(header(&mut rows)?.iter().map(column_name).collect())?;
    }
    while let Some(row) = rows.next() {
        match row {
            Row::Valid(fields) => profiler.add(fields)?,
            Row::Invalid(row) => profiler.add_invalid(&row),
        }
        if profiler.row_count().is_multiple_of(PROGRESS_ROWS) {
            report_progress(&rows, profiler.row_count());
        }
    }
    report_progress(&rows, profiler.row_count());
    profiler.profile()
}

fn report_progress(rows: &Rows<'_>, row_count: u64) {
    let (done, total) = rows.progress();
    progress::report(done, Some(total), Some(&format!("{row_count} rows")));
}

/// Returns the delimiter. The schema accepts any single character.
fn delimiter(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => {
            let rule = "expected one ASCII character that is neither a quote nor a line end";
            let message = format!("delimiter `{text}` is invalid: {rule}");
            Err(Failure::permanent(message).code("bad-delimiter"))
        }
    }
}

fn header<'r>(rows: &'r mut Rows<'_>) -> Result<&'r Fields> {
    match rows.next() {
        Some(Row::Valid(names)) => Ok(names),
        Some(Row::Invalid(InvalidRow { line, problem, .. })) => {
            let message = format!("cannot read the header in line {line}: {problem}");
            Err(Failure::permanent(message).code("bad-header"))
        }
        None => Err(empty_table()),
    }
}

fn empty_table() -> Failure {
    Failure::permanent("the text has no rows").code("empty")
}

fn column_name(field: &str) -> String {
    field.trim().to_owned()
}

/// Collects the statistics of a table, row by row.
struct Profiler<'a> {
    input: &'a Table,
    /// The names of all columns of the table. Empty before the first row.
    names: Vec<String>,
    /// The selected columns: the index in a row, and the statistics.
    columns: Vec<(usize, Statistics)>,
    budget: Budget,
    valid_rows: u64,
    invalid_rows: u64,
}

impl<'a> Profiler<'a> {
    fn new(input: &'a Table) -> Self {
        let budget = Budget::new(MAX_VALUE_BYTES);
        let (names, columns) = (Vec::new(), Vec::new());
        Self { input, names, columns, budget, valid_rows: 0, invalid_rows: 0 }
    }

    /// Returns the number of valid and invalid rows so far, without the header.
    fn row_count(&self) -> u64 {
        self.valid_rows + self.invalid_rows
    }

    /// Sets the names of all columns and selects the columns to profile.
    fn set_names(&mut self, names: Vec<String>) -> Result<()> {
        if names.len() > MAX_COLUMNS {
            let message =
                format!("the table has {} columns, at most {MAX_COLUMNS} are allowed", names.len());
            return Err(Failure::permanent(message).code("too-many-columns"));
        }
        let selected = &self.input.columns;
        if let Some(missing) = selected.iter().find(|name| !names.contains(name)) {
            let failure = Failure::permanent(format!("the table has no column `{missing}`"));
            return Err(failure.code("no-such-column").details(json!({"columns": names})));
        }
        let is_selected = |name| selected.is_empty() || selected.contains(name);
        let indices = (0..names.len()).filter(|&index| is_selected(&names[index]));
        self.columns = indices.map(|index| (index, Statistics::new())).collect();
        self.names = names;
        Ok(())
    }

    fn add(&mut self, fields: &Fields) -> Result<()> {
        if self.names.is_empty() {
            self.set_names((1..=fields.len()).map(|number| format!("column_{number}")).collect())?;
        }
        self.valid_rows += 1;
        for (index, statistics) in &mut self.columns {
            let value = fields.get(*index).trim();
            if self.input.null_values.iter().any(|null| null == value) {
                statistics.add_null();
            } else {
                statistics.add(value, &mut self.budget);
            }
        }
        Ok(())
    }

    fn add_invalid(&mut self, row: &InvalidRow<'_>) {
        let index = usize::try_from(self.row_count()).unwrap_or(usize::MAX);
        let item = json!({"line": row.line, "text": truncate(row.text, MAX_REPORTED_CHARS)});
        item_errors::add(index, &item, row.problem.as_str());
        self.invalid_rows += 1;
    }

    fn profile(&self) -> Result<Profile> {
        match (self.valid_rows, self.invalid_rows) {
            (0, 0) if !self.input.header => return Err(empty_table()),
            (0, 1..) => {
                let message = format!("all {} rows are invalid", self.invalid_rows);
                return Err(Failure::permanent(message).code("no-readable-row"));
            }
            _ => {}
        }
        let column = |(index, statistics): &(usize, Statistics)| {
            statistics.column(&self.names[*index], self.input.top)
        };
        Ok(Profile {
            rows: self.valid_rows,
            bad_rows: self.invalid_rows,
            column_count: self.names.len(),
            columns: self.columns.iter().map(column).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use ophost_sdk::serde_json::{Value, from_str};

    use super::*;

    fn run(input: &Value) -> Result<Value> {
        Ok(from_str(&profile_csv::OPERATION.invoke(&input.to_string())?).unwrap())
    }

    fn code(input: &Value) -> String {
        run(input).unwrap_err().code.unwrap()
    }

    #[test]
    fn columns_are_profiled() {
        let csv = "name, size\nann,1\nbob,NA\nann , 4\n";
        let profile = run(&json!({"csv": csv, "top": 1})).unwrap();
        let expected = json!({
            "rows": 3,
            "bad_rows": 0,
            "column_count": 2,
            "columns": [
                {
                    "name": "name", "type": "text", "count": 3, "nulls": 0, "distinct": 2,
                    "distinct_exact": true, "min": "ann", "max": "bob",
                    "most_frequent": [{"value": "ann", "count": 2}],
                },
                {
                    "name": "size", "type": "integer", "count": 2, "nulls": 1, "distinct": 2,
                    "distinct_exact": true, "min": 1, "max": 4, "mean": 2.5,
                    "most_frequent": [{"value": "1", "count": 1}],
                },
            ],
        });
        assert_eq!(profile, expected);
    }

    #[test]
    fn invalid_rows_are_counted_and_skipped() {
        let profile = run(&json!({"csv": "a,b\n1,2\n3\n4,\"5\n6,7\n"})).unwrap();
        assert_eq!((&profile["rows"], &profile["bad_rows"]), (&json!(2), &json!(2)));
        assert_eq!(profile["columns"][0]["max"], 6);
    }

    #[test]
    fn selected_columns_are_in_the_order_of_the_table() {
        let input = json!({"csv": "a,b,c\n1,2,3\n", "columns": ["c", "a"]});
        let profile = run(&input).unwrap();
        assert_eq!(profile["column_count"], 3);
        assert_eq!(
            (&profile["columns"][0]["name"], &profile["columns"][1]["name"]),
            (&json!("a"), &json!("c"))
        );
        let failure = run(&json!({"csv": "a,b", "columns": ["x"]})).unwrap_err();
        assert_eq!(failure.code.as_deref(), Some("no-such-column"));
        assert_eq!(failure.details.as_deref(), Some(&json!({"columns": ["a", "b"]})));
    }

    #[test]
    fn columns_without_a_header_are_numbered() {
        let profile = run(&json!({"csv": "1;x\n2;y", "header": false, "delimiter": ";"})).unwrap();
        assert_eq!(profile["rows"], 2);
        assert_eq!(profile["columns"][0]["name"], "column_1");
        assert_eq!(profile["columns"][1]["max"], "y");
    }

    #[test]
    fn null_values_replace_the_default() {
        let profile = run(&json!({"csv": "a\n-\nNA\n1", "null_values": ["-"]})).unwrap();
        let column = &profile["columns"][0];
        assert_eq!((&column["nulls"], &column["type"]), (&json!(1), &json!("text")));
    }

    #[test]
    fn a_table_can_have_only_a_header() {
        let profile = run(&json!({"csv": "a,b\n"})).unwrap();
        assert_eq!((&profile["rows"], &profile["column_count"]), (&json!(0), &json!(2)));
        assert_eq!(profile["columns"][1]["type"], "empty");
    }

    #[test]
    fn unreadable_tables_have_failure_codes() {
        assert_eq!(code(&json!({"csv": ""})), "empty");
        assert_eq!(code(&json!({"csv": "\u{feff}\r\n\n", "header": false})), "empty");
        assert_eq!(code(&json!({"csv": "a,\"b\n1,2"})), "bad-header");
        assert_eq!(code(&json!({"csv": "a,b\n1\n2\n"})), "no-readable-row");
        assert_eq!(code(&json!({"csv": ",".repeat(MAX_COLUMNS)})), "too-many-columns");
        let delimiter = |text: &str| code(&json!({"csv": "a", "delimiter": text}));
        for text in ["\"", "\n", "\u{e9}"] {
            assert_eq!(delimiter(text), "bad-delimiter");
        }
        // The schema has the length of a delimiter.
        assert_eq!([delimiter(""), delimiter("ab")], ["invalid-input"; 2]);
    }
}
