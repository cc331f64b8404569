//! What filters mean: tables of filters, and of what fits and what does not.
//!
//! They follow MongoDB's manual and its own tests of paths and of null, but for what
//! `wit/README.md` names as different.

use serde_json::{Value, json};

use super::Filter;
use crate::name::DocumentId;

fn matches(filter: &Value, document: &Value) -> bool {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let id = DocumentId::new("b").unwrap();
    filter.matches(&id, document.as_object().unwrap())
}

/// Checks that a filter means these documents and not those. The documents are lists.
fn check(filter: &Value, fits: &Value, other: &Value) {
    for document in fits.as_array().unwrap() {
        assert!(matches(filter, document), "{filter} has to mean {document}");
    }
    for document in other.as_array().unwrap() {
        assert!(!matches(filter, document), "{filter} must not mean {document}");
    }
}

/// Checks filters of `a`, and that their opposites mean the opposite.
fn check_a(asked: &Value, fits: &Value, other: &Value) {
    let with = |values: &Value| -> Value {
        values.as_array().unwrap().iter().map(|value| json!({"a": value})).collect()
    };
    check(&json!({"a": asked}), &with(fits), &with(other));
    check(&json!({"$nor": [{"a": asked}]}), &with(other), &with(fits));
    if asked.as_object().is_some_and(|asked| asked.keys().any(|key| key.starts_with('$'))) {
        check(&json!({"a": {"$not": asked}}), &with(other), &with(fits));
        let several = json!({"$and": [{"a": asked}, {"$or": [{"a": asked}, {"x": 1}]}]});
        check(&several, &with(fits), &with(other));
    } else {
        check_a(&json!({"$eq": asked}), fits, other);
        check(&json!({"a": {"$ne": asked}}), &with(other), &with(fits));
        check(&json!({"a": {"$in": [asked]}}), &with(fits), &with(other));
        check(&json!({"a": {"$nin": [asked]}}), &with(other), &with(fits));
    }
}

#[test]
fn an_empty_filter_means_all() {
    check(&json!({}), &json!([{}, {"a": 1}]), &json!([]));
    assert_eq!(Filter::parse(&json!({})).unwrap(), Filter::all());
    assert!(Filter::all().matches(&DocumentId::new("x").unwrap(), &serde_json::Map::new()));
}

#[test]
fn a_value_means_what_equals_it_or_has_an_item_that_does() {
    check_a(&json!(1), &json!([1, 1.0, [1], [0, 1], [[2], 1]]), &json!([2, "1", [], [[1]], {}]));
    check_a(&json!("x"), &json!(["x", ["y", "x"]]), &json!(["", "X", ["xx"], {"x": "x"}]));
    check_a(&json!(true), &json!([true, [true]]), &json!([false, 1, "true"]));
    check_a(
        &json!(9_007_199_254_740_993_u64),
        &json!([9_007_199_254_740_993_u64]),
        &json!([9_007_199_254_740_992.0]),
    );
}

#[test]
fn a_list_means_the_same_list_or_a_list_that_holds_it() {
    check_a(
        &json!([1, 2]),
        &json!([[1, 2], [1.0, 2], [[1, 2], 3]]),
        &json!([[2, 1], [1], [1, 2, 3], 1, [[[1, 2]]]]),
    );
    check_a(&json!([]), &json!([[], [[]], [1, []]]), &json!([null, [1], {}]));
}

#[test]
fn an_object_means_the_same_fields_in_any_order() {
    check_a(
        &json!({"x": 1, "y": 2}),
        &json!([{"x": 1, "y": 2}, {"y": 2, "x": 1.0}, [{"y": 2, "x": 1}]]),
        &json!([{"x": 1}, {"x": 1, "y": 2, "z": 3}, {"x": 1, "y": 3}, [[{"x": 1, "y": 2}]]]),
    );
    check_a(&json!({}), &json!([{}, [{}]]), &json!([{"x": 1}, [], null]));
}

#[test]
fn fields_and_operators_side_by_side_have_to_hold_all() {
    check(
        &json!({"status": "open", "salary": {"$gte": 1000, "$lt": 2000}}),
        &json!([{"status": "open", "salary": 1000}, {"salary": 1999.5, "status": ["open"]}]),
        &json!([{"status": "open"}, {"status": "open", "salary": 2000}, {"salary": 1500}]),
    );
    // Each operator looks for an item of its own.
    check_a(&json!({"$gt": 1, "$lt": 0}), &json!([[2, -1]]), &json!([2, -1, [2], [0, 1]]));
}

