//! Tests of the errors of invalid filters, and of their locations.

use serde_json::{Value, json};

use super::Filter;

fn error(filter: &Value) -> String {
    Filter::parse(filter).unwrap_err().to_string()
}

#[test]
fn operator_in_the_argument_of_another_is_rejected() {
    let values =
        ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"].map(|name| (name, json!({"$regex": "^x"})));
    let lists = ["$in", "$nin"].map(|name| (name, json!([1, {"$regex": "^x"}])));
    for (operator, argument) in values.into_iter().chain(lists) {
        let item = if argument.is_array() { "[1]" } else { "" };
        let problem = format!("cannot nest $regex under {operator}, which takes values");
        let condition = json!({operator: argument});
        for (filter, location) in [
            (json!({"a": condition}), "$.a"),
            (json!({"a": {"$not": condition}}), "$.a.$not"),
            (json!({"a": {"$elemMatch": condition}}), "$.a.$elemMatch"),
            (json!({"a": {"$elemMatch": {"b": condition}}}), "$.a.$elemMatch.b"),
            (json!({"$nor": [{"a": condition}]}), "$.$nor[0].a"),
            (json!({"_id": condition}), "$._id"),
        ] {
            let error = error(&filter);
            let expected = format!("at {location}.{operator}{item}.$regex: {problem}");
            assert!(error.starts_with(&expected), "{error}");
        }
        let deeper = json!({"a": {operator: json!([[{"b": [{"$gt": 1}]}]])}});
        let expected =
            format!("at $.a.{operator}[0][0].b[0].$gt: cannot nest $gt under {operator}");
        assert!(error(&deeper).starts_with(&expected), "{}", error(&deeper));
        let unknown = json!({"a": {operator: json!([{"x": 1, "$foo": 1}])}});
        let expected = format!("at $.a.{operator}[0].$foo: unknown Extended JSON type");
        assert_eq!(error(&unknown), expected);
    }
}

#[test]
fn operator_in_a_value_for_equality_is_rejected() {
    let inside = "this operator is inside a value that is compared as a whole";
    for (filter, location) in [
        (json!({"a": {"b": [{"$gt": 1}]}}), "$.a.b[0].$gt"),
        (json!({"a": {"b": {"$regex": "^x"}}}), "$.a.b.$regex"),
        (json!({"a": [{"$regex": "^x"}]}), "$.a[0].$regex"),
        (json!({"a": [[{"$in": []}]]}), "$.a[0][0].$in"),
        (json!({"$or": [{"a": [{"$not": {}}]}]}), "$.$or[0].a[0].$not"),
    ] {
        let error = error(&filter);
        assert!(error.starts_with(&format!("at {location}: {inside}")), "{error}");
    }
    let unknown = "unknown Extended JSON type";
    assert_eq!(error(&json!({"a": {"b": {"$x": 1}}})), format!("at $.a.b.$x: {unknown}"));
    assert_eq!(error(&json!({"a": {"b": {"$ref": 1}}})), format!("at $.a.b.$ref: {unknown}"));
}

#[test]
fn malformed_or_misplaced_extended_json_is_rejected() {
    for (filter, expected) in [
        (
            json!({"_id": {"$oid": "65f0"}}),
            "at $._id.$oid: this Extended JSON type requires 24 hexadecimal digits",
        ),
        (
            json!({"a": {"$in": [{"$numberLong": 5}]}}),
            "at $.a.$in[0].$numberLong: this Extended JSON type requires an integer of 64 bits, as text",
        ),
        (
            json!({"a": {"$regularExpression": {"pattern": "^x", "options": ""}}}),
            "at $.a.$regularExpression: this Extended JSON type has no plain JSON value",
        ),
        (
            json!({"a": {"$gt": 1, "$date": 0}}),
            "at $.a.$date: an Extended JSON object cannot have other fields",
        ),
        (
            json!({"a": {"$not": {"$date": 0}}}),
            "at $.a.$not.$date: expected an operator, found a value; use {\"$eq\": VALUE}",
        ),
    ] {
        assert_eq!(error(&filter), expected);
    }
}

