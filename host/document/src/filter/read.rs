//! Parses filters into clauses.

use serde_json::{Map, Value};

use super::clause::{Clause, Item, Probe, Test};
use super::error::{FilterError, Location, Problem};
use super::operator::{self, Combining, Comparison, FieldOperator, Operator};
use super::{MAX_CONDITIONS, pattern};
use crate::body::type_name;
use crate::extended::{self, ExtendedProblem};
use crate::order;
use crate::path::Path;

/// Parses a filter. The caller has checked its depth, which bounds the recursion.
pub(super) fn read(source: &Value) -> Result<Clause, FilterError> {
    let fields = object(source, &Location::Top)?;
    Reader { conditions: 0, patterns: pattern::PatternBudget::default() }.clause(
        fields,
        &Location::Top,
        Scope::Document,
    )
}

/// The object that a filter applies to.
#[derive(Clone, Copy)]
enum Scope {
    /// A document, where `_id` is the id.
    Document,
    /// An item of a list, where `_id` is an ordinary field.
    Item,
}

/// The state of a parser: the limits that are used so far.
struct Reader {
    /// Number of parsed conditions.
    conditions: usize,
    /// The size that further patterns can have.
    patterns: pattern::PatternBudget,
}

impl Reader {
    fn clause(
        &mut self,
        fields: &Map<String, Value>,
        at: &Location<'_>,
        scope: Scope,
    ) -> Result<Clause, FilterError> {
        if fields.is_empty() {
            self.count(at)?;
        }
        let mut clauses = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let at = Location::Name(at, name);
            clauses.push(match name.starts_with('$') {
                true => self.combined(name, value, &at, scope)?,
                false => self.field(name, value, &at, scope)?,
            });
        }
        Ok(one_or(clauses, Clause::All))
    }

    /// Parses an operator that combines filters.
    fn combined(
        &mut self,
        name: &str,
        value: &Value,
        at: &Location<'_>,
        scope: Scope,
    ) -> Result<Clause, FilterError> {
        let combine = match operator::lookup(name) {
            Some((_, Operator::Combining(combining))) => combining,
            Some((known, Operator::Field(_))) => {
                return Err(at.problem(Problem::NeedsField(known)));
            }
            None => return Err(unknown(name, at)),
        };
        let filters = list(value, at)?;
        if filters.is_empty() {
            return Err(at.problem(Problem::Empty("the list of filters")));
        }
        let mut clauses = Vec::with_capacity(filters.len());
        for (index, filter) in filters.iter().enumerate() {
            let at = Location::Item(at, index);
            clauses.push(self.clause(object(filter, &at)?, &at, scope)?);
        }
        Ok(match combine {
            Combining::And => one_or(clauses, Clause::All),
            Combining::Or => one_or(clauses, Clause::Any),
            Combining::Nor => Clause::Nor(clauses.into()),
        })
    }

    fn field(
        &mut self,
        name: &str,
        value: &Value,
        at: &Location<'_>,
        scope: Scope,
    ) -> Result<Clause, FilterError> {
        let path = Path::parse(name).map_err(|error| at.problem(Problem::Path(error)))?;
        let test = self.test(value, at)?;
        Ok(match scope {
            Scope::Document if path.is_id_itself() => Clause::Id(test),
            Scope::Document if path.is_id() => Clause::WithinId(test),
            Scope::Document | Scope::Item => Clause::Field(path, test),
        })
    }

    /// Parses an object of operators, or a value that the field must equal.
    fn test(&mut self, value: &Value, at: &Location<'_>) -> Result<Test, FilterError> {
        let has_operators = |fields: &&Map<String, Value>| {
            fields.keys().any(|name| is_operator(name)) && !extended::is_extended(fields)
        };
        if let Some(operators) = value.as_object().filter(has_operators) {
            return self.operators(operators, at);
        }
        let value = plain(value, at, None)?;
        self.count(at)?;
        Ok(Test::One(Probe::Compare(Comparison::Equal, value)))
    }

    /// Parses the operators of a field, at least one.
    fn operators(
        &mut self,
        operators: &Map<String, Value>,
        at: &Location<'_>,
    ) -> Result<Test, FilterError> {
        if !operators.keys().all(|name| is_operator(name)) {
            return Err(at.problem(Problem::Mixed));
        }
        let mut tests = Vec::with_capacity(operators.len());
        for (name, value) in operators {
            let at = Location::Name(at, name);
            let operator = match operator::lookup(name) {
                Some((known, Operator::Field(operator))) => (known, operator),
                Some((_, Operator::Combining(_))) => {
                    return Err(at.problem(Problem::CombinesFilters));
                }
                None if extended::is_extended(operators) => {
                    return Err(at.problem(Problem::NotAnOperator));
                }
                None => return Err(unknown(name, &at)),
            };
            self.count(&at)?;
            tests.extend(self.operator(operator, value, operators, &at)?);
        }
        Ok(one_or(tests, Test::All))
    }

    /// Parses an operator. Returns `None` for `$options`, which is part of `$regex`.
    fn operator(
        &mut self,
        (name, operator): (&'static str, FieldOperator),
        value: &Value,
        siblings: &Map<String, Value>,
        at: &Location<'_>,
    ) -> Result<Option<Test>, FilterError> {
        let not = |test| Test::Not(Box::new(test));
        Ok(Some(match operator {
            FieldOperator::Compare(comparison) => {
                Test::One(Probe::Compare(comparison, plain(value, at, Some(name))?))
            }
            FieldOperator::NotEqual => {
                let value = plain(value, at, Some(name))?;
                not(Test::One(Probe::Compare(Comparison::Equal, value)))
            }
            FieldOperator::In => one_of(value, at, name)?,
            FieldOperator::NotIn => not(one_of(value, at, name)?),
            FieldOperator::Not => not(self.negated(value, at)?),
            FieldOperator::Exists => match boolean(value, at)? {
                true => Test::Exists,
                false => not(Test::Exists),
            },
            FieldOperator::Regex => self.pattern(value, siblings.get("$options"), at)?,
            FieldOperator::Options if siblings.contains_key("$regex") => return Ok(None),
            FieldOperator::Options => return Err(at.problem(Problem::OptionsAlone)),
            FieldOperator::Size => Test::Size(size(value, at)?),
            FieldOperator::ElemMatch => Test::Item(Box::new(self.item(object(value, at)?, at)?)),
        }))
    }

    fn negated(&mut self, value: &Value, at: &Location<'_>) -> Result<Test, FilterError> {
        let operators = value.as_object().ok_or_else(|| {
            at.problem(Problem::Expected {
                expected: "an object of operators",
                found: type_name(value),
            })
        })?;
        if operators.is_empty() {
            return Err(at.problem(Problem::Empty("the object of operators")));
        }
        self.operators(operators, at)
    }

    fn pattern(
        &mut self,
        value: &Value,
        options: Option<&Value>,
        at: &Location<'_>,
    ) -> Result<Test, FilterError> {
        let options_at = at.sibling("$options");
        let options = options.map_or(Ok(""), |options| text(options, &options_at))?;
        let compiled = self.patterns.compile(text(value, at)?, options);
        let pattern = compiled.map_err(|problem| match problem {
            Problem::Option(_) => options_at.problem(problem),
            _ => at.problem(problem),
        })?;
        Ok(Test::One(Probe::Matches(pattern)))
    }

    /// Parses the argument of `$elemMatch`: operators for the item itself, or a filter.
    fn item(
        &mut self,
        condition: &Map<String, Value>,
        at: &Location<'_>,
    ) -> Result<Item, FilterError> {
        let combines =
            |name: &String| matches!(operator::lookup(name), Some((_, Operator::Combining(_))));
        if condition.keys().any(|name| is_operator(name) && !combines(name)) {
            return Ok(Item::Itself(self.operators(condition, at)?));
        }
        Ok(Item::Object(self.clause(condition, at, Scope::Item)?))
    }

    /// Counts a condition, and fails at more than [`MAX_CONDITIONS`].
    fn count(&mut self, at: &Location<'_>) -> Result<(), FilterError> {
        self.conditions += 1;
        let is_over = self.conditions > MAX_CONDITIONS;
        if is_over { Err(at.problem(Problem::ManyConditions)) } else { Ok(()) }
    }
}

