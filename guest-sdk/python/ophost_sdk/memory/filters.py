"""Filters of documents, in the language of the contract.

Extended JSON of MongoDB is not supported here, and patterns are those of `re`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any

from ophost_sdk.backend import CallError
from ophost_sdk.json_text import type_name
from ophost_sdk.memory import order, paths
from ophost_sdk.memory.paths import MISSING, Leaf

MAX_CONDITIONS = 1_000
MAX_PATTERN = 1_000

COMBINING = ("$and", "$or", "$nor")
OPERATORS = (
    *("$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$in", "$nin", "$and", "$or", "$nor", "$not"),
    *("$exists", "$regex", "$options", "$size", "$elemMatch"),
)
_SYNONYMS = {
    **{"$neq": "$ne", "$notequal": "$ne", "$ge": "$gte", "$le": "$lte", "$notin": "$nin"},
    **{"$equal": "$eq", "$equals": "$eq", "$is": "$eq", "$match": "$regex", "$like": "$regex"},
    **{"$any": "$elemMatch", "$some": "$elemMatch", "$length": "$size", "$count": "$size"},
}
# Python has these, but the patterns of the host do not.
_NOT_IN_HOST = re.compile(r"\(\?(=|!|<=|<!|\(|P=)|\\[1-9]")

# A document, as the name `_id` and its fields. Items of lists have no id.
Matcher = Callable[[str | None, dict[str, Any]], bool]
# The values at a path. A test of an item of `$elemMatch` gets the item alone.
Test = Callable[[list[Leaf]], bool]
Probe = Callable[[Any], bool]


def parse(source: Any) -> Matcher:
    """Parses a filter. Raises `CallError` with the location of a mistake."""
    return _Reader().clause(_expect(source, dict, "an object", "$"), "$", is_item=False)


def _problem(at: str, problem: str) -> CallError:
    return CallError("invalid", f"at {at}: {problem}")


def _expect(value: Any, kind: type, expected: str, at: str) -> Any:
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise _problem(at, f"expected {expected}, found {type_name(value)}")


class _Reader:
    def __init__(self) -> None:
        self.conditions = 0

    def clause(self, fields: dict[str, Any], at: str, *, is_item: bool) -> Matcher:
        clauses = [
            self._combined(name, value, f"{at}.{name}", is_item=is_item)
            if name.startswith("$")
            else self._field(name, value, f"{at}.{name}", is_item=is_item)
            for name, value in fields.items()
        ]
        return lambda id, body: all(clause(id, body) for clause in clauses)

    def _combined(self, name: str, value: Any, at: str, *, is_item: bool) -> Matcher:
        if name not in COMBINING:
            if name in OPERATORS:
                field = f'{{"FIELD": {{"{name}": ..}}}}'
                raise _problem(at, f"this operator requires a field: {field}")
            raise _unknown(name, at)
        filters = _expect(value, list, "a list", at)
        if not filters:
            raise _problem(at, "the list of filters must not be empty")
        clauses = []
        for number, one in enumerate(filters):
            place = f"{at}[{number}]"
            fields = _expect(one, dict, "an object", place)
            clauses.append(self.clause(fields, place, is_item=is_item))
        if name == "$and":
            return lambda id, body: all(clause(id, body) for clause in clauses)
        is_any = name == "$or"
        return lambda id, body: any(clause(id, body) for clause in clauses) == is_any

    def _field(self, name: str, value: Any, at: str, *, is_item: bool) -> Matcher:
        try:
            path = paths.parse(name)
        except CallError as error:
            raise _problem(at, error.message) from None
        test = self._test(value, at)
        if path[0] != "_id" or is_item:
            return lambda id, body: test(list(paths.leaves(body, path)))
        is_id = len(path) == 1
        return lambda id, body: test([Leaf("value", id) if is_id else MISSING])

    def _test(self, value: Any, at: str) -> Test:
        if isinstance(value, dict) and any(name.startswith("$") for name in value):
            return self._operators(value, at)
        self._count(at)
        return _any_value(_equal(_plain(value, at)))

    def _operators(self, operators: dict[str, Any], at: str) -> Test:
        if not all(name.startswith("$") for name in operators):
            reason = "cannot mix fields and operators, which begin with $, in one object"
            raise _problem(at, reason)
        tests = []
        for name, value in operators.items():
            self._count(at)
            tests.append(self._operator(name, value, operators, f"{at}.{name}"))
        return lambda found: all(test(found) for test in tests)

    def _operator(self, name: str, value: Any, siblings: dict[str, Any], at: str) -> Test:
        match name:
            case "$eq" | "$gt" | "$gte" | "$lt" | "$lte":
                return _any_value(_comparison(name, _plain(value, at)))
            case "$ne":
                return _negated(_any_value(_equal(_plain(value, at))))
            case "$in" | "$nin":
                test = _any_value(_one_of(_plain(_expect(value, list, "a list", at), at)))
                return test if name == "$in" else _negated(test)
            case "$not":
                operators = _expect(value, dict, "an object of operators", at)
                if not operators:
                    raise _problem(at, "the object of operators must not be empty")
                return _negated(self._operators(operators, at))
            case "$exists":
                return _exists(_expect(value, bool, "true or false", at))
            case "$regex":
                return _any_value(_pattern(value, siblings.get("$options", ""), at))
            case "$options":
                if "$regex" not in siblings:
                    raise _problem(at, "$options requires a $regex in the same object")
                return lambda found: True
            case "$size":
                return _size(value, at)
            case "$elemMatch":
                return _item(self._item(_expect(value, dict, "an object", at), at))
            case "$and" | "$or" | "$nor":
                reason = "this operator combines whole filters and cannot be used inside a field"
                raise _problem(at, reason)
        raise _unknown(name, at)

    def _item(self, condition: dict[str, Any], at: str) -> Probe:
        if any(name.startswith("$") and name not in COMBINING for name in condition):
            test = self._operators(condition, at)
            # The items of a list within the list do not count.
            return lambda item: test([Leaf("inner", item)])
        clause = self.clause(condition, at, is_item=True)
        return lambda item: isinstance(item, dict) and clause(None, item)

    def _count(self, at: str) -> None:
        self.conditions += 1
        if self.conditions > MAX_CONDITIONS:
            raise _problem(at, f"the filter has more than {MAX_CONDITIONS} conditions")


def _any_value(probe: Probe) -> Test:
    """Returns the test whether a value, or an item of a list, matches. None is a missing value."""

    def test(found: list[Leaf]) -> bool:
        return any(probe(leaf.value) or any(map(probe, items(leaf))) for leaf in found)

    def items(leaf: Leaf) -> list[Any]:
        return leaf.value if leaf.kind == "value" and isinstance(leaf.value, list) else []

    return test


def _negated(test: Test) -> Test:
    return lambda found: not test(found)


def _exists(expected: bool) -> Test:
    return lambda found: any(leaf.kind != "missing" for leaf in found) == expected


def _size(value: Any, at: str) -> Test:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or value < 0 or value != int(value):
        raise _problem(at, f"expected a non-negative integer, found {type_name(value)}")
    return lambda found: any(
        isinstance(leaf.value, list) and len(leaf.value) == value for leaf in found
    )


def _item(probe: Probe) -> Test:
    return lambda found: any(
        isinstance(leaf.value, list) and any(probe(item) for item in leaf.value) for leaf in found
    )


def _equal(operand: Any) -> Probe:
    expected = order.key(operand)
    return lambda value: order.key(value) == expected


def _one_of(operands: list[Any]) -> Probe:
    expected = {order.key(operand) for operand in operands}
    return lambda value: order.key(value) in expected


def _comparison(name: str, operand: Any) -> Probe:
    expected = order.key(operand)
    accepts: dict[str, Callable[[Any], bool]] = {
        "$eq": lambda found: bool(found == expected),
        "$gt": lambda found: bool(found > expected),
        "$gte": lambda found: bool(found >= expected),
        "$lt": lambda found: bool(found < expected),
        "$lte": lambda found: bool(found <= expected),
    }
    accept = accepts[name]
    return lambda value: order.is_same_class(value, operand) and accept(order.key(value))


def _pattern(value: Any, options: Any, at: str) -> Probe:
    text = _expect(value, str, "a text", at)
    flags = re.ASCII
    for option in _expect(options, str, "a text", at):
        if option not in "imsx":
            raise _problem(at, f"unknown pattern option {option!r}; expected i, m, s or x")
        flags |= getattr(re, option.upper())
    if len(text.encode()) > MAX_PATTERN:
        raise _problem(at, f"the pattern is longer than {MAX_PATTERN} bytes")
    if _NOT_IN_HOST.search(text):
        reason = "look-around and back references are not supported"
        raise _problem(at, f"invalid pattern: {reason}")
    try:
        pattern = re.compile(text, flags)
    except re.error as error:
        raise _problem(at, f"invalid pattern: {error}") from None
    return lambda value: isinstance(value, str) and pattern.search(value) is not None


def _plain(value: Any, at: str) -> Any:
    """Returns a value that is compared as a whole, which has no operators."""
    if isinstance(value, list):
        return [_plain(item, f"{at}[{number}]") for number, item in enumerate(value)]
    if isinstance(value, dict):
        for name in value:
            if name in OPERATORS:
                reason = "this operator is inside a value that is compared as a whole"
                raise _problem(f"{at}.{name}", reason)
            if name.startswith("$"):
                reason = f"the name `{name}` is not supported in a value under plain Python"
                raise _problem(f"{at}.{name}", reason)
        return {name: _plain(item, f"{at}.{name}") for name, item in value.items()}
    return value


def _unknown(name: str, at: str) -> CallError:
    lower = name.lower()
    similar = difflib.get_close_matches(lower, OPERATORS, 1, 0.7)
    suggestion = _SYNONYMS.get(lower) or (similar[0] if similar else None)
    hint = (
        f"did you mean {suggestion}?" if suggestion else f"expected one of {', '.join(OPERATORS)}"
    )
    return _problem(at, f"unknown operator; {hint}")