#[test]
fn null_means_null_or_missing() {
    check_a(
        &json!(null),
        &json!([null, [null], [1, null]]),
        &json!([0, "", false, [], {}, [[null]]]),
    );
    check(&json!({"a": null}), &json!([{}, {"b": 1}]), &json!([]));
    check(&json!({"a": {"$ne": null}}), &json!([{"a": 0}]), &json!([{}, {"a": null}]));
    check(
        &json!({"a": {"$in": [null, 75]}}),
        &json!([{}, {"a": 75}, {"a": null}]),
        &json!([{"a": 4}]),
    );
    check(
        &json!({"a": {"$nin": [null, 75]}}),
        &json!([{"a": 4}, {"a": []}, {"a": {}}]),
        &json!([{}, {"a": [1, null]}, {"a": 75}]),
    );
    check(
        &json!({"a": {"$nin": [null, []]}}),
        &json!([{"a": 4}, {"a": [1]}]),
        &json!([{}, {"a": []}, {"a": [[]]}]),
    );
}

#[test]
fn null_within_objects_and_lists() {
    let without = json!([
        {}, {"a": null}, {"a": 4}, {"a": {}}, {"a": {"b": null}}, {"a": [{"b": null}, {"b": 3}]},
        {"a": [{"b": 3}, {}]}, {"a": []}, {"a": [[]]}, {"a": [1, "x"]}, {"a": [null]}
    ]);
    let with = json!([{"a": {"b": "hi"}}, {"a": [{"b": 1}, {"b": 3}]}, {"a": {"b": []}}, {"a": [1, {"b": 2}]}]);
    for filter in
        [json!({"a.b": null}), json!({"a.b": {"$in": [null, 75]}}), json!({"a.b": {"$lte": null}})]
    {
        check(&filter, &without, &with);
    }
    for filter in [
        json!({"a.b": {"$ne": null}}),
        json!({"a.b": {"$nin": [null, 75]}}),
        json!({"a.b": {"$not": {"$gte": null}}}),
    ] {
        check(&filter, &with, &without);
    }
}

#[test]
fn comparisons_are_within_a_type() {
    check_a(
        &json!({"$gt": 5}),
        &json!([6, 5.5, [1, 6]]),
        &json!([5, 5.0, "6", null, true, {"x": 6}, {}, [[6]], []]),
    );
    check_a(&json!({"$gte": 5}), &json!([5, 5.0, 6]), &json!([4.999, "5"]));
    check_a(&json!({"$lt": 5}), &json!([4, -1, [9, 4]]), &json!([5, null, "4", false, []]));
    check_a(&json!({"$lte": 5}), &json!([5, 4]), &json!([5.1, null]));
    check_a(
        &json!({"$gt": "b"}),
        &json!(["c", "bb", "ä", ["a", "c"]]),
        &json!(["b", "B", 9, null]),
    );
    check_a(&json!({"$gt": false}), &json!([true, [true]]), &json!([false, 1, "true"]));
    check_a(
        &json!({"$gt": 9_007_199_254_740_992.0}),
        &json!([9_007_199_254_740_993_u64]),
        &json!([9_007_199_254_740_992_u64]),
    );
}

#[test]
fn comparisons_with_null_lists_and_objects() {
    check_a(&json!({"$gte": null}), &json!([null, [null]]), &json!([0, "", [], {}]));
    check_a(&json!({"$lte": null}), &json!([null]), &json!([0, false]));
    check_a(&json!({"$gt": null}), &json!([]), &json!([null, 0, [null]]));
    check(&json!({"a": {"$gte": null}}), &json!([{}]), &json!([]));
    check(&json!({"a": {"$lt": null}}), &json!([]), &json!([{}, {"a": null}]));
    check_a(
        &json!({"$gt": [1, 2]}),
        &json!([[1, 3], [1, 2, 0], [2], [[1, 3], 0]]),
        &json!([[1, 2], [1], 9, []]),
    );
    check_a(
        &json!({"$lt": {"x": 2}}),
        &json!([{"x": 1}, {}, {"w": 9}, [{"x": 1}]]),
        &json!([{"x": 2}, {"y": 0}, 1]),
    );
}

