//! The errors of single items of a bulk input, while the run as a whole goes on.

use serde::Serialize;
use serde_json::Value;

use crate::Failure;
use crate::host::item_errors as host;

/// Adds an error to the run's list.
///
/// `index` is the item's place in the input, from 0; `item` the item itself or what
/// identifies it. The list keeps the message and the traceback of `error`, which is
/// whatever `?` takes. In a native build it goes to stderr.
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
pub fn add(index: usize, item: &impl Serialize, error: impl Into<Failure>) {
    let item = serde_json::to_value(item).unwrap_or_else(|why| Value::String(why.to_string()));
    let Failure { message, traceback, .. } = error.into();
    host::add(index as u64, &item.to_string(), &message, traceback.as_deref());
}