#[test]
fn unknown_or_misplaced_operator_is_rejected() {
    let unknown = "unknown operator; ";
    let all = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $and, $or, $nor, $not, $exists, $regex, \
               $options, $size, $elemMatch";
    let gte = json!({"a": {"$gte2": 1}});
    assert_eq!(error(&gte), format!("at $.a.$gte2: {unknown}did you mean $gte?"));
    assert_eq!(
        error(&json!({"$where": "x"})),
        format!("at $.$where: {unknown}expected one of {all}")
    );
    let combines = "this operator combines whole filters and cannot be used inside a field";
    assert_eq!(error(&json!({"a": {"$or": [{"x": 1}]}})), format!("at $.a.$or: {combines}"));
    for operator in ["$gt", "$not"] {
        let field = format!("requires a field: {{\"FIELD\": {{\"{operator}\": ..}}}}");
        let expected = format!("at $.{operator}: this operator {field}");
        assert_eq!(error(&json!({operator: {"a": 1}})), expected);
    }
    let mixed = "cannot mix fields and operators, which begin with $, in one object";
    assert_eq!(error(&json!({"a": {"$gt": 1, "b": 2}})), format!("at $.a: {mixed}"));
    assert_eq!(error(&json!({"a": {"b": 2, "$gt": 1}})), format!("at $.a: {mixed}"));
    let elem_match = json!({"a": {"$elemMatch": {"x": 1, "$gt": 1}}});
    assert_eq!(error(&elem_match), format!("at $.a.$elemMatch: {mixed}"));
}

#[test]
fn argument_of_the_wrong_type_is_rejected() {
    for (filter, expected) in [
        (json!([]), "at $: expected an object, found a list"),
        (json!({"a": {"$in": "x"}}), "at $.a.$in: expected a list, found a text"),
        (json!({"$or": [{"a": 1}, 2]}), "at $.$or[1]: expected an object, found a number"),
        (json!({"$nor": {"a": 1}}), "at $.$nor: expected a list, found an object"),
        (json!({"a": {"$not": 5}}), "at $.a.$not: expected an object of operators, found a number"),
        (json!({"a": {"$exists": 1}}), "at $.a.$exists: expected true or false, found a number"),
        (
            json!({"a": {"$size": -1}}),
            "at $.a.$size: expected a non-negative integer, found a number",
        ),
        (
            json!({"a": {"$size": 1.5}}),
            "at $.a.$size: expected a non-negative integer, found a number",
        ),
        (json!({"a": {"$elemMatch": 1}}), "at $.a.$elemMatch: expected an object, found a number"),
        (json!({"a": {"$regex": 1}}), "at $.a.$regex: expected a text, found a number"),
        (
            json!({"a": {"$regex": "a", "$options": 1}}),
            "at $.a.$options: expected a text, found a number",
        ),
    ] {
        assert_eq!(error(&filter), expected);
    }
}

#[test]
fn empty_list_and_invalid_pattern_or_path_are_rejected() {
    for (filter, expected) in [
        (json!({"$and": []}), "at $.$and: the list of filters must not be empty"),
        (json!({"a": {"$not": {}}}), "at $.a.$not: the object of operators must not be empty"),
        (json!({"a": {"$regex": "("}}), "at $.a.$regex: invalid pattern: unclosed group"),
        (
            json!({"a": {"$options": "i"}}),
            "at $.a.$options: $options requires a $regex in the same object",
        ),
        (
            json!({"a": {"$options": "ig", "$regex": "a"}}),
            "at $.a.$options: unknown pattern option 'g'; expected i, m, s or x",
        ),
        (json!({"a..b": 1}), "at $.a..b: the path `a..b` has an empty part"),
        (json!({"": 1}), "at $.: the path `` has an empty part"),
    ] {
        assert_eq!(error(&filter), expected);
    }
}

#[test]
fn filter_over_a_limit_is_rejected() {
    let many = |count: usize| json!({"$or": vec![json!({"a": 1}); count]});
    assert!(Filter::parse(&many(1000)).is_ok());
    assert_eq!(error(&many(1001)), "at $.$or[1000].a: the filter has more than 1000 conditions");
    let empty = json!({"$nor": vec![json!({}); 1001]});
    assert_eq!(error(&empty), "at $.$nor[1000]: the filter has more than 1000 conditions");
    let long = json!({"a": "x".repeat(64 << 10)});
    assert_eq!(error(&long), "at $: the filter is larger than 64 KiB");
    assert_eq!(Filter::parse_text(&long.to_string()).unwrap_err().to_string(), error(&long));
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"x": inner}));
    assert!(Filter::parse(&json!({"a": nested(63)})).is_ok());
    assert_eq!(error(&json!({"a": nested(64)})), "at $: the filter has more than 64 levels");
    let ids: Vec<_> = (0..5_000).map(|id| format!("id-{id}")).collect();
    assert!(
        Filter::parse(&json!({"_id": {"$in": ids}})).is_ok(),
        "a list of `$in` is one condition"
    );
}

#[test]
fn text_is_parsed_strictly() {
    let filter = Filter::parse_text(r#"{"a": {"$gt": 1}}"#).unwrap();
    assert_eq!(filter, Filter::parse(&json!({"a": {"$gt": 1}})).unwrap());
    let error = Filter::parse_text(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
    assert_eq!(error, "at $: not JSON: duplicate field `a` at line 1 column 16");
    let error = Filter::parse_text(r#"{"a": {"$qt": 1}}"#).unwrap_err().to_string();
    assert_eq!(error, "at $.a.$qt: unknown operator; did you mean $gt?");
}
