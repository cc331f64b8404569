//! The operators of a filter, by name.

use std::cmp::Ordering;

use strsim::damerau_levenshtein;

/// An operator of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    /// Combines whole filters.
    Combining(Combining),
    /// Tests a field.
    Field(FieldOperator),
}

/// How filters are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combining {
    And,
    Or,
    Nor,
}

/// An operator that tests a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldOperator {
    /// Compares the value with the argument.
    Compare(Comparison),
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

/// A comparison of two values of the same type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `$eq`, or a value in place of operators.
    Equal,
    /// `$gt`
    Greater,
    /// `$gte`
    GreaterOrEqual,
    /// `$lt`
    Less,
    /// `$lte`
    LessOrEqual,
}

impl Comparison {
    /// Returns whether the comparison holds for two values with this order.
    pub(super) fn accepts(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// All operators, by name.
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

/// Returns the operator with a name, and the static text of the name.
pub(super) fn lookup(name: &str) -> Option<(&'static str, Operator)> {
    ALL.into_iter().find(|(known, _)| *known == name)
}

/// Returns the names of all operators.
pub(super) fn names() -> Vec<&'static str> {
    ALL.iter().map(|(name, _)| *name).collect()
}

/// Returns the operator that an unknown name probably stands for.
///
/// This is the operator of a known synonym, or one whose name differs in at most two letters and
/// in less than half of its letters.
pub(super) fn suggestion(name: &str) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let synonym = match lower.as_str() {
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
    synonym.or_else(|| {
        const MAX_LENGTH: usize = 16;
        let distance = |known: &str| damerau_levenshtein(&lower, &known.to_ascii_lowercase());
        let known = ALL.iter().filter(|_| lower.len() <= MAX_LENGTH);
        let (distance, known) = known
            .map(|(known, _)| (distance(known), *known))
            .min_by_key(|(distance, _)| *distance)?;
        (distance <= 2 && 2 * distance < known.len()).then_some(known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestion_is_a_synonym_or_a_similar_name() {
        let suggestions = [
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
        for (name, operator) in suggestions {
            assert_eq!(suggestion(name), operator, "{name}");
        }
        assert_eq!(suggestion(&"$gt".repeat(1 << 20)), None);
    }
}
