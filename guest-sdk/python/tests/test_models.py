"""Models: construction, validation, dumps."""

from __future__ import annotations

import datetime
from enum import Enum, IntEnum
from typing import Annotated, Any, ClassVar, Literal, Optional, Union

import pytest

from ophost_sdk import BaseModel, ConfigDict, Field, ValidationError

UTC = datetime.timezone.utc


class Status(Enum):
    NEW = "new"
    OLD = "old"


class Size(IntEnum):
    SMALL = 1
    LARGE = 2


class Address(BaseModel):
    street: str
    lines: list[str] = []


class Job(BaseModel):
    """A job."""

    title: str = Field(..., description="The title", min_length=1, max_length=20)
    priority: int = Field(0, ge=0, le=5)
    share: float | None = None
    status: Status = Status.NEW
    size: Size | None = None
    kind: Literal["full", "part", 3] = "full"
    tags: set[str] = Field(default_factory=set)
    pair: tuple[int, str] | None = None
    counts: dict[str, int] = {}
    anything: Any = None
    address: Address | None = None
    addresses: list[Address] = []
    created: datetime.datetime | None = None
    day: datetime.date | None = None
    parent: Job | None = None


def why(model: type[BaseModel], **data: Any) -> str:
    with pytest.raises(ValidationError) as error:
        model(**data)
    return str(error.value)


def test_defaults_are_new_for_each_object() -> None:
    one, other = Job(title="a"), Job(title="b")
    one.tags.add("x")
    one.counts["x"] = 1
    one.addresses.append(Address(street="s"))
    assert (other.tags, other.counts, other.addresses) == (set(), {}, [])


def test_values_are_converted_to_the_types_of_the_fields() -> None:
    job = Job(
        title="a",
        priority=3.0,  # type: ignore[arg-type]
        share=1,
        status="old",  # type: ignore[arg-type]
        size=2,  # type: ignore[arg-type]
        kind=3,
        tags=["x", "x"],  # type: ignore[arg-type]
        pair=[1, "b"],  # type: ignore[arg-type]
        counts={"a": 1},
        address={"street": "s"},  # type: ignore[arg-type]
        created="2024-01-31T12:00:00.5Z",  # type: ignore[arg-type]
        day="2024-01-31",  # type: ignore[arg-type]
        parent={"title": "p"},  # type: ignore[arg-type]
    )
    assert (job.priority, type(job.priority)) == (3, int)
    assert (job.share, type(job.share)) == (1.0, float)
    assert (job.status, job.size, job.tags, job.pair) == (
        *(Status.OLD, Size.LARGE),
        {"x"},
        (1, "b"),
    )
    assert job.address == Address(street="s")
    assert job.created == datetime.datetime(2024, 1, 31, 12, 0, 0, 500_000, UTC)
    assert job.day == datetime.date(2024, 1, 31)
    assert job.parent == Job(title="p")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, "missing field `title`"),
        ({"title": 1}, "`title`: expected a text, found an integer"),
        ({"title": ""}, "`title`: expected at least 1 characters, found 0"),
        ({"title": "x" * 21}, "`title`: expected at most 20 characters, found 21"),
        ({"title": "a", "priority": True}, "`priority`: expected an integer, found true"),
        ({"title": "a", "priority": "1"}, "`priority`: expected an integer, found a text"),
        ({"title": "a", "priority": 1.5}, "`priority`: expected an integer, found a number"),
        ({"title": "a", "priority": 6}, "`priority`: expected at most 5, found 6"),
        ({"title": "a", "share": "x"}, "`share`: expected a number, found a text"),
        ({"title": "a", "status": "gone"}, "`status`: expected one of `new`, `old`, found `gone`"),
        ({"title": "a", "kind": True}, "`kind`: expected one of `full`, `part`, `3`, found true"),
        ({"title": "a", "tags": "x"}, "`tags`: expected a list, found a text"),
        ({"title": "a", "pair": [1]}, "`pair`: expected a list of 2 items, found a list"),
        ({"title": "a", "pair": ["x", "y"]}, "`pair.0`: expected an integer, found a text"),
        ({"title": "a", "counts": {"b": "c"}}, "`counts.b`: expected an integer, found a text"),
        ({"title": "a", "address": {}}, "`address`: missing field `street`"),
        (
            {"title": "a", "addresses": [{"street": "b"}, {"street": 1}]},
            "`addresses.1.street`: expected a text, found an integer",
        ),
        (
            {"title": "a", "parent": {"title": 1}},
            "`parent.title`: expected a text, found an integer",
        ),
        ({"title": "a", "day": "x"}, "`day`: expected a date such as 2024-01-31, found `x`"),
        (
            {"title": "a", "created": 1},
            "`created`: expected a time such as 2024-01-31T12:00:00Z, found an integer",
        ),
    ],
)
def test_wrong_values_are_reported_with_their_paths(data: dict[str, Any], expected: str) -> None:
    assert why(Job, **data) == f"invalid `Job`: {expected}"


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ValidationError) as error:
        Job(priority=-1, tags=[1])  # type: ignore
    assert str(error.value) == (
        "invalid `Job`: missing field `title`; `priority`: expected at least 0, found -1; "
        "`tags.0`: expected a text, found an integer"
    )
    assert error.value.error_count() == 3
    assert [one["loc"] for one in error.value.errors()] == [
        *(("title",), ("priority",)),
        ("tags", 0),
    ]


