//! Says what the columns of a table hold.

use ophost_sdk::serde_json::json;
use ophost_sdk::{Failure, Result, item_errors, model, operation, progress};

use crate::column::{Column, Statistics, cut};
use crate::fields::Fields;
use crate::frequencies::Budget;
use crate::rows::{BadRow, Row, Rows};

/// After how many rows progress is reported.
const PROGRESS_ROWS: u64 = 5_000;
/// The most characters of a bad row that are reported.
const MAX_BAD_TEXT: usize = 80;
/// The most columns that fit into the memory of a run: each costs a few hundred bytes.
const MAX_COLUMNS: usize = 10_000;
/// What the values of all columns may take of the memory of a run, in bytes.
const VALUES_MEMORY: usize = 32 << 20;

/// The table to look at.
#[model]
pub(crate) struct Table {
    /// The table as CSV text: a row a line, values in double quotes where they need it. White
    /// space around a value is not part of it; blank lines are skipped.
    csv: String,
    /// What stands between two values: one ASCII character.
    #[serde(default = "comma")]
    #[schemars(length(min = 1, max = 1))]
    delimiter: String,
    /// Whether the first row holds the names of the columns. Without it they are `column_1`,
    /// `column_2` and so on.
    #[serde(default = "yes")]
    header: bool,
    /// The names of the columns to look at; all where there is none.
    #[serde(default)]
    columns: Vec<String>,
    /// How many of a column's most frequent values to list.
    #[serde(default = "five")]
    #[schemars(range(max = 50))]
    top: usize,
    /// The values that stand for nothing. They are counted as nulls and left out of all else.
    #[serde(default = "null_values")]
    null_values: Vec<String>,
}

fn comma() -> String {
    ",".to_owned()
}

fn yes() -> bool {
    true
}

fn five() -> usize {
    5
}

fn null_values() -> Vec<String> {
    ["", "NA", "N/A", "NaN", "null", "NULL"].map(str::to_owned).to_vec()
}

/// What a table holds.
#[model]
pub(crate) struct Profile {
    /// How many rows were read, without the header.
    rows: u64,
    /// How many rows were left out, since they have more or fewer values than the first or
    /// broken quotes. The run's item errors say which and why.
    bad_rows: u64,
    /// How many columns the table has.
    column_count: usize,
    /// The columns, each with `name`, `type` (integer, number, boolean, date, datetime, text,
    /// empty), `count` (without nulls), `nulls`, `distinct`, `min`, `max`, `mean`,
    /// `most_frequent`.
    columns: Vec<Column>,
}

/// Says what the columns of a CSV table hold: type, nulls, distinct values, range and mean.
///
/// Rows that cannot be read are reported as item errors and left out. It fails as
/// `empty`, `bad-delimiter`, `bad-header`, `too-many-columns`, `no-such-column` or
/// `no-readable-row`.
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
        profiler.set_names(header(&mut rows)?.iter().map(name_of).collect())?;
    }
    while let Some(row) = rows.next() {
        match row {
            Row::Good(fields) => profiler.add(fields)?,
            Row::Bad(row) => profiler.add_bad(&row),
        }
        if profiler.seen().is_multiple_of(PROGRESS_ROWS) {
            report(&rows, profiler.seen());
        }
    }
    report(&rows, profiler.seen());
    profiler.profile()
}

fn report(rows: &Rows<'_>, seen: u64) {
    let (done, total) = rows.progress();
    progress::report(done, Some(total), Some(&format!("{seen} rows")));
}

/// The schema lets one character through.
fn delimiter(text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !b"\"\r\n".contains(byte) => Ok(*byte),
        _ => {
            let rule = "it is one ASCII character, no quote and no line end";
            let message = format!("`{text}` cannot be a delimiter: {rule}");
            Err(Failure::permanent(message).code("bad-delimiter"))
        }
    }
}

fn header<'r>(rows: &'r mut Rows<'_>) -> Result<&'r Fields> {
    match rows.next() {
        Some(Row::Good(names)) => Ok(names),
        Some(Row::Bad(BadRow { line, problem, .. })) => {
            let message = format!("the header in line {line} cannot be read: {problem}");
            Err(Failure::permanent(message).code("bad-header"))
        }
        None => Err(empty()),
    }
}

fn empty() -> Failure {
    Failure::permanent("the text holds no row").code("empty")
}

fn name_of(field: &str) -> String {
    field.trim().to_owned()
}

/// What is known of a table while its rows pass by.
struct Profiler<'a> {
    input: &'a Table,
    /// As many as the table has columns; none before the first row.
    names: Vec<String>,
    /// The columns to look at: where they stand in a row, and what they hold.
    columns: Vec<(usize, Statistics)>,
    budget: Budget,
    rows: u64,
    bad_rows: u64,
}

