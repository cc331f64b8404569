//! Reads filters.

use serde_json::{Map, Value};

use super::clause::{Clause, Item, Probe, Test};
use super::error::{FilterError, Place, Problem};
use super::operator::{self, Combining, Comparison, FieldOperator, Operator};
use super::{MAX_CONDITIONS, pattern};
use crate::body::type_name;
use crate::extended::{self, ExtendedProblem};
use crate::order;
use crate::path::Path;

/// Reads a filter of bounded depth.
pub(super) fn read(source: &Value) -> Result<Clause, FilterError> {
    let fields = object(source, &Place::Top)?;
    Reader { conditions: 0, room: pattern::ByteBudget::default() }.clause(
        fields,
        &Place::Top,
        Scope::Document,
    )
}

/// Whether `_id` stands for the document's id.
#[derive(Clone, Copy)]
enum Scope {
    /// It does.
    Document,
    /// It is a field like any other: of an item of a list.
    Item,
}

/// What was read so far, counted.
struct Reader {
    conditions: usize,
    /// What patterns may still need.
    room: pattern::ByteBudget,
}

impl Reader {
    fn clause(
        &mut self,
        fields: &Map<String, Value>,
        at: &Place<'_>,
        scope: Scope,
    ) -> Result<Clause, FilterError> {
        if fields.is_empty() {
            self.count(at)?;
        }
        let mut clauses = Vec::with_capacity(fields.len());
        for (name, value) in fields {
            let at = Place::Name(at, name);
            clauses.push(match name.starts_with('$') {
                true => self.combined(name, value, &at, scope)?,
                false => self.field(name, value, &at, scope)?,
            });
        }
        Ok(one_or(clauses, Clause::All))
    }