#[test]
fn in_means_one_of_several() {
    check_a(
        &json!({"$in": [3, "x", null, [1, 2], {"k": 1}]}),
        &json!([3, 3.0, "x", null, ["y", "x"], [1, 2], [[1, 2]], {"k": 1.0}, [{"k": 1}]]),
        &json!([1, 2, "", true, [1], {"k": 2}, {}, [[3]], []]),
    );
    check_a(&json!({"$in": []}), &json!([]), &json!([1, null, [], [[]]]));
    check_a(&json!({"$nin": []}), &json!([1, null, []]), &json!([]));
    check_a(&json!({"$nin": [1, 2]}), &json!([3, "1", [], [3, [1]]]), &json!([1, 2, [3, 2]]));
    check(&json!({"a": {"$nin": [1]}}), &json!([{}]), &json!([]));
}

#[test]
fn not_equal_means_that_no_item_equals() {
    check_a(&json!({"$ne": 1}), &json!([2, null, [], [2, 3], [[1]], {}]), &json!([1, [2, 1], 1.0]));
    check(&json!({"a": {"$ne": 1}}), &json!([{}]), &json!([]));
    check(
        &json!({"a.b": {"$ne": 1}}),
        &json!([{"a": []}, {"a": [{"b": 2}]}]),
        &json!([{"a": [{"b": 2}, {"b": 1}]}]),
    );
}

#[test]
fn not_means_whatever_does_not_fit_the_missing_too() {
    check_a(&json!({"$not": {"$gt": 5}}), &json!([5, "6", null, [], [1, 5]]), &json!([6, [1, 6]]));
    check(&json!({"a": {"$not": {"$gt": 5}}}), &json!([{}]), &json!([]));
    check_a(&json!({"$not": {"$gt": 1, "$lt": 5}}), &json!([1, 5, "x"]), &json!([2, [0, 9]]));
    check_a(&json!({"$not": {"$not": {"$gt": 5}}}), &json!([6]), &json!([5, null]));
    check_a(
        &json!({"$not": {"$regex": "^x"}}),
        &json!(["ax", 1, null, []]),
        &json!(["x", ["a", "xy"]]),
    );
    check_a(&json!({"$not": {"$exists": false}}), &json!([null, 1]), &json!([]));
}

#[test]
fn and_or_and_nor_combine() {
    check(
        &json!({"$and": [{"a": 1}, {"b": 2}]}),
        &json!([{"a": 1, "b": 2}]),
        &json!([{"a": 1}, {"b": 2}, {}]),
    );
    check(
        &json!({"$or": [{"a": 1}, {"b": 2}]}),
        &json!([{"a": 1}, {"b": 2}, {"a": 1, "b": 2}]),
        &json!([{}, {"a": 2}]),
    );
    check(
        &json!({"$nor": [{"a": 1}, {"b": 2}]}),
        &json!([{}, {"a": 2}]),
        &json!([{"a": 1}, {"b": 2}]),
    );
    check(
        &json!({"x": 1, "$or": [{"a": 1}, {}], "$nor": [{"y": 1}]}),
        &json!([{"x": 1}]),
        &json!([{"a": 1}, {"x": 1, "y": 1}]),
    );
    check(
        &json!({"$and": [{"$or": [{"a": {"$gt": 1}}, {"a": {"$lt": -1}}]}, {"a": {"$ne": 5}}]}),
        &json!([{"a": 2}, {"a": -2}]),
        &json!([{"a": 0}, {"a": 5}]),
    );
}

#[test]
fn exists_is_about_being_there_with_null_too() {
    check_a(&json!({"$exists": true}), &json!([null, 0, [], {}]), &json!([]));
    check(&json!({"a": {"$exists": true}}), &json!([]), &json!([{}, {"b": 1}]));
    check(&json!({"a": {"$exists": false}}), &json!([{}]), &json!([{"a": null}]));
    let (there, missing) = (
        json!([{"a": {"b": null}}, {"a": [{"b": 1}, {}]}]),
        json!([{}, {"a": 1}, {"a": []}, {"a": [1]}, {"a": [{"c": 1}]}, {"a": [[{"b": 1}]]}]),
    );
    check(&json!({"a.b": {"$exists": true}}), &there, &missing);
    check(&json!({"a.b": {"$exists": false}}), &missing, &there);
}

