"""Documents and collections, in memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ophost_sdk import BaseModel, Collection, Condition, Document, Field, ReadCollection, documents
from ophost_sdk.documents import (
    ABSENT,
    PRESENT,
    Exists,
    Invalid,
    ModelMismatch,
    NotFound,
    Stale,
    TooLarge,
)
from ophost_sdk.testing import Memory, memory


class Address(BaseModel):
    city: str
    street: str = "?"


class Job(Document):
    title: str
    days: int = 0
    note: str | None = Field(None, exclude_if=lambda value: value is None)
    address: Address | None = None
    places: list[Address] = []


class Strict(Document):
    model_config = {"extra": "forbid"}
    title: str


class QueryIndex(Document):
    a: int = 0


class Person(Document):
    name: str

    class Settings:
        name = "people"


@pytest.fixture
def store() -> Memory:
    return memory()


@pytest.fixture
def jobs(store: Memory) -> Collection[Job]:
    return Collection(Job)


def seed(store: Memory, **bodies: dict[str, Any]) -> None:
    for id, body in bodies.items():
        store.seed_json("jobs", id, body)


def test_collections_have_the_plural_of_the_model_or_their_own_name() -> None:
    assert [model.collection_name() for model in (Job, QueryIndex, Person)] == [
        *("jobs", "queryindexes"),
        "people",
    ]
    with pytest.raises(ValueError, match="`Bad Name` is not a valid collection name"):

        class Bad(Document):
            class Settings:
                name = "Bad Name"


def test_fields_with_names_of_methods_are_mistakes() -> None:
    for name in ("id", "save", "insert", "delete"):
        with pytest.raises(TypeError, match=f"the field `{name}` of `Bad` has the name"):
            type("Bad", (Document,), {"__annotations__": {name: int}})

    class Counter(Document):
        count: int = 3
        revision: str = "r"

    assert (Counter().count, Counter().revision) == (3, "r")


def test_a_document_is_inserted_changed_and_deleted(store: Memory) -> None:
    async def scenario() -> None:
        job = await Job(title="Baker").insert()
        assert job.id == "new-000001" and job.revision == 0
        store.commit()
        found = await Job.get(job.id)
        assert found == job and found.revision == 1
        found.title = "Cook"
        await found.save()
        assert store.documents("jobs")[job.id]["title"] == "Cook"
        assert await found.delete() is True
        assert await found.delete() is False
        assert await Job.get(job.id) is None

    asyncio.run(scenario())


def test_results_work_in_plain_functions(store: Memory) -> None:
    job = Job(title="Baker").insert().result()
    assert job.id is not None and Job.get(job.id).result() == job
    assert [found.title for found in Job.find({"title": "Baker"})] == ["Baker"]
    with pytest.raises(TypeError, match=r"write `await` before the call, or `\.result\(\)`"):
        bool(Job.get("1"))
    with pytest.raises(AttributeError, match="a result has no attribute `title`"):
        _ = Job.get("1").title  # type: ignore[attr-defined]


def test_queries(store: Memory) -> None:
    store.seed(*(Job(id=str(days), title="x" if days < 3 else "y", days=days) for days in range(5)))

    async def scenario() -> None:
        query = Job.find({"title": "x"}, {"days": {"$gte": 1}})
        assert [job.days for job in await query.to_list()] == [1, 2]
        assert [job.days async for job in Job.find().sort("-title", "days").skip(1).limit(3)] == [
            *(4, 0),
            1,
        ]
        assert [job.days for job in await Job.find_all().to_list(length=2)] == [0, 1]
        first = await Job.find_one({"title": "y"})
        assert first is not None and first.days == 3
        assert await Job.find_one({"title": "z"}) is None
        assert await Job.find({"title": "x"}).count() == 3 and await Job.count() == 5
        first = await Job.find({}).sort("-_id").first_or_none()
        assert first is not None and first.id == "4"
        assert await Job.find().limit(0).to_list() == []

    asyncio.run(scenario())


def test_documents_are_fetched_page_by_page(store: Memory, jobs: Collection[Job]) -> None:
    store.seed(*(Job(id=f"{number:04}", title="x", days=number) for number in range(2500)))
    assert [job.days for job in jobs.find()] == list(range(2500))
    assert [job.days for job in jobs.find().skip(998).limit(1004)] == list(range(998, 2002))
    found = jobs.find().sort("-days").all()
    assert [job.days for job in found] == list(range(2499, -1, -1))
    for job in jobs.find():
        if job.id is not None:
            jobs.delete(job.id)
    assert jobs.count() == 0


def test_unknown_fields_are_tolerated_and_kept(store: Memory, jobs: Collection[Job]) -> None:
    body = {
        "title": "Baker",
        "colour": "red",
        "id": "own",
        "address": {"city": "Rome", "zip": 1},
        "places": [{"city": "a", "zip": 2}, {"city": "b", "zip": 3}],
    }
    seed(store, a=body)
    job = jobs.require("a")
    job.days = 3
    assert job.address is not None
    job.address.city = "Bonn"
    jobs.save(job)
    assert store.documents("jobs")["a"] == {
        "title": "Baker",
        "colour": "red",
        "id": "own",
        "address": {"city": "Bonn", "zip": 1},
        "places": [{"city": "a", "zip": 2}, {"city": "b", "zip": 3}],
        "days": 3,
    }


def test_save_writes_only_changes(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "Baker", "note": "n"})
    one, other = jobs.require("a"), jobs.require("a")
    jobs.save(one)
    assert one.revision == 1, "an unchanged document is not written"
    one.days, one.note = 1, None
    jobs.save(one)
    other.title = "Cook"
    jobs.save(other)
    assert store.documents("jobs")["a"] == {"title": "Cook", "days": 1}
    one.places = [Address(city="c")]
    jobs.save(one)
    assert store.documents("jobs")["a"]["title"] == "Cook"
    assert store.documents("jobs")["a"]["places"] == [{"city": "c", "street": "?"}]


def test_a_changed_list_is_replaced(store: Memory) -> None:
    class Line(BaseModel):
        text: str

    class Page(Document):
        lines: list[Line]

    body = {"lines": [{"text": "a", "colour": "red"}, {"text": "b", "colour": "blue"}]}
    store.seed_json("pages", "1", body)
    pages = Collection(Page)
    page = pages.get("1")
    assert page is not None
    pages.save(page)
    assert store.documents("pages")["1"] == body
    page.lines.reverse()
    pages.save(page)
    # By its index, a colour would move to the other line.
    assert store.documents("pages")["1"] == {"lines": [{"text": "b"}, {"text": "a"}]}


def test_save_of_a_document_that_was_not_read(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "Baker", "colour": "red"})
    jobs.save(Job(id="a", title="Cook"))
    assert store.documents("jobs")["a"]["colour"] == "red"
    assert store.documents("jobs")["a"]["title"] == "Cook"
    new = Job(title="Smith")
    jobs.save(new)
    assert new.id is not None and store.documents("jobs")[new.id]["title"] == "Smith"


def test_save_of_a_deleted_document_and_of_another_id(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "Baker"})
    job = jobs.require("a")
    jobs.delete("a")
    job.title = "Cook"
    with pytest.raises(NotFound, match="document `a` does not exist in `jobs`"):
        jobs.save(job)
    job.id = "b"
    with pytest.raises(ValueError, match="the id of a document cannot be changed"):
        jobs.save(job)


def test_documents_that_do_not_match_the_model(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "x"}, b={"title": 1}, c={"title": "z", "address": {}})
    found = iter(jobs.find())
    assert next(found).title == "x"
    with pytest.raises(ModelMismatch) as error:
        next(found)
    assert str(error.value) == (
        "document `b` in `jobs` does not match model `Job`: `title`: expected a text, found an "
        "integer"
    )
    assert (error.value.id, error.value.path, error.value.code) == ("b", "title", "does-not-fit")
    with pytest.raises(ModelMismatch, match=r"`c` .*: `address`: missing field `city`$"):
        next(found)
    with pytest.raises(StopIteration):
        next(found)
    store.seed_json("stricts", "a", {"title": "x", "more": 1})
    with pytest.raises(ModelMismatch, match="unknown field `more`, expected one of `id`, `title`"):
        Strict.get("a")


def test_assignments_are_validated_when_a_document_is_written(
    store: Memory, jobs: Collection[Job]
) -> None:
    seed(store, a={"title": "x"})
    job = jobs.require("a")
    job.days = "many"  # type: ignore[assignment]
    with pytest.raises(ModelMismatch, match="document `a` in `jobs` does not match model `Job`: "):
        jobs.save(job)
    job.days = object()  # type: ignore[assignment]
    with pytest.raises(ModelMismatch, match="`days` is of type `object`"):
        jobs.save(job)
    new = Job(title="x")
    new.title = None  # type: ignore[assignment]
    with pytest.raises(ModelMismatch, match="the new document in `jobs` does not match"):
        jobs.insert(new)
    assert store.documents("jobs") == {"a": {"title": "x"}}


def test_conditions(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "x"})
    with pytest.raises(Exists, match="document `a` already exists in `jobs`"):
        jobs.put_if("a", Job(title="y"), ABSENT)
    with pytest.raises(Exists):
        jobs.insert(Job(id="a", title="y"))
    with pytest.raises(NotFound):
        jobs.put_if("b", Job(title="y"), PRESENT)
    with pytest.raises(Stale, match="document `a` in `jobs` has changed: its revision is 1"):
        jobs.put_if("a", Job(title="y"), Condition.at(7))
    with pytest.raises(Stale, match="document `b` in `jobs` no longer exists"):
        jobs.put_if("b", Job(title="y"), Condition.at(7))
    jobs.put_if("a", Job(title="y"), Condition.at(1))
    jobs.put_if("a", Job(title="z"), Condition.at(0))
    assert jobs.require("a").title == "z"


def test_set_merge_put_and_count(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "x", "colour": "red", "address": {"city": "Rome"}})
    jobs.set("a", {"days": 3, "address.street": "s", "note": None})
    assert store.documents("jobs")["a"] == {
        "title": "x",
        "colour": "red",
        "address": {"city": "Rome", "street": "s"},
        "days": 3,
        "note": None,
    }
    jobs.merge("a", {"note": None, "address": {"street": None}, "title": "y"})
    assert store.documents("jobs")["a"] == {
        **{"title": "y", "colour": "red", "address": {"city": "Rome"}, "days": 3}
    }
    jobs.put("a", Job(title="z"))
    assert store.documents("jobs")["a"] == {"title": "z", "days": 0, "address": None, "places": []}
    assert jobs.count({"title": "z"}) == 1
    for call in (lambda: jobs.set("b", {"x": 1}), lambda: jobs.merge("b", {})):
        with pytest.raises(NotFound):
            call()
    with pytest.raises(Invalid, match=r"cannot resolve path `title\.x`: `title` is a text"):
        jobs.set("a", {"title.x": 1})
    with pytest.raises(Invalid, match=r"cannot set both `a` and `a\.b`"):
        jobs.set("a", {"a": 1, "a.b": 2})
    with pytest.raises(Invalid, match="cannot set `_id`"):
        jobs.merge("a", {"_id": "x"})
    with pytest.raises(Invalid, match="`` is not a document id"):
        jobs.get("")


def test_limits_of_documents(store: Memory, jobs: Collection[Job]) -> None:
    with pytest.raises(TooLarge, match="larger than 1 MiB"):
        jobs.insert(Job(title="x" * (1 << 20)))
    deep: Any = 1
    for _ in range(70):
        deep = [deep]
    seed(store, a={"title": "x"})
    with pytest.raises(Invalid, match="more than 64 levels"):
        jobs.set("a", {"deep": deep})


def test_discard_restores_the_committed_documents(store: Memory, jobs: Collection[Job]) -> None:
    seed(store, a={"title": "x"})
    jobs.set("a", {"title": "y"})
    jobs.insert(Job(title="z"))
    documents.discard()
    assert store.documents("jobs") == {"a": {"title": "x"}}


def test_collections_need_a_document_model() -> None:
    assert repr(ReadCollection(Job)) == "ReadCollection[Job]"
    assert not hasattr(ReadCollection, "insert")
