//! Errors of single items of a bulk input. The run continues after such an error.

use serde::Serialize;
use serde_json::Value;

use crate::Failure;
use crate::host::item_errors as host;

/// Adds an item error to the record of the run.
///
/// `index` is the index of the item in the input, from 0. `item` is the item or its identifier.
/// `error` is any error that `?` accepts. Its message and its traceback are recorded. A native
/// build prints the error to stderr.
///
/// # Example
///
/// ```
/// use ophost_sdk::item_errors;
///
/// let mut sum = 0;
/// for (index, item) in ["1", "two", "3"].into_iter().enumerate() {
///     match item.parse::<u32>() {
///         Ok(number) => sum += number,
///         Err(error) => item_errors::add(index, &item, error),
///     }
/// }
/// assert_eq!(sum, 4);
/// ```
pub fn add(index: usize, item: &(impl Serialize + ?Sized), error: impl Into<Failure>) {
    let item = serde_json::to_value(item).unwrap_or_else(|why| Value::String(why.to_string()));
    let Failure { message, traceback, .. } = error.into();
    host::add(index as u64, &item.to_string(), &message, traceback.as_deref());
}