#[test]
fn regex_finds_texts_and_items_that_are_texts() {
    check_a(
        &json!({"$regex": "^ab"}),
        &json!(["abc", ["x", "ab"]]),
        &json!(["xab", "AB", 1, null, {}, [["ab"]], []]),
    );
    check_a(&json!({"$regex": "^AB", "$options": "i"}), &json!(["abc"]), &json!(["xab"]));
    check_a(&json!({"$options": "ms", "$regex": "^b.c$"}), &json!(["a\nb\nc"]), &json!(["ab\nc"]));
    check_a(&json!({"$regex": "a", "$ne": "ab"}), &json!(["a"]), &json!(["ab", "b"]));
    check(&json!({"a": {"$regex": ""}}), &json!([]), &json!([{}]));
}

#[test]
fn size_is_that_of_a_list_itself() {
    check_a(
        &json!({"$size": 2}),
        &json!([[1, 2], [[], []]]),
        &json!([[1], [[1, 2]], "ab", 2, {}, null]),
    );
    check_a(&json!({"$size": 0}), &json!([[]]), &json!([[[]], null]));
    check_a(&json!({"$size": 1.0}), &json!([[0]]), &json!([[]]));
    check(
        &json!({"a.b": {"$size": 1}}),
        &json!([{"a": [{"b": []}, {"b": [1]}]}]),
        &json!([{"a": [{"b": 1}]}, {"a": []}]),
    );
    check(&json!({"a.0": {"$size": 2}}), &json!([{"a": [[1, 2]]}]), &json!([{"a": [1, 2]}]));
    check(&json!({"a": {"$size": 0}}), &json!([]), &json!([{}]));
}

#[test]
fn elem_match_asks_one_item_for_everything() {
    check_a(
        &json!({"$elemMatch": {"x": 1, "y": {"$gt": 1}}}),
        &json!([[{"x": 1, "y": 2}], [0, {"x": [1], "y": 9}]]),
        &json!([[{"x": 1}, {"y": 2}], {"x": 1, "y": 2}, [[{"x": 1, "y": 2}]], [], null, 1]),
    );
    check_a(
        &json!({"$elemMatch": {"$gt": 1, "$lt": 5}}),
        &json!([[0, 3], [9, 1.5]]),
        &json!([[0, 9], 3, [[3]], []]),
    );
    check_a(
        &json!({"$elemMatch": {"$or": [{"x": 1}, {"y": 1}]}}),
        &json!([[{"y": 1}]]),
        &json!([[{}], [1]]),
    );
    check_a(&json!({"$elemMatch": {}}), &json!([[{}], [1, {"x": 1}]]), &json!([[], [1], {}]));
}

#[test]
fn elem_match_asks_the_item_itself_not_what_is_in_it() {
    check_a(
        &json!({"$elemMatch": {"$eq": null}}),
        &json!([[null, null], [1, null]]),
        &json!([null, [], [1]]),
    );
    check_a(
        &json!({"$elemMatch": {"$ne": null}}),
        &json!([[[]], [1, null], [{}]]),
        &json!([[], [null], 4]),
    );
    check_a(&json!({"$elemMatch": {"$eq": [1]}}), &json!([[[1]]]), &json!([[1], [[[1]]]]));
    check_a(
        &json!({"$elemMatch": {"$in": [1, "x"]}}),
        &json!([["x"], [2, 1]]),
        &json!([[2], [[1]]]),
    );
    check_a(&json!({"$elemMatch": {"$nin": [1]}}), &json!([[1, 2]]), &json!([[1], []]));
    check_a(
        &json!({"$elemMatch": {"$not": {"$gt": 1}}}),
        &json!([[1], ["x", 9]]),
        &json!([[2], []]),
    );
    check_a(&json!({"$elemMatch": {"$regex": "^a"}}), &json!([["b", "ab"]]), &json!(["ab", ["b"]]));
    check_a(&json!({"$elemMatch": {"$size": 1}}), &json!([[[0]]]), &json!([[0], [[]]]));
    check_a(&json!({"$elemMatch": {"$exists": true}}), &json!([[0], [null]]), &json!([[], 0]));
    check_a(
        &json!({"$elemMatch": {"$elemMatch": {"$gt": 1}}}),
        &json!([[[2]], [0, [1, 2]]]),
        &json!([[2], [[1]], [[[2]]]]),
    );
    check(
        &json!({"a.b": {"$elemMatch": {"c": 1}}}),
        &json!([{"a": [{"b": [{"c": 1}]}]}]),
        &json!([{"a": [{"b": {"c": 1}}]}]),
    );
    // `_id` of an item is a field.
    check_a(
        &json!({"$elemMatch": {"_id": "b"}}),
        &json!([[{"_id": "b"}]]),
        &json!([[{}], [{"_id": "c"}]]),
    );
}