fn is_operator(name: &str) -> bool {
    name.starts_with('$')
}

/// Returns the only part, or combines several parts into one.
fn one_or<T>(mut parts: Vec<T>, combine: fn(Box<[T]>) -> T) -> T {
    match parts.len() {
        1 => parts.swap_remove(0),
        _ => combine(parts.into()),
    }
}

/// Parses the argument of `$in` or `$nin`.
fn one_of(value: &Value, at: &Location<'_>, operator: &'static str) -> Result<Test, FilterError> {
    list(value, at)?;
    let Value::Array(mut candidates) = plain(value, at, Some(operator))? else {
        return Err(expected("a list", value, at));
    };
    candidates.sort_by(order::compare);
    Ok(Test::One(Probe::In(candidates.into())))
}

/// Converts a value to compare with from Extended JSON to plain JSON.
///
/// `operator` is the operator whose argument contains the value, if any. Operators inside the value
/// are rejected, because a caller does not mean them as literal values.
fn plain(
    value: &Value,
    at: &Location<'_>,
    operator: Option<&'static str>,
) -> Result<Value, FilterError> {
    let mut value = value.clone();
    extended::convert(&mut value).map_err(|error| {
        let nested = operator::lookup(error.name()).map(|(nested, _)| nested);
        let problem = match (&error.problem, nested, operator) {
            (ExtendedProblem::Unknown, Some(nested), Some(operator)) => {
                Problem::Nested { nested, operator }
            }
            (ExtendedProblem::Unknown, Some(_), None) => Problem::Inside,
            (problem, _, _) => Problem::Extended(problem.clone()),
        };
        at.problem_below(error.location(), problem)
    })?;
    Ok(value)
}

fn unknown(name: &str, at: &Location<'_>) -> FilterError {
    at.problem(Problem::Unknown { suggestion: operator::suggestion(name) })
}

fn expected(expected: &'static str, value: &Value, at: &Location<'_>) -> FilterError {
    at.problem(Problem::Expected { expected, found: type_name(value) })
}

fn object<'v>(value: &'v Value, at: &Location<'_>) -> Result<&'v Map<String, Value>, FilterError> {
    value.as_object().ok_or_else(|| expected("an object", value, at))
}

fn list<'v>(value: &'v Value, at: &Location<'_>) -> Result<&'v Vec<Value>, FilterError> {
    value.as_array().ok_or_else(|| expected("a list", value, at))
}

fn text<'v>(value: &'v Value, at: &Location<'_>) -> Result<&'v str, FilterError> {
    value.as_str().ok_or_else(|| expected("a text", value, at))
}

fn boolean(value: &Value, at: &Location<'_>) -> Result<bool, FilterError> {
    value.as_bool().ok_or_else(|| expected("true or false", value, at))
}

fn size(value: &Value, at: &Location<'_>) -> Result<u64, FilterError> {
    let integral = value.as_f64().filter(|size| *size >= 0.0 && size.fract() == 0.0);
    let size = value.as_u64().or(integral.map(|size| size as u64));
    size.ok_or_else(|| expected("a non-negative integer", value, at))
}