impl<'a> Profiler<'a> {
    fn new(input: &'a Table) -> Self {
        let budget = Budget::new(VALUES_MEMORY);
        Self { input, names: Vec::new(), columns: Vec::new(), budget, rows: 0, bad_rows: 0 }
    }

    /// Rows that were seen, good and bad, without the header.
    fn seen(&self) -> u64 {
        self.rows + self.bad_rows
    }

    /// Chooses the columns to look at.
    fn set_names(&mut self, names: Vec<String>) -> Result<()> {
        if names.len() > MAX_COLUMNS {
            let message = format!("{} columns are more than {MAX_COLUMNS}", names.len());
            return Err(Failure::permanent(message).code("too-many-columns"));
        }
        let wanted = &self.input.columns;
        if let Some(missing) = wanted.iter().find(|name| !names.contains(name)) {
            let failure = Failure::permanent(format!("there is no column `{missing}`"));
            return Err(failure.code("no-such-column").details(json!({"columns": names})));
        }
        let is_wanted = |name| wanted.is_empty() || wanted.contains(name);
        let places = (0..names.len()).filter(|&place| is_wanted(&names[place]));
        self.columns = places.map(|place| (place, Statistics::new())).collect();
        self.names = names;
        Ok(())
    }

    fn add(&mut self, fields: &Fields) -> Result<()> {
        if self.names.is_empty() {
            self.set_names((1..=fields.len()).map(|number| format!("column_{number}")).collect())?;
        }
        self.rows += 1;
        for (place, statistics) in &mut self.columns {
            let value = fields.get(*place).trim();
            if self.input.null_values.iter().any(|null| null == value) {
                statistics.add_null();
            } else {
                statistics.add(value, &mut self.budget);
            }
        }
        Ok(())
    }

    fn add_bad(&mut self, row: &BadRow<'_>) {
        let index = usize::try_from(self.seen()).unwrap_or(usize::MAX);
        let item = json!({"line": row.line, "text": cut(row.text, MAX_BAD_TEXT)});
        item_errors::add(index, &item, row.problem.as_str());
        self.bad_rows += 1;
    }

    fn profile(&self) -> Result<Profile> {
        match (self.rows, self.bad_rows) {
            (0, 0) if !self.input.header => return Err(empty()),
            (0, 1..) => {
                let message = format!("none of {} rows can be read", self.bad_rows);
                return Err(Failure::permanent(message).code("no-readable-row"));
            }
            _ => {}
        }
        let column = |(place, statistics): &(usize, Statistics)| {
            statistics.column(&self.names[*place], self.input.top)
        };
        Ok(Profile {
            rows: self.rows,
            bad_rows: self.bad_rows,
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
    fn bad_rows_are_counted_and_left_out() {
        let profile = run(&json!({"csv": "a,b\n1,2\n3\n4,\"5\n6,7\n"})).unwrap();
        assert_eq!((&profile["rows"], &profile["bad_rows"]), (&json!(2), &json!(2)));
        assert_eq!(profile["columns"][0]["max"], 6);
    }

    #[test]
    fn columns_can_be_chosen_and_are_in_the_order_of_the_table() {
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
    fn without_a_header_columns_are_numbered() {
        let profile = run(&json!({"csv": "1;x\n2;y", "header": false, "delimiter": ";"})).unwrap();
        assert_eq!(profile["rows"], 2);
        assert_eq!(profile["columns"][0]["name"], "column_1");
        assert_eq!(profile["columns"][1]["max"], "y");
    }

    #[test]
    fn null_values_are_the_caller_s() {
        let profile = run(&json!({"csv": "a\n-\nNA\n1", "null_values": ["-"]})).unwrap();
        let column = &profile["columns"][0];
        assert_eq!((&column["nulls"], &column["type"]), (&json!(1), &json!("text")));
    }

    #[test]
    fn a_header_alone_is_a_table_without_rows() {
        let profile = run(&json!({"csv": "a,b\n"})).unwrap();
        assert_eq!((&profile["rows"], &profile["column_count"]), (&json!(0), &json!(2)));
        assert_eq!(profile["columns"][1]["type"], "empty");
    }

    #[test]
    fn where_nothing_can_be_read_the_code_says_why() {
        assert_eq!(code(&json!({"csv": ""})), "empty");
        assert_eq!(code(&json!({"csv": "\u{feff}\r\n\n", "header": false})), "empty");
        assert_eq!(code(&json!({"csv": "a,\"b\n1,2"})), "bad-header");
        assert_eq!(code(&json!({"csv": "a,b\n1\n2\n"})), "no-readable-row");
        assert_eq!(code(&json!({"csv": ",".repeat(MAX_COLUMNS)})), "too-many-columns");
        for delimiter in ["", "ab", "\"", "\n", "\u{e9}"] {
            assert_eq!(code(&json!({"csv": "a", "delimiter": delimiter})), "bad-delimiter");
        }
    }
}