#[test]
fn paths_lead_through_objects_and_lists() {
    check(
        &json!({"a.b.c": 1}),
        &json!([{"a": {"b": {"c": 1}}}, {"a": [{"b": [{"c": [0, 1]}]}]}]),
        &json!([{"a": {"b": 1}}, {"a.b.c": 1}, {"a": [[{"b": {"c": 1}}]]}]),
    );
    check(
        &json!({"a.1": 7}),
        &json!([{"a": [5, 7]}, {"a": {"1": 7}}]),
        &json!([{"a": [7, 5]}, {"a": [7]}]),
    );
    check(&json!({"a.1": [2, 4]}), &json!([{"a": [5, [2, 4]]}]), &json!([{"a": [[2, 4], 5]}]));
    check(&json!({"a.1": 2}), &json!([]), &json!([{"a": [5, [2, 4]]}]));
    check(
        &json!({"a.1.b": 4}),
        &json!([{"a": [0, {"b": 4}]}, {"a": [0, [{"b": 4}]]}, {"a": [0, {"b": [4]}]}]),
        &json!([{"a": [{"b": 4}]}]),
    );
    check(
        &json!({"a.5": null}),
        &json!([{"a": [1]}, {"a": []}, {}]),
        &json!([{"a": [0, 0, 0, 0, 0, 1]}]),
    );
    check(
        &json!({"a.b": 1, "a.c": 2}),
        &json!([{"a": [{"b": 1}, {"c": 2}]}]),
        &json!([{"a": [{"b": 1}]}]),
    );
    check(&json!({"A": 1}), &json!([{"A": 1}]), &json!([{"a": 1}]));
}

#[test]
fn the_id_is_asked_as_a_field() {
    let (all, none) = (json!([{}, {"_id": "x"}]), json!([]));
    for asked in [
        json!("b"),
        json!({"$gte": "b", "$lt": "c"}),
        json!({"$in": ["a", "b"]}),
        json!({"$regex": "^b$"}),
        json!({"$exists": true}),
        json!({"$ne": "x"}),
        json!({"$not": {"$size": 1}}),
    ] {
        check(&json!({"_id": asked}), &all, &none);
    }
    for asked in [
        json!("x"),
        json!({"$gt": "b"}),
        json!({"$in": ["a", null, 1, {}]}),
        json!({"$exists": false}),
        json!(null),
        json!(1),
        json!({"$gte": 0}),
        json!({"$elemMatch": {"$eq": "b"}}),
    ] {
        check(&json!({"_id": asked}), &none, &all);
    }
    check(&json!({"_id.x": null, "$or": [{"_id": "b"}]}), &all, &none);
    check(&json!({"_id.x": {"$exists": true}}), &none, &all);
}

#[test]
fn an_operator_in_the_argument_of_another_is_refused_with_its_place() {
    let values =
        ["$eq", "$ne", "$gt", "$gte", "$lt", "$lte"].map(|name| (name, json!({"$regex": "^x"})));
    let lists = ["$in", "$nin"].map(|name| (name, json!([1, {"$regex": "^x"}])));
    for (operator, argument) in values.into_iter().chain(lists) {
        let item = if argument.is_array() { "[1]" } else { "" };
        let problem = format!("cannot nest $regex under {operator}, which takes values");
        let asked = json!({operator: argument});
        for (filter, place) in [
            (json!({"a": asked}), "$.a"),
            (json!({"a": {"$not": asked}}), "$.a.$not"),
            (json!({"a": {"$elemMatch": asked}}), "$.a.$elemMatch"),
            (json!({"a": {"$elemMatch": {"b": asked}}}), "$.a.$elemMatch.b"),
            (json!({"$nor": [{"a": asked}]}), "$.$nor[0].a"),
            (json!({"_id": asked}), "$._id"),
        ] {
            let told = told(&filter);
            let place = format!("at {place}.{operator}{item}.$regex: {problem}");
            assert!(told.starts_with(&place), "{told}");
        }
        let deeper = json!({"a": {operator: json!([[{"b": [{"$gt": 1}]}]])}});
        let place = format!("at $.a.{operator}[0][0].b[0].$gt: cannot nest $gt under {operator}");
        assert!(told(&deeper).starts_with(&place), "{}", told(&deeper));
        let unknown = json!({"a": {operator: json!([{"x": 1, "$foo": 1}])}});
        let place = format!("at $.a.{operator}[0].$foo: there is no such type of Extended JSON");
        assert_eq!(told(&unknown), place);
    }
}

