//! Tests of the documents that filters match.
//!
//! The tests follow the manual of MongoDB and MongoDB's own tests of paths and null. The exceptions
//! are the differences that `wit/README.md` lists.

use serde_json::{Value, json};

use super::Filter;
use crate::name::DocumentId;

fn matches(filter: &Value, document: &Value) -> bool {
    let filter = Filter::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    let id = DocumentId::new("b").unwrap();
    filter.matches(&id, document.as_object().unwrap())
}

/// Checks that a filter matches each document of the first list, and none of the second list.
fn check(filter: &Value, matching: &Value, other: &Value) {
    for document in matching.as_array().unwrap() {
        assert!(matches(filter, document), "{filter} must match {document}");
    }
    for document in other.as_array().unwrap() {
        assert!(!matches(filter, document), "{filter} must not match {document}");
    }
}

/// Checks filters with a condition on the field `a`, and the negations of these filters.
///
/// The lists contain the values of `a`.
fn check_a(condition: &Value, matching: &Value, other: &Value) {
    let with = |values: &Value| -> Value {
        values.as_array().unwrap().iter().map(|value| json!({"a": value})).collect()
    };
    check(&json!({"a": condition}), &with(matching), &with(other));
    check(&json!({"$nor": [{"a": condition}]}), &with(other), &with(matching));
    if condition
        .as_object()
        .is_some_and(|condition| condition.keys().any(|key| key.starts_with('$')))
    {
        check(&json!({"a": {"$not": condition}}), &with(other), &with(matching));
        let several = json!({"$and": [{"a": condition}, {"$or": [{"a": condition}, {"x": 1}]}]});
        check(&several, &with(matching), &with(other));
    } else {
        check_a(&json!({"$eq": condition}), matching, other);
        check(&json!({"a": {"$ne": condition}}), &with(other), &with(matching));
        check(&json!({"a": {"$in": [condition]}}), &with(matching), &with(other));
        check(&json!({"a": {"$nin": [condition]}}), &with(other), &with(matching));
    }
}

#[test]
fn empty_filter_matches_all_documents() {
    check(&json!({}), &json!([{}, {"a": 1}]), &json!([]));
    assert_eq!(Filter::parse(&json!({})).unwrap(), Filter::all());
    assert!(Filter::all().matches(&DocumentId::new("x").unwrap(), &serde_json::Map::new()));
}