def test_integers_have_at_most_64_bits() -> None:
    class Number(BaseModel):
        value: int

    for value in (-(2**63), 2**64 - 1, float(2**63)):
        assert Number(value=value).value == value  # type: ignore[arg-type]
    for value in (-(2**63) - 1, 2**64, float(2**64)):
        message = why(Number, value=value)
        assert message == "invalid `Number`: `value`: the integer needs more than 64 bits"


def test_unknown_fields() -> None:
    class Ignores(BaseModel):
        model_config = {"extra": "ignore"}
        a: int

    class Allows(BaseModel):
        model_config = ConfigDict(extra="allow")
        a: int

    expected = "invalid `Address`: `zip`: unknown field `zip`, expected one of `street`, `lines`"
    assert why(Address, street="s", zip=1) == expected
    assert Ignores(a=1, b=2).model_dump() == {"a": 1}  # type: ignore[call-arg]
    assert Ignores.model_validate({"a": 1, "b": 2}) == Ignores(a=1)
    with pytest.raises(ValidationError):
        Ignores.model_validate({"a": 1, "b": 2}, extra="forbid")
    allows = Allows(a=1, b=2)  # type: ignore[call-arg]
    assert (allows.b, allows.model_extra) == (2, {"b": 2})  # type: ignore[attr-defined]
    assert allows.model_dump() == {"a": 1, "b": 2}


def test_unions_take_the_first_type_that_needs_no_conversion() -> None:
    class Either(BaseModel):
        value: Union[float, int, str, list[int], Address, None]  # noqa: UP007
        other: Optional[int] = None  # noqa: UP045

    for value in (1, 1.5, "x", [1], None):
        assert type(Either(value=value).value) is type(value)
    assert Either(value={"street": "s"}).value == Address(street="s")  # type: ignore[arg-type]
    assert why(Either, value=["x"]) == (
        "invalid `Either`: `value.0`: expected an integer, found a text"
    )
    assert why(Either, value={"street": 1}).endswith(
        "`value.street`: expected a text, found an integer"
    )
    assert "`value`: expected a number or an integer or a text" in why(Either, value=True)


def test_annotated_settings_apply_to_fields_and_items() -> None:
    class Annotations(BaseModel):
        name: Annotated[str, Field(description="A name", pattern="^[a-z]+$")] = "x"
        counts: list[Annotated[int, Field(gt=0, lt=10)]] = []

    assert Annotations().name == "x"
    assert why(Annotations, name="A").endswith("`name`: expected a text that matches `^[a-z]+$`")
    assert why(Annotations, counts=[1, 0]).endswith("`counts.1`: expected more than 0, found 0")
    assert Annotations.model_fields["name"].description == "A name"