#[test]
fn an_operator_in_a_value_that_is_to_be_equal_is_refused_with_its_place() {
    let inside = "this operator is inside a value that is compared as a whole";
    for (filter, place) in [
        (json!({"a": {"b": [{"$gt": 1}]}}), "$.a.b[0].$gt"),
        (json!({"a": {"b": {"$regex": "^x"}}}), "$.a.b.$regex"),
        (json!({"a": [{"$regex": "^x"}]}), "$.a[0].$regex"),
        (json!({"a": [[{"$in": []}]]}), "$.a[0][0].$in"),
        (json!({"$or": [{"a": [{"$not": {}}]}]}), "$.$or[0].a[0].$not"),
    ] {
        let told = told(&filter);
        assert!(told.starts_with(&format!("at {place}: {inside}")), "{told}");
    }
    let unknown = "there is no such type of Extended JSON";
    assert_eq!(told(&json!({"a": {"b": {"$x": 1}}})), format!("at $.a.b.$x: {unknown}"));
    assert_eq!(told(&json!({"a": {"b": {"$ref": 1}}})), format!("at $.a.b.$ref: {unknown}"));
}

#[test]
fn extended_json_stands_for_plain_values() {
    let oid = "65f0c0ffee0123456789abcd";
    for (extended, plain) in [
        (json!({"$oid": oid}), json!(oid)),
        (json!({"$date": "2024-01-31T12:00:00+01:00"}), json!("2024-01-31T11:00:00.000Z")),
        (json!({"$numberLong": "5"}), json!(5)),
        (json!({"$numberDecimal": "2.50"}), json!(2.5)),
    ] {
        let (fits, other) = (json!([{"a": plain}, {"a": [plain]}]), json!([{"a": extended}, {}]));
        for asked in [
            extended.clone(),
            json!({"$eq": extended}),
            json!({"$in": [extended]}),
            json!({"$gte": extended, "$lte": extended}),
            json!({"$not": {"$ne": extended}}),
        ] {
            check(&json!({"a": asked}), &fits, &other);
        }
        let within = json!({"a": {"b": [extended]}});
        check(&within, &json!([{"a": {"b": [plain]}}]), &json!([within]));
        check(&json!({"a": {"$elemMatch": {"$eq": extended}}}), &json!([{"a": [plain]}]), &other);
    }
    let since = json!({"a": {"$gt": {"$date": "2024-01-01T00:00:00Z"}}});
    let later = json!([{"a": "2024-01-01T00:00:00.001Z"}, {"a": "2024-12-01T00:00:00.000Z"}]);
    check(&since, &later, &json!([{"a": "2023-12-31T23:59:59.999Z"}, {"a": 1}]));
    let reference = json!({"owner": {"$ref": "people", "$id": {"$oid": oid}}});
    let stored = json!([{"owner": {"$ref": "people", "$id": oid}}]);
    check(&reference, &stored, &json!([{"owner": oid}]));
    check(&json!({"owner.$id": {"$oid": oid}}), &stored, &json!([{"owner": oid}]));
    let ids = Filter::parse(&json!({"_id": {"$in": [{"$oid": oid}]}})).unwrap().ids().unwrap();
    assert_eq!(ids.into_iter().map(String::from).collect::<Vec<_>>(), [oid]);
}

#[test]
fn extended_json_that_is_malformed_or_in_a_wrong_place_is_told_with_its_place() {
    for (filter, expected) in [
        (
            json!({"_id": {"$oid": "65f0"}}),
            "at $._id.$oid: this type of Extended JSON needs 24 hexadecimal digits",
        ),
        (
            json!({"a": {"$in": [{"$numberLong": 5}]}}),
            "at $.a.$in[0].$numberLong: this type of Extended JSON needs an integer of 64 bits, as text",
        ),
        (
            json!({"a": {"$regularExpression": {"pattern": "^x", "options": ""}}}),
            "at $.a.$regularExpression: this type of Extended JSON has no plain value",
        ),
        (
            json!({"a": {"$gt": 1, "$date": 0}}),
            "at $.a.$date: an object of Extended JSON has no other fields",
        ),
        (
            json!({"a": {"$not": {"$date": 0}}}),
            "at $.a.$not.$date: this is a value, not an operator; {\"$eq\": VALUE} compares with one",
        ),
    ] {
        assert_eq!(told(&filter), expected);
    }
}