#[test]
fn value_matches_equal_values_and_lists_with_an_equal_item() {
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
fn list_matches_equal_lists_and_lists_that_contain_it() {
    check_a(
        &json!([1, 2]),
        &json!([[1, 2], [1.0, 2], [[1, 2], 3]]),
        &json!([[2, 1], [1], [1, 2, 3], 1, [[[1, 2]]]]),
    );
    check_a(&json!([]), &json!([[], [[]], [1, []]]), &json!([null, [1], {}]));
}

#[test]
fn object_matches_the_same_fields_in_any_order() {
    check_a(
        &json!({"x": 1, "y": 2}),
        &json!([{"x": 1, "y": 2}, {"y": 2, "x": 1.0}, [{"y": 2, "x": 1}]]),
        &json!([{"x": 1}, {"x": 1, "y": 2, "z": 3}, {"x": 1, "y": 3}, [[{"x": 1, "y": 2}]]]),
    );
    check_a(&json!({}), &json!([{}, [{}]]), &json!([{"x": 1}, [], null]));
}

#[test]
fn fields_and_operators_of_one_object_must_all_hold() {
    check(
        &json!({"status": "open", "salary": {"$gte": 1000, "$lt": 2000}}),
        &json!([{"status": "open", "salary": 1000}, {"salary": 1999.5, "status": ["open"]}]),
        &json!([{"status": "open"}, {"status": "open", "salary": 2000}, {"salary": 1500}]),
    );
    // Different items can satisfy the operators.
    check_a(&json!({"$gt": 1, "$lt": 0}), &json!([[2, -1]]), &json!([2, -1, [2], [0, 1]]));
}

#[test]
fn null_matches_null_and_missing_values() {
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
fn null_matches_missing_fields_in_objects_and_lists() {
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
fn comparisons_match_only_values_of_the_same_type() {
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
fn comparisons_accept_null_lists_and_objects() {
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
fn in_matches_any_of_the_values() {
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
fn not_equal_requires_that_no_item_is_equal() {
    check_a(&json!({"$ne": 1}), &json!([2, null, [], [2, 3], [[1]], {}]), &json!([1, [2, 1], 1.0]));
    check(&json!({"a": {"$ne": 1}}), &json!([{}]), &json!([]));
    check(
        &json!({"a.b": {"$ne": 1}}),
        &json!([{"a": []}, {"a": [{"b": 2}]}]),
        &json!([{"a": [{"b": 2}, {"b": 1}]}]),
    );
}

#[test]
fn not_matches_all_other_values_and_missing_values() {
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
fn and_or_and_nor_combine_filters() {
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
fn exists_matches_all_values_including_null() {
    check_a(&json!({"$exists": true}), &json!([null, 0, [], {}]), &json!([]));
    check(&json!({"a": {"$exists": true}}), &json!([]), &json!([{}, {"b": 1}]));
    check(&json!({"a": {"$exists": false}}), &json!([{}]), &json!([{"a": null}]));
    let (existing, missing) = (
        json!([{"a": {"b": null}}, {"a": [{"b": 1}, {}]}]),
        json!([{}, {"a": 1}, {"a": []}, {"a": [1]}, {"a": [{"c": 1}]}, {"a": [[{"b": 1}]]}]),
    );
    check(&json!({"a.b": {"$exists": true}}), &existing, &missing);
    check(&json!({"a.b": {"$exists": false}}), &missing, &existing);
}

#[test]
fn regex_matches_texts_and_items_that_are_texts() {
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
fn size_is_the_number_of_items_of_a_list() {
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
fn elem_match_requires_one_item_that_satisfies_all_conditions() {
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
fn elem_match_tests_the_item_itself_and_not_its_items() {
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
    // `_id` is an ordinary field of an item.
    check_a(
        &json!({"$elemMatch": {"_id": "b"}}),
        &json!([[{"_id": "b"}]]),
        &json!([[{}], [{"_id": "c"}]]),
    );
}

#[test]
fn paths_resolve_through_objects_and_lists() {
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
fn id_can_be_tested_like_a_field() {
    let (all, none) = (json!([{}, {"_id": "x"}]), json!([]));
    for condition in [
        json!("b"),
        json!({"$gte": "b", "$lt": "c"}),
        json!({"$in": ["a", "b"]}),
        json!({"$regex": "^b$"}),
        json!({"$exists": true}),
        json!({"$ne": "x"}),
        json!({"$not": {"$size": 1}}),
    ] {
        check(&json!({"_id": condition}), &all, &none);
    }
    for condition in [
        json!("x"),
        json!({"$gt": "b"}),
        json!({"$in": ["a", null, 1, {}]}),
        json!({"$exists": false}),
        json!(null),
        json!(1),
        json!({"$gte": 0}),
        json!({"$elemMatch": {"$eq": "b"}}),
    ] {
        check(&json!({"_id": condition}), &none, &all);
    }
    check(&json!({"_id.x": null, "$or": [{"_id": "b"}]}), &all, &none);
    check(&json!({"_id.x": {"$exists": true}}), &none, &all);
}

#[test]
fn extended_json_is_converted_to_plain_values() {
    let oid = "65f0c0ffee0123456789abcd";
    for (extended, plain) in [
        (json!({"$oid": oid}), json!(oid)),
        (json!({"$date": "2024-01-31T12:00:00+01:00"}), json!("2024-01-31T11:00:00.000Z")),
        (json!({"$numberLong": "5"}), json!(5)),
        (json!({"$numberDecimal": "2.50"}), json!(2.5)),
    ] {
        let (matching, other) =
            (json!([{"a": plain}, {"a": [plain]}]), json!([{"a": extended}, {}]));
        for condition in [
            extended.clone(),
            json!({"$eq": extended}),
            json!({"$in": [extended]}),
            json!({"$gte": extended, "$lte": extended}),
            json!({"$not": {"$ne": extended}}),
        ] {
            check(&json!({"a": condition}), &matching, &other);
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
fn contract_readme_lists_every_operator_and_its_example_works() {
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
    let message = "at $.salary.$gte2: unknown operator; did you mean $gte?";
    let error = Filter::parse(&json!({"salary": {"$gte2": 1}})).unwrap_err();
    assert_eq!(error.to_string(), message);
    assert!(section.contains(message));
}

#[test]
fn filter_and_document_of_maximum_depth_need_little_stack() {
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
fn ids_are_a_superset_of_the_ids_that_match() {
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
