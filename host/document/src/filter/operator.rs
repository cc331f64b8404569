//! The operators of a filter, by name.

use std::cmp::Ordering;

use strsim::damerau_levenshtein;

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Combines whole filters.
    Combining(Combining),
    /// Asks something of a field.
    Field(FieldOperator),
}

/// How filters are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combining {
    And,
    Or,
    Nor,
}

/// What is asked of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldOperator {
    /// How the value compares.
    Compare(Comparison),
    /// Whether the value is not this.
    NotEqual,
    In,
    NotIn,
    Not,
    Exists,
    Regex,
    Options,
    Size,
    ElemMatch,
}

/// How a value of the same type compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    /// Returns whether what compares so fits.
    pub(super) fn fits(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// All there are.
const ALL: [(&str, Operator); 17] = [
    ("$eq", Operator::Field(FieldOperator::Compare(Comparison::Equal))),
    ("$ne", Operator::Field(FieldOperator::NotEqual)),
    ("$gt", Operator::Field(FieldOperator::Compare(Comparison::Greater))),
    ("$gte", Operator::Field(FieldOperator::Compare(Comparison::GreaterOrEqual))),
    ("$lt", Operator::Field(FieldOperator::Compare(Comparison::Less))),
    ("$lte", Operator::Field(FieldOperator::Compare(Comparison::LessOrEqual))),
    ("$in", Operator::Field(FieldOperator::In)),
    ("$nin", Operator::Field(FieldOperator::NotIn)),
    ("$and", Operator::Combining(Combining::And)),
    ("$or", Operator::Combining(Combining::Or)),
    ("$nor", Operator::Combining(Combining::Nor)),
    ("$not", Operator::Field(FieldOperator::Not)),
    ("$exists", Operator::Field(FieldOperator::Exists)),
    ("$regex", Operator::Field(FieldOperator::Regex)),
    ("$options", Operator::Field(FieldOperator::Options)),
    ("$size", Operator::Field(FieldOperator::Size)),
    ("$elemMatch", Operator::Field(FieldOperator::ElemMatch)),
];

/// Returns an operator and its name, as text that stays.
pub(super) fn named(name: &str) -> Option<(&'static str, Operator)> {
    ALL.into_iter().find(|(known, _)| *known == name)
}

/// Returns the names of all operators.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// Returns the operator that was probably meant: another word for it, or one that differs in
/// at most two letters, and in less than half of its own.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let other_word = match lower.as_str() {
        "$neq" | "$notequal" => Some("$ne"),
        "$ge" => Some("$gte"),
        "$le" => Some("$lte"),
        "$notin" => Some("$nin"),
        "$equal" | "$equals" | "$is" => Some("$eq"),
        "$match" | "$like" => Some("$regex"),
        "$any" | "$some" => Some("$elemMatch"),
        "$length" | "$count" => Some("$size"),
        _ => None,
    };
    other_word.or_else(|| {
        const LONGEST: usize = 16;
        let near = |known: &str| damerau_levenshtein(&lower, &known.to_ascii_lowercase());
        let known = ALL.iter().filter(|_| lower.len() <= LONGEST);
        let (distance, known) =
            known.map(|(known, _)| (near(known), *known)).min_by_key(|(distance, _)| *distance)?;
        (distance <= 2 && 2 * distance < known.len()).then_some(known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_probably_meant_is_found() {
        let meant = [
            ("$qte", Some("$gte")),
            ("$elemmatch", Some("$elemMatch")),
            ("$exist", Some("$exists")),
            ("$regexp", Some("$regex")),
            ("$ge", Some("$gte")),
            ("$neq", Some("$ne")),
            ("$IN", Some("$in")),
            ("$where", None),
            ("$", None),
            ("$expr", None),
            ("$geoWithin", None),
        ];
        for (name, operator) in meant {
            assert_eq!(nearest(name), operator, "{name}");
        }
        assert_eq!(nearest(&"$gt".repeat(1 << 20)), None);
    }
}
