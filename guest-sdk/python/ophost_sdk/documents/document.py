"""Models of stored documents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ophost_sdk import names
from ophost_sdk.documents.query import DocumentQuery, Filter
from ophost_sdk.documents.result import Result
from ophost_sdk.models import BaseModel, Field

if TYPE_CHECKING:
    from typing_extensions import Self

    from ophost_sdk.documents.collection import Collection

# Names of methods that a field of the same name would hide.
_RESERVED = ("id", "insert", "save", "delete")


@dataclass(frozen=True)
class StoredState:
    """The document as it was read or written last: its revision and its fields as JSON."""

    id: str
    revision: int
    fields: dict[str, Any]


class _Revision:
    """The attribute `revision`. A field of this name takes precedence."""

    def __get__(self, instance: Document | None, owner: type[Document]) -> int | None:
        state = None if instance is None else instance.__ophost_state__
        return None if state is None else state.revision


class Document(BaseModel):
    """A model whose objects are documents of a collection.

    `Job` is stored in `jobs`, `QueryIndex` in `queryindexes`. `name` in an inner class `Settings`
    sets another collection. The methods return results that a coroutine awaits, and that a plain
    function gets with `.result()`.
    """

    id: str | None = Field(None, description="Id of the document")

    # Revision of the document: None before it is stored, 0 if this run has written it.
    revision: ClassVar[int | None] = _Revision()  # type: ignore[assignment]
    __ophost_state__: ClassVar[StoredState | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reserved = [name for name in _RESERVED if name in cls.__ophost_defaults__]
        if reserved:
            raise TypeError(
                f"the field `{reserved[0]}` of `{cls.__name__}` has the name of an attribute of "
                "`Document`; choose another name"
            )
        names.check_collection(cls.collection_name())
        MODELS.append(cls)

    @classmethod
    def collection_name(cls) -> str:
        """Returns the name of the collection."""
        return cls.explicit_collection_name() or names.collection_of(cls.__name__)

    @classmethod
    def explicit_collection_name(cls) -> str | None:
        """Returns the name of the collection if `Settings` sets one."""
        settings = cls.__dict__.get("Settings")
        name = getattr(settings, "name", None)
        return name if isinstance(name, str) else None

    # Reading

    @classmethod
    def get(cls, id: str) -> Result[Self | None]:
        """Returns a document, or None if it does not exist."""
        return Result(cls._collection().get(id))

    @classmethod
    def find(cls, *filters: Filter) -> DocumentQuery[Self]:
        """Returns the query of the documents that match all filters."""
        return DocumentQuery(cls._collection().find(*filters))

    @classmethod
    def find_all(cls) -> DocumentQuery[Self]:
        """Returns the query of all documents."""
        return cls.find()

    @classmethod
    def find_one(cls, *filters: Filter) -> Result[Self | None]:
        """Returns the first document that matches, or None."""
        return cls.find(*filters).first_or_none()

    @classmethod
    def count(cls, *filters: Filter) -> Result[int]:
        """Returns the number of documents that match all filters."""
        return cls.find(*filters).count()

    # Writing

    def insert(self) -> Result[Self]:
        """Adds the document. Without an id, the host creates one and `id` is set."""
        self._collection().insert(self)
        return Result(self)

    def save(self) -> Result[Self]:
        """Writes the fields that were changed since the document was read, or adds it.

        Fields of the stored document that the model does not know are kept.
        """
        self._collection().save(self)
        return Result(self)

    def delete(self) -> Result[bool]:
        """Deletes the document and returns whether it existed."""
        if self.id is None:
            raise ValueError("cannot delete a document without an id")
        return Result(self._collection().delete(self.id))

    @classmethod
    def _collection(cls) -> Collection[Self]:
        from ophost_sdk.documents.collection import Collection

        return Collection(cls)


# All models, in the order of their definition.
MODELS: list[type[Document]] = []