    /// Reads filters that an operator combines.
    fn combined(
        &mut self,
        name: &str,
        value: &Value,
        at: &Place<'_>,
        scope: Scope,
    ) -> Result<Clause, FilterError> {
        let combine = match operator::named(name) {
            Some((_, Operator::Combining(combining))) => combining,
            Some((known, Operator::Field(_))) => {
                return Err(at.problem(Problem::NeedsField(known)));
            }
            None => return Err(unknown(name, at)),
        };
        let filters = list(value, at)?;
        if filters.is_empty() {
            return Err(at.problem(Problem::Empty("a list of filters")));
        }
        let mut clauses = Vec::with_capacity(filters.len());
        for (number, filter) in filters.iter().enumerate() {
            let at = Place::Item(at, number);
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
        at: &Place<'_>,
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

    /// Reads operators, or else a value that is to be equal.
    fn test(&mut self, value: &Value, at: &Place<'_>) -> Result<Test, FilterError> {
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

    /// Reads operators of a field, at least one.
    fn operators(
        &mut self,
        operators: &Map<String, Value>,
        at: &Place<'_>,
    ) -> Result<Test, FilterError> {
        if !operators.keys().all(|name| is_operator(name)) {
            return Err(at.problem(Problem::Mixed));
        }
        let mut tests = Vec::with_capacity(operators.len());
        for (name, value) in operators {
            let at = Place::Name(at, name);
            let operator = match operator::named(name) {
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

    /// Reads an operator; `None` for one that belongs to another beside it.
    fn operator(
        &mut self,
        (name, operator): (&'static str, FieldOperator),
        value: &Value,
        beside: &Map<String, Value>,
        at: &Place<'_>,
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
            FieldOperator::Exists => match truth(value, at)? {
                true => Test::Exists,
                false => not(Test::Exists),
            },
            FieldOperator::Regex => self.pattern(value, beside.get("$options"), at)?,
            FieldOperator::Options if beside.contains_key("$regex") => return Ok(None),
            FieldOperator::Options => return Err(at.problem(Problem::OptionsAlone)),
            FieldOperator::Size => Test::Size(size(value, at)?),
            FieldOperator::ElemMatch => Test::Item(Box::new(self.item(object(value, at)?, at)?)),
        }))
    }

    fn negated(&mut self, value: &Value, at: &Place<'_>) -> Result<Test, FilterError> {
        let operators = value.as_object().ok_or_else(|| {
            at.problem(Problem::Expected {
                expected: "an object of operators",
                found: type_name(value),
            })
        })?;
        if operators.is_empty() {
            return Err(at.problem(Problem::Empty("an object of operators")));
        }
        self.operators(operators, at)
    }

    fn pattern(
        &mut self,
        value: &Value,
        options: Option<&Value>,
        at: &Place<'_>,
    ) -> Result<Test, FilterError> {
        let options_at = at.beside("$options");
        let options = options.map_or(Ok(""), |options| text(options, &options_at))?;
        let compiled = self.room.compile(text(value, at)?, options);
        let pattern = compiled.map_err(|problem| match problem {
            Problem::Option(_) => options_at.problem(problem),
            _ => at.problem(problem),
        })?;
        Ok(Test::One(Probe::Matches(pattern)))
    }

    /// Reads what is asked of the items of a list: operators, or else a filter.
    fn item(&mut self, wanted: &Map<String, Value>, at: &Place<'_>) -> Result<Item, FilterError> {
        let combines =
            |name: &String| matches!(operator::named(name), Some((_, Operator::Combining(_))));
        if wanted.keys().any(|name| is_operator(name) && !combines(name)) {
            return Ok(Item::Itself(self.operators(wanted, at)?));
        }
        Ok(Item::Object(self.clause(wanted, at, Scope::Item)?))
    }

    /// Counts a condition.
    fn count(&mut self, at: &Place<'_>) -> Result<(), FilterError> {
        self.conditions += 1;
        let many = self.conditions > MAX_CONDITIONS;
        if many { Err(at.problem(Problem::ManyConditions)) } else { Ok(()) }
    }
}

fn is_operator(name: &str) -> bool {
    name.starts_with('$')
}

/// Returns the only one, or else all of them together.
fn one_or<T>(mut several: Vec<T>, together: fn(Box<[T]>) -> T) -> T {
    match several.len() {
        1 => several.swap_remove(0),
        _ => together(several.into()),
    }
}

fn one_of(value: &Value, at: &Place<'_>, operator: &'static str) -> Result<Test, FilterError> {
    list(value, at)?;
    let Value::Array(mut wanted) = plain(value, at, Some(operator))? else {
        return Err(expected("a list", value, at));
    };
    wanted.sort_by(order::compare);
    Ok(Test::One(Probe::In(wanted.into())))
}

/// Returns a value to compare with, Extended JSON as plain JSON. `operator` is the one whose
/// argument it is, if there is one.
///
/// An object that is neither, such as an operator, is refused: it is not meant as a literal value.
fn plain(
    value: &Value,
    at: &Place<'_>,
    operator: Option<&'static str>,
) -> Result<Value, FilterError> {
    let mut value = value.clone();
    extended::convert(&mut value).map_err(|error| {
        let nested = operator::named(error.name()).map(|(nested, _)| nested);
        let problem = match (&error.problem, nested, operator) {
            (ExtendedProblem::Unknown, Some(nested), Some(operator)) => {
                Problem::Nested { nested, operator }
            }
            (ExtendedProblem::Unknown, Some(_), None) => Problem::Inside,
            (problem, _, _) => Problem::Extended(problem.clone()),
        };
        at.problem_below(error.place(), problem)
    })?;
    Ok(value)
}

fn unknown(name: &str, at: &Place<'_>) -> FilterError {
    at.problem(Problem::Unknown { suggestion: operator::nearest(name) })
}

fn expected(expected: &'static str, value: &Value, at: &Place<'_>) -> FilterError {
    at.problem(Problem::Expected { expected, found: type_name(value) })
}

fn object<'v>(value: &'v Value, at: &Place<'_>) -> Result<&'v Map<String, Value>, FilterError> {
    value.as_object().ok_or_else(|| expected("an object", value, at))
}

fn list<'v>(value: &'v Value, at: &Place<'_>) -> Result<&'v Vec<Value>, FilterError> {
    value.as_array().ok_or_else(|| expected("a list", value, at))
}

fn text<'v>(value: &'v Value, at: &Place<'_>) -> Result<&'v str, FilterError> {
    value.as_str().ok_or_else(|| expected("a text", value, at))
}

fn truth(value: &Value, at: &Place<'_>) -> Result<bool, FilterError> {
    value.as_bool().ok_or_else(|| expected("true or false", value, at))
}

fn size(value: &Value, at: &Place<'_>) -> Result<u64, FilterError> {
    let whole = value.as_f64().filter(|size| *size >= 0.0 && size.fract() == 0.0);
    let size = value.as_u64().or(whole.map(|size| size as u64));
    size.ok_or_else(|| expected("a whole number from 0", value, at))
}
