"""Filters, sort orders and the order of values, as in the host."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ophost_sdk import Collection, Document
from ophost_sdk.backend import CallError
from ophost_sdk.memory import filters, order
from ophost_sdk.testing import memory


def matches(filter: Any, document: dict[str, Any]) -> bool:
    return filters.parse(filter)("1", document)


@pytest.mark.parametrize(
    ("filter", "document", "expected"),
    [
        ({}, {}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": 2**53 + 1}, {"a": float(2**53)}, False),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}}, True),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": None}, True),
        ({"a.b": None}, {"a": []}, True),
        ({"a": {"$exists": True}}, {"a": None}, True),
        ({"a": {"$exists": False}}, {"a": None}, False),
        ({"a": {"$ne": 1}}, {}, True),
        ({"a": {"$ne": 1}}, {"a": [1, 2]}, False),
        ({"a": {"$gt": 1}}, {"a": 2}, True),
        ({"a": {"$gt": 1}}, {"a": "2"}, False),
        ({"a": {"$gte": None}}, {}, True),
        ({"a": {"$lt": "b", "$gte": "a"}}, {"a": "abc"}, True),
        ({"a": {"$lte": [1]}}, {"a": [[0], 5]}, True),
        ({"a": {"$in": [1, "x", None]}}, {}, True),
        ({"a": {"$in": [1, "x"]}}, {"a": ["y", "x"]}, True),
        ({"a": {"$nin": [1, "x"]}}, {"a": ["y", "x"]}, False),
        ({"a": {"$nin": [1]}}, {}, True),
        ({"a": {"$not": {"$gt": 1}}}, {}, True),
        ({"a": {"$not": {"$gt": 1}}}, {"a": 2}, False),
        ({"a": {"$regex": "^b", "$options": "i"}}, {"a": "Bc"}, True),
        ({"a": {"$regex": r"^\w$"}}, {"a": "ä"}, False),
        ({"a": {"$regex": "x"}}, {"a": 1}, False),
        ({"a": {"$size": 2}}, {"a": [1, 2]}, True),
        ({"a": {"$size": 1.0}}, {"a": [[1, 2]]}, True),
        ({"a": {"$elemMatch": {"$gt": 1, "$lt": 3}}}, {"a": [0, 5]}, False),
        ({"a": {"$gt": 1, "$lt": 3}}, {"a": [0, 5]}, True),
        (
            {"a": {"$elemMatch": {"b": 1, "c": 2}}},
            {"a": [{"b": 1, "c": 1}, {"c": 2, "b": 2}]},
            False,
        ),
        ({"a": {"$elemMatch": {"$or": [{"b": 1}, {"b": 2}]}}}, {"a": [{"b": 2}]}, True),
        ({"a.b": 1}, {"a": [{"b": 2}, {"b": 1}]}, True),
        ({"a.1.b": 1}, {"a": [{"b": 1}, {"b": 2}]}, False),
        ({"a.0": 1}, {"a": [[1]]}, False),
        ({"a.0": [1]}, {"a": [[1]]}, True),
        ({"a.01": 1}, {"a": [0, 1]}, False),
        ({"a": []}, {"a": []}, True),
        ({"a": ["x"]}, {"a": ["x"]}, True),
        ({"$and": [{"a": 1}, {"b": 2}]}, {"a": 1, "b": 2}, True),
        ({"$or": [{"a": 2}, {"b": 2}]}, {"a": 1, "b": 2}, True),
        ({"$nor": [{"a": 2}, {"b": 2}]}, {"a": 1, "b": 2}, False),
        ({"_id": "1"}, {}, True),
        ({"_id": {"$in": ["2"]}}, {}, False),
        ({"_id.x": None}, {}, True),
        ({"a": {"$elemMatch": {"_id": 3}}}, {"a": [{"_id": 3}]}, True),
    ],
)
def test_filters(filter: Any, document: dict[str, Any], expected: bool) -> None:
    assert matches(filter, document) is expected


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ([], "at $: expected an object, found a list"),
        ({"a": {"$gte2": 1}}, "at $.a.$gte2: unknown operator; did you mean $gte?"),
        ({"a": {"$like": 1}}, "at $.a.$like: unknown operator; did you mean $regex?"),
        ({"$where": 1}, "at $.$where: unknown operator; expected one of $eq, "),
        ({"$gt": 1}, 'at $.$gt: this operator requires a field: {"FIELD": {"$gt": ..}}'),
        ({"a": {"$and": []}}, "at $.a.$and: this operator combines whole filters"),
        ({"a": {"$gt": 1, "b": 2}}, "at $.a: cannot mix fields and operators"),
        ({"a": {"$in": 1}}, "at $.a.$in: expected a list, found an integer"),
        (
            {"a": {"$in": [{"$regex": "x"}]}},
            "at $.a.$in[0].$regex: this operator is inside a",
        ),
        ({"a": {"b": {"$oid": "x"}}}, "at $.a.b.$oid: the name `$oid` is not supported"),
        ({"$or": []}, "at $.$or: the list of filters must not be empty"),
        ({"$or": [1]}, "at $.$or[0]: expected an object, found an integer"),
        ({"a": {"$exists": 1}}, "at $.a.$exists: expected true or false, found an integer"),
        ({"a": {"$size": -1}}, "at $.a.$size: expected a non-negative integer"),
        ({"a": {"$options": "i"}}, "at $.a.$options: $options requires a $regex"),
        ({"a": {"$regex": "x", "$options": "g"}}, "at $.a.$regex: unknown pattern option 'g'"),
        ({"a": {"$regex": "(?=x)"}}, "at $.a.$regex: invalid pattern: look-around"),
        ({"a": {"$regex": "("}}, "at $.a.$regex: invalid pattern: missing )"),
        ({"a": {"$not": {}}}, "at $.a.$not: the object of operators must not be empty"),
        ({"a..b": 1}, "at $.a..b: the path `a..b` has an empty part"),
        ({"$and": [{"a": 1}] * 1001}, "the filter has more than 1000 conditions"),
    ],
)
def test_mistakes_in_filters(filter: Any, message: str) -> None:
    with pytest.raises(CallError) as error:
        filters.parse(filter)
    assert error.value.kind == "invalid" and message in error.value.message


def test_values_of_all_types_have_a_total_order() -> None:
    ladder: list[list[Any]] = [
        *([None], [-1e308], [-1.5], [0, 0.0], [1, 1.0], [2**53], [2**53 + 1], [2**64 - 1]),
        *([""], ["a"], ["aa"], ["ä"], ["\uffff"], ["\U00010000"], [{}], [{"a": None}]),
        *([{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], [{"a": 1, "c": 0}], [{"b": None}]),
        *([[]], [[None]], [[1]], [[1, 0]], [[2]], [[[]]], [False], [True]),
    ]
    for (low, lower), (high, higher) in itertools.product(enumerate(ladder), repeat=2):
        for a, b in itertools.product(lower, higher):
            assert (order.key(a) < order.key(b)) == (low < high), (a, b)
            assert (order.key(a) == order.key(b)) == (low == high), (a, b)


class Row(Document):
    a: Any = None
    b: Any = None


def ids(keys: list[str], bodies: list[dict[str, Any]]) -> str:
    store = memory()
    for number, body in enumerate(bodies):
        store.seed_json("rows", str(number), body)
    return "".join(row.id or "" for row in Collection(Row).find().sort(*keys))


def test_sort_orders() -> None:
    pairs = [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}]
    assert ids([], pairs) == "0123"
    assert ids(["a", "b"], pairs) == "1320"
    assert ids(["a", "-b"], pairs) == "2130"
    assert ids(["-a", "b"], pairs) == "0132"
    assert ids(["-_id"], pairs) == "3210"
    assert ids(["b", "-_id", "a"], pairs) == "3102"
    values: list[dict[str, Any]] = [{"a": 1}, {}, {"a": None}, {"a": False}, {"a": {}}]
    assert ids(["a"], values) == "12043"
    assert ids(["-a"], values) == "34012"
    lists: list[dict[str, Any]] = [
        *({"a": [5, 1]}, {"a": 2}, {"a": [3]}, {"a": []}, {"a": None}, {"a": [[0]]}, {"a": [[]]})
    ]
    assert ids(["a"], lists) == "3401265"
    assert ids(["-a"], lists) == "5602143"
    long = [{"a": "x" * 511 + "b", "b": 2}, {"a": "x" * 511 + "a", "b": 1}, {"a": "x" * 510 + "a"}]
    assert ids(["a", "-b"], long) == "201"


def test_a_query_has_at_most_eight_sort_keys() -> None:
    memory()
    with pytest.raises(Exception, match="cannot sort by 9 fields: the maximum is 8"):
        Collection(Row).find().sort(*["a"] * 9).all()
