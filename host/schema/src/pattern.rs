//! The regular expressions of a schema: which can be used, and what each costs.

use std::sync::Arc;

use jsonschema::{Keyword, PatternOptions, ValidationError};
use ophost_document::{Budget, Interruption, Matcher, Search};
use serde_json::json;

use super::compiled::SchemaError;
use super::instance::{self, Instance, Instances};
use ophost_document::text;

/// How large a pattern may be when compiled, in bytes, and what trying one costs for each
/// byte of text. Matching is linear in the text, and for some patterns also in their size.
const SIZES: [(usize, u64); 4] = [(2 << 10, 2), (8 << 10, 16), (32 << 10, 64), (MAX_SIZE, 512)];
/// The largest pattern when compiled, in bytes: a few words can make one of many megabytes.
pub(super) const MAX_SIZE: usize = 256 << 10;

/// A regular expression that can be used.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Arc<str>,
    matcher: Arc<Matcher>,
    /// About how many bytes it has when compiled.
    pub(super) size: usize,
    /// What trying it costs for each byte of text.
    pub(super) price: u64,
}

impl Pattern {
    /// Compiles a pattern as the validator does.
    ///
    /// # Errors
    ///
    /// Returns [`SchemaError`] if it is none, too large, or cannot be matched in linear time.
    pub(super) fn compile(text: &str) -> Result<Self, SchemaError> {
        if let Ok(translated) = jsonschema_regex::to_rust_regex(text) {
            for (size, price) in SIZES {
                if let Ok(matcher) = Matcher::compile(&translated, size) {
                    let matcher = Arc::new(matcher);
                    return Ok(Self { text: text.into(), matcher, size, price });
                }
            }
        }
        Err(SchemaError::here(why_not(text)))
    }

    /// Returns whether a name matches; one that is too long to find out counts as such.
    ///
    /// # Errors
    ///
    /// Returns [`Interruption`] if the budget is used up.
    pub(super) fn may_match(&self, name: &str, budget: &Budget) -> Result<bool, Interruption> {
        Ok(self.matcher.search(name, budget)? != Search::Done(false))
    }
}

/// The keyword `pattern`, in place of the validator's own: that one cannot be stopped within a
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