def test_models_inherit_fields() -> None:
    class Base(BaseModel):
        LIMIT: ClassVar[int] = 3
        a: int = 1

    class Derived(Base):
        b: str
        a: int = 2

    assert Derived(b="x").model_dump() == {"a": 2, "b": "x"}
    assert list(Derived.model_fields) == ["a", "b"]
    assert Derived.model_fields["b"].is_required() and not Derived.model_fields["a"].is_required()
    assert Derived.LIMIT == 3 and not hasattr(Derived, "b")


def test_assignments_are_not_validated_but_unknown_names_are_rejected() -> None:
    job = Job(title="a")
    job.priority = "x"  # type: ignore[assignment]
    assert job.priority == "x" and hasattr(job, "share") and not hasattr(job, "titel")
    with pytest.raises(ValueError, match="`Job` has no field `titel`"):
        job.titel = "b"  # type: ignore[attr-defined]


def test_private_attributes_are_no_fields() -> None:
    class Counter(BaseModel):
        count: int = 0
        _seen: list[int] = []

    one, other = Counter(), Counter()
    one._seen.append(1)
    other._seen = [2]
    assert (one._seen, other._seen, one.model_dump()) == ([1], [2], {"count": 0})


def test_dumps() -> None:
    job = Job(title="a", tags={"y", "x"}, status=Status.OLD, day=datetime.date(2024, 1, 31))
    job.created = datetime.datetime(2024, 1, 31, 12, tzinfo=UTC)
    job.address = Address(street="s")
    dumped = job.model_dump()
    assert dumped["status"] is Status.OLD and dumped["tags"] == {"x", "y"}
    assert dumped["address"] == {"street": "s", "lines": []}
    json = job.model_dump(mode="json", exclude_none=True)
    assert json == {
        **{"title": "a", "priority": 0, "status": "old", "kind": "full", "tags": ["x", "y"]},
        **{"counts": {}, "address": {"street": "s", "lines": []}, "addresses": []},
        **{"created": "2024-01-31T12:00:00Z", "day": "2024-01-31"},
    }
    assert Job.model_validate_json(job.model_dump_json()) == job
    assert set(job.model_dump(exclude_unset=True)) == {
        *("title", "tags", "status", "day", "created", "address")
    }
    assert job.model_dump(include={"title", "priority"}, exclude={"priority"}) == {"title": "a"}
    assert job.model_dump(exclude_defaults=True, include={"title", "kind"}) == {"title": "a"}
    assert Address(street="ä").model_dump_json() == '{"street":"ä","lines":[]}'


def test_fields_are_left_out_if_a_condition_holds() -> None:
    class Note(BaseModel):
        text: str | None = Field(None, exclude_if=lambda value: value is None)

    assert Note().model_dump() == {}
    assert Note(text="x").model_dump() == {"text": "x"}


def test_copies_equality_and_representation() -> None:
    address = Address(street="s", lines=["a"])
    copy, deep = address.model_copy(), address.model_copy(update={"street": "t"}, deep=True)
    assert copy == address and copy.lines is address.lines
    assert deep.street == "t" and deep.lines == ["a"] and deep.lines is not address.lines
    assert address != {"street": "s", "lines": ["a"]} and address != Job(title="s")
    assert repr(address) == "Address(street='s', lines=['a'])"
    assert dict(address) == {"street": "s", "lines": ["a"]}
    with pytest.raises(TypeError):
        hash(address)


def test_models_of_other_shapes_are_mistakes() -> None:
    with pytest.raises(TypeError, match="the field `a` of `NoHint` has no type annotation"):

        class NoHint(BaseModel):
            a = Field(1)

    class Bad(BaseModel):
        value: bytes

    with pytest.raises(TypeError, match="the field `value` of `Bad`: the type `bytes` has no JSON"):
        Bad(value=b"")

    class Undefined(BaseModel):
        value: Nowhere  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(TypeError, match="uses the name `Nowhere`, which is not defined"):
        Undefined(value=1)
    with pytest.raises(TypeError, match="either `default` or `default_factory`"):
        Field(1, default_factory=list)