fn told(filter: &Value) -> String {
    Filter::parse(filter).unwrap_err().to_string()
}

#[test]
fn an_operator_that_is_none_or_stands_wrong_is_told_with_its_place() {
    let unknown = "there is no such operator; ";
    let all = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $and, $or, $nor, $not, $exists, $regex, \
               $options, $size, $elemMatch";
    let gte = json!({"a": {"$gte2": 1}});
    assert_eq!(told(&gte), format!("at $.a.$gte2: {unknown}did you mean $gte?"));
    assert_eq!(told(&json!({"$where": "x"})), format!("at $.$where: {unknown}there are {all}"));
    let combines = "this operator combines whole filters and stands beside fields, not in one";
    assert_eq!(told(&json!({"a": {"$or": [{"x": 1}]}})), format!("at $.a.$or: {combines}"));
    for operator in ["$gt", "$not"] {
        let field = format!("belongs to a field: {{\"FIELD\": {{\"{operator}\": ..}}}}");
        let expected = format!("at $.{operator}: this operator {field}");
        assert_eq!(told(&json!({operator: {"a": 1}})), expected);
    }
    let mixed = "operators, which begin with $, and fields are mixed in one object";
    assert_eq!(told(&json!({"a": {"$gt": 1, "b": 2}})), format!("at $.a: {mixed}"));
    assert_eq!(told(&json!({"a": {"b": 2, "$gt": 1}})), format!("at $.a: {mixed}"));
    let elem_match = json!({"a": {"$elemMatch": {"x": 1, "$gt": 1}}});
    assert_eq!(told(&elem_match), format!("at $.a.$elemMatch: {mixed}"));
}

#[test]
fn an_argument_of_another_type_is_told_with_its_place() {
    for (filter, expected) in [
        (json!([]), "at $: an object is needed, here is a list"),
        (json!({"a": {"$in": "x"}}), "at $.a.$in: a list is needed, here is a text"),
        (json!({"$or": [{"a": 1}, 2]}), "at $.$or[1]: an object is needed, here is a number"),
        (json!({"$nor": {"a": 1}}), "at $.$nor: a list is needed, here is an object"),
        (
            json!({"a": {"$not": 5}}),
            "at $.a.$not: an object of operators is needed, here is a number",
        ),
        (json!({"a": {"$exists": 1}}), "at $.a.$exists: true or false is needed, here is a number"),
        (
            json!({"a": {"$size": -1}}),
            "at $.a.$size: a whole number from 0 is needed, here is a number",
        ),
        (
            json!({"a": {"$size": 1.5}}),
            "at $.a.$size: a whole number from 0 is needed, here is a number",
        ),
        (
            json!({"a": {"$elemMatch": 1}}),
            "at $.a.$elemMatch: an object is needed, here is a number",
        ),
        (json!({"a": {"$regex": 1}}), "at $.a.$regex: a text is needed, here is a number"),
        (
            json!({"a": {"$regex": "a", "$options": 1}}),
            "at $.a.$options: a text is needed, here is a number",
        ),
    ] {
        assert_eq!(told(&filter), expected);
    }
}

#[test]
fn what_is_empty_or_not_readable_is_told_with_its_place() {
    for (filter, expected) in [
        (json!({"$and": []}), "at $.$and: a list of filters is needed, here is nothing"),
        (
            json!({"a": {"$not": {}}}),
            "at $.a.$not: an object of operators is needed, here is nothing",
        ),
        (json!({"a": {"$regex": "("}}), "at $.a.$regex: not a pattern: unclosed group"),
        (json!({"a": {"$options": "i"}}), "at $.a.$options: $options is for a $regex beside it"),
        (
            json!({"a": {"$options": "ig", "$regex": "a"}}),
            "at $.a.$options: the options of a pattern are i, m, s and x, not 'g'",
        ),
        (json!({"a..b": 1}), "at $.a..b: the path `a..b` has an empty part"),
        (json!({"": 1}), "at $.: the path `` has an empty part"),
    ] {
        assert_eq!(told(&filter), expected);
    }
}

