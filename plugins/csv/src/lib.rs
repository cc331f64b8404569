//! Operations on CSV.
//!
//! - `profile_csv`: what the columns of a table hold.
//!
//! It is made of what stands below it, which knows nothing of what stands above:
//!
//! - `rows`: from a text to rows, good and bad ones; `fields` are those of one row.
//! - `column`: what a column holds, from its values.
//! - `value`: what one value is; `time` knows dates.
//! - `extremes`, `mean`, `frequencies`: what is kept of many values.

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
