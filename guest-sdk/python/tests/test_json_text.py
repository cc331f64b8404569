"""JSON texts of the contract."""

from __future__ import annotations

import datetime
from enum import Enum
from typing import Any

import pytest

from ophost_sdk import json_text
from ophost_sdk.json_text import NotJsonError


class Color(Enum):
    RED = "red"


def test_numbers_of_64_bits_are_exact() -> None:
    text = "[-9223372036854775808,18446744073709551615,5.0,0.1,1e300]"
    assert json_text.dump(json_text.parse(text)) == text.replace("1e300", "1e+300")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("18446744073709551616", "the integer 18446744073709551616 needs more than 64 bits"),
        ("-9223372036854775809", "needs more than 64 bits"),
        ("1" * 5000, f"the integer {'1' * 24} needs more than 64 bits"),
        ("1e400", "the number 1e400 is too large"),
        ("NaN", "JSON has no NaN"),
        ("[1", "Expecting"),
    ],
)
def test_texts_that_are_not_accepted(text: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        json_text.parse(text)
    assert message in str(error.value)


def test_values_of_python_become_json() -> None:
    utc = datetime.timezone.utc
    value = {
        "color": Color.RED,
        "set": {"b", "a"},
        "tuple": (1, None),
        "time": datetime.datetime(2024, 1, 31, 12, 0, 0, 5000, utc),
        "local": datetime.datetime(2024, 1, 31, 12),
        "day": datetime.date(2024, 1, 31),
        Color.RED: {1: "ä\U0001f525"},
    }
    assert json_text.dump(value) == (
        '{"color":"red","set":["a","b"],"tuple":[1,null],"time":"2024-01-31T12:00:00.005000Z",'
        '"local":"2024-01-31T12:00:00","day":"2024-01-31","red":{"1":"ä\U0001f525"}}'
    )


def ring() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [object()]}, "`a.0` is of type `object`, which JSON does not have"),
        ({"a": float("inf")}, "`a` is inf, which JSON does not have"),
        ([2**64], "`0` is an integer of more than 64 bits"),
        ({(1, 2): 3}, "the value has the key (1, 2), which is not text"),
        ({True: 3}, "the value has the key True, which is not text"),
        (["\ud800"], "`0` has half of a surrogate pair, which is no text"),
        (b"x", "the value is of type `bytes`, which JSON does not have"),
        (ring(), "the value is nested too deeply, or contains itself"),
    ],
)
def test_values_that_json_does_not_have(value: Any, message: str) -> None:
    with pytest.raises(NotJsonError) as error:
        json_text.to_json(value)
    assert str(error.value) == message
