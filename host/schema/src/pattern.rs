//! The regular expressions of a schema, and their cost.

use std::sync::Arc;

use jsonschema::{Keyword, PatternOptions, ValidationError};
use ophost_document::{Budget, Interruption, Matcher, Search};
use serde_json::json;

use super::compiled::SchemaError;
use super::instance::{self, Instance, Instances};
use ophost_document::text;

/// Compiled sizes in bytes, and the cost of matching a pattern of that size per byte of text. The
/// time is linear in the text, and for some patterns also in their size.
const SIZES: [(usize, u64); 4] = [(2 << 10, 2), (8 << 10, 16), (32 << 10, 64), (MAX_SIZE, 512)];
/// Maximum compiled size of a pattern, in bytes. A short pattern can have many megabytes.
pub(super) const MAX_SIZE: usize = 256 << 10;

/// A supported regular expression.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Arc<str>,
    matcher: Arc<Matcher>,
    /// Approximate compiled size, in bytes.
    pub(super) size: usize,
    /// Cost of matching, per byte of text.
    pub(super) cost: u64,
}

impl Pattern {
    /// Compiles a pattern as the validator does.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if the pattern is invalid, is too large, or cannot be matched in linear
    /// time.
    pub(super) fn compile(text: &str) -> Result<Self, SchemaError> {
        if let Ok(translated) = jsonschema_regex::to_rust_regex(text) {
            for (size, cost) in SIZES {
                if let Ok(matcher) = Matcher::compile(&translated, size) {
                    let matcher = Arc::new(matcher);
                    return Ok(Self { text: text.into(), matcher, size, cost });
                }
            }
        }
        Err(SchemaError::here(why_not(text)))
    }

    /// Returns whether a name matches. A name that is too long for the check counts as a match.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn may_match(&self, name: &str, budget: &Budget) -> Result<bool, Interruption> {
        Ok(self.matcher.search(name, budget)? != Search::Done(false))
    }
}

/// The keyword `pattern`. It replaces that of the validator, which cannot be interrupted within a
/// long text.
impl<'i> Keyword<'i, Instances> for Pattern {
    fn validate(&self, instance: Instance<'i>) -> Result<(), ValidationError<'i>> {
        if self.is_valid(instance) { Ok(()) } else { Err(ValidationError::custom(&*self.text)) }
    }

    fn is_valid(&self, Instance(value): Instance<'i>) -> bool {
        let Some(text) = value.as_str() else { return true };
        match instance::with_budget(|budget| self.matcher.search(text, budget)) {
            Search::Done(matches) => matches,
            Search::Unsupported => instance::too_long(),
        }
    }
}

fn why_not(pattern: &str) -> String {
    let (schema, shown) = (json!({"pattern": pattern}), text::quote(pattern));
    let linear = jsonschema::options().with_pattern_options(PatternOptions::regex());
    let backtracking = jsonschema::options().with_pattern_options(PatternOptions::fancy_regex());
    if linear.build(&schema).is_ok() {
        let size = bytesize::ByteSize(MAX_SIZE as u64);
        format!("the pattern `{shown}` needs more than {size} when compiled")
    } else if backtracking.build(&schema).is_ok() {
        format!(
            "the pattern `{shown}` has look-around or a back reference, which are not supported"
        )
    } else {
        format!("the pattern `{shown}` is not a regular expression, or is much too large")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_linear_time_is_rejected_by_name() {
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
    fn an_invalid_or_too_large_pattern_is_rejected() {
        let problem = |pattern: &str| Pattern::compile(pattern).unwrap_err().problem;
        assert_eq!(
            problem("^([^x]?){1,800}y"),
            "the pattern `^([^x]?){1,800}y` needs more than 256.0 KiB when compiled"
        );
        assert!(problem("(").starts_with("the pattern `(` is not a regular expression"));
        assert!(problem("((a{1000}){1000}){1000}").contains("much too large"));
    }

    #[test]
    fn a_large_pattern_costs_more() {
        let cost = |pattern: &str| Pattern::compile(pattern).unwrap().cost;
        assert_eq!(cost("^[a-z]+$"), 2);
        assert!(cost("a[ab]{200}c") > 2);
    }
}
