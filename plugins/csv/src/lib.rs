//! Operations on CSV.
//!
//! - `profile_csv`: computes statistics of the columns of a table.
//!
//! Each module depends only on modules below it:
//!
//! - `rows`: splits a text into valid and invalid rows; `fields` contains the fields of a row.
//! - `column`: the statistics of a column.
//! - `value`: detects the type of a value; `time` parses dates and times.
//! - `extremes`, `mean`, `frequencies`: single statistics of many values.

mod column;
mod extremes;
mod fields;
mod frequencies;
mod mean;
mod profile_csv;
mod rows;
mod time;
mod value;

use ophost_sdk::plugin;

plugin!(profile_csv::profile_csv);
