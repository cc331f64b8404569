//! The regular expressions of a schema: which can be used, and what each costs.

use std::sync::Arc;

use jsonschema::{PatternOptions, ValidationOptions, Validator};
use serde_json::{Value, json};

use super::compiled::{SchemaError, options};
use ophost_document::text;

/// How large a pattern may be when compiled, in bytes, and what trying one costs for each
/// byte of text. Matching is linear in the text, and for some patterns also in their size.
const SIZES: [(usize, u64); 4] = [(2 << 10, 2), (8 << 10, 16), (32 << 10, 64), (MAX_SIZE, 512)];
/// The largest pattern when compiled, in bytes: a few words can make one of many megabytes.
pub(super) const MAX_SIZE: usize = 256 << 10;

/// A regular expression that can be used.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    validator: Arc<Validator>,
    /// About how many bytes it has when compiled.
    pub(super) size: usize,
    /// What trying it costs for each byte of text.
    pub(super) price: u64,
}

impl Pattern {
    /// Compiles a pattern as the validator will.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if it is none, too large, or cannot be matched in linear time.
    pub(super) fn compile(text: &str) -> Result<Self, SchemaError> {
        let schema = json!({"pattern": text});
        for (size, price) in SIZES {
            if let Ok(validator) = limited(size).build(&schema) {
                return Ok(Self { validator: Arc::new(validator), size, price });
            }
        }
        Err(SchemaError::here(why_not(text, &schema)))
    }

    pub(super) fn matches(&self, text: &Value) -> bool {
        self.validator.is_valid(text)
    }
}

fn limited<'a>(size: usize) -> ValidationOptions<'a> {
    options().with_pattern_options(PatternOptions::regex().size_limit(size))
}

fn why_not(pattern: &str, schema: &Value) -> String {
    let shown = text::name(pattern);
    let backtracking = options().with_pattern_options(PatternOptions::fancy_regex());
    let unlimited = options().with_pattern_options(PatternOptions::regex());
    if unlimited.build(schema).is_ok() {
        let size = bytesize::ByteSize(MAX_SIZE as u64);
        format!("the pattern `{shown}` needs more than {size} when compiled")
    } else if backtracking.build(schema).is_ok() {
        format!(
            "the pattern `{shown}` has look-around or a back reference, which are not supported"
        )
    } else {
        format!("the pattern `{shown}` is not a regular expression, or far too large a one")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_matched_in_linear_time_is_refused_with_the_pattern() {
        for pattern in ["(?=a)b", "(?!a)b", "(?<=a)b", r"(a)\1"] {
            assert_eq!(
                Pattern::compile(pattern).unwrap_err().problem,
                format!(
                    "the pattern `{pattern}` has look-around or a back reference, which are not \
                     supported"
                )
            );
        }
        let long = format!("(?=a){}", "b".repeat(1000));
        assert!(Pattern::compile(&long).unwrap_err().problem.len() < 300);
    }

    #[test]
    fn a_pattern_that_is_none_or_too_large_is_refused() {
        let problem = |pattern: &str| Pattern::compile(pattern).unwrap_err().problem;
        assert_eq!(
            problem("^([^x]?){1,800}y"),
            "the pattern `^([^x]?){1,800}y` needs more than 256.0 KiB when compiled"
        );
        assert!(problem("(").starts_with("the pattern `(` is not a regular expression"));
        assert!(problem("((a{1000}){1000}){1000}").contains("far too large"));
    }

    #[test]
    fn a_large_pattern_costs_more() {
        let price = |pattern: &str| Pattern::compile(pattern).unwrap().price;
        assert_eq!(price("^[a-z]+$"), 2);
        assert!(price("a[ab]{200}c") > 2);
    }
}