#[test]
fn the_readme_of_the_contract_knows_every_operator_and_its_example_works() {
    let readme = include_str!("../../../../wit/README.md");
    let (_, section) = readme.split_once("## Filters\n").unwrap();
    for operator in super::operator::names() {
        let named = |end| section.contains(&format!("{operator}{end}"));
        assert!(named("\"") || named("`"), "{operator}");
    }
    let (_, example) = section.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let filter: Value = serde_json::from_str(example).unwrap();
    check(
        &filter,
        &json!([{"status": "open", "salary": 1000, "tags": ["go", "wasm"]}]),
        &json!([{"status": "open", "salary": 1000}, {"salary": 999, "tags": "rust"}]),
    );
    let told = "at $.salary.$gte2: there is no such operator; did you mean $gte?";
    assert_eq!(self::told(&json!({"salary": {"$gte2": 1}})), told);
    assert!(section.contains(told));
}

#[test]
fn a_filter_is_bounded() {
    let many = |count: usize| json!({"$or": vec![json!({"a": 1}); count]});
    assert!(Filter::parse(&many(1000)).is_ok());
    assert_eq!(told(&many(1001)), "at $.$or[1000].a: a filter has at most 1000 conditions");
    let empty = json!({"$nor": vec![json!({}); 1001]});
    assert_eq!(told(&empty), "at $.$nor[1000]: a filter has at most 1000 conditions");
    let long = json!({"a": "x".repeat(64 << 10)});
    assert_eq!(told(&long), "at $: a filter has at most 64 KiB");
    assert_eq!(Filter::parse_text(&long.to_string()).unwrap_err().to_string(), told(&long));
    let nested = |levels: usize| (1..levels).fold(json!({}), |inner, _| json!({"x": inner}));
    assert!(Filter::parse(&json!({"a": nested(63)})).is_ok());
    assert_eq!(told(&json!({"a": nested(64)})), "at $: a filter has at most 64 levels");
    let ids: Vec<_> = (0..5_000).map(|id| format!("id-{id}")).collect();
    assert!(Filter::parse(&json!({"_id": {"$in": ids}})).is_ok(), "these are one condition");
}

#[test]
fn a_filter_is_read_from_text_strictly() {
    let filter = Filter::parse_text(r#"{"a": {"$gt": 1}}"#).unwrap();
    assert_eq!(filter, Filter::parse(&json!({"a": {"$gt": 1}})).unwrap());
    let told = Filter::parse_text(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
    assert_eq!(told, "at $: it is not JSON: the key \"a\" stands twice at line 1 column 16");
    let told = Filter::parse_text(r#"{"a": {"$qt": 1}}"#).unwrap_err().to_string();
    assert_eq!(told, "at $.a.$qt: there is no such operator; did you mean $gt?");
}

#[test]
fn the_deepest_filter_meets_the_deepest_document_with_little_stack() {
    let deep = || {
        let lists = (0..62).fold(json!(1), |inner, _| json!([inner]));
        let filter = (0..62).fold(json!({"$gt": 0}), |inner, _| json!({"$elemMatch": inner}));
        assert!(matches(&json!({"a": filter}), &json!({"a": lists})));
        let path = vec!["a"; 63].join(".");
        let document = (0..62).fold(json!({"a": 1}), |inner, _| json!({"a": [inner]}));
        assert!(matches(&json!({path: 1}), &document));
        let value = (0..62).fold(json!(1), |inner, _| json!({"a": inner}));
        assert!(matches(&json!({"a": {"$lte": value}}), &json!({"a": value})));
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn the_ids_that_a_filter_names_are_all_that_it_can_mean() {
    let ids = |filter: Value| {
        let ids = Filter::parse(&filter).unwrap().ids();
        ids.map(|ids| ids.into_iter().map(String::from).collect::<Vec<_>>())
    };
    assert_eq!(ids(json!({"_id": "b"})), Some(vec!["b".to_owned()]));
    assert_eq!(ids(json!({"n": 1, "_id": {"$in": ["c", "a", 7]}})).unwrap(), ["a", "c"]);
    assert_eq!(ids(json!({"$and": [{"n": 1}, {"_id": {"$eq": "a"}}]})).unwrap(), ["a"]);
    assert_eq!(ids(json!({"_id": null})).unwrap(), [""; 0]);
    for any in [
        json!({}),
        json!({"_id": {"$ne": "a"}}),
        json!({"_id": {"$not": {"$eq": "a"}}}),
        json!({"$or": [{"_id": "a"}, {"n": 1}]}),
        json!({"$nor": [{"_id": "a"}]}),
        json!({"a._id": "a"}),
    ] {
        assert_eq!(ids(any.clone()), None, "{any}");
    }
}
