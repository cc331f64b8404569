"""Collections: the documents of one model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from ophost_sdk import json_text
from ophost_sdk.backend import ABSENT, ALWAYS, PRESENT, Condition, HostDocument
from ophost_sdk.documents.calls import call, marked
from ophost_sdk.documents.document import Document, StoredState
from ophost_sdk.documents.errors import ModelMismatch, NotFound
from ophost_sdk.documents.merge import three_way
from ophost_sdk.documents.query import Filter, Query, filter_text
from ophost_sdk.json_text import NotJsonError
from ophost_sdk.models.errors import Problem, ValidationError
from ophost_sdk.models.loading import Loading

T = TypeVar("T", bound=Document)


class ReadCollection(Generic[T]):
    """Read access to the documents of a model.

    A parameter of an operation with this type adds the model to `models_in`.
    """

    def __init__(self, model: type[T]) -> None:
        self.model = model
        self.name = model.collection_name()

    def get(self, id: str) -> T | None:
        """Returns a document, or None if it does not exist."""
        document = call(lambda host: host.get(self.name, id), self.name, id)
        return None if document is None else self._load(document)

    def require(self, id: str) -> T:
        """Returns a document. Raises `NotFound` if it does not exist."""
        document = self.get(id)
        if document is None:
            raise marked(NotFound(self.name, id))
        return document

    def find(self, *filters: Filter) -> Query[T]:
        """Returns the query of the documents that match all filters."""
        return Query(self.name, self._load, filter_text(filters))

    def count(self, *filters: Filter) -> int:
        """Returns the number of documents that match all filters."""
        return self.find(*filters).count()

    def _load(self, document: HostDocument) -> T:
        """Converts a document of the host. Unknown fields are ignored if the model allows it."""
        body = json_text.parse(document.body)
        body.pop("id", None)  # a field of this name is not the id of the document
        try:
            loaded = self.model.__ophost_validate__(body, Loading(default_extra="ignore"))
        except ValidationError as error:
            raise self._mismatch(document.id, error.problems) from None
        loaded.id = document.id
        self._remember(loaded, document.id, document.revision, _fields(loaded))
        return loaded

    def _remember(self, document: T, id: str, revision: int, fields: dict[str, Any]) -> None:
        document.id = id
        state = StoredState(id, revision, fields)
        object.__setattr__(document, "__ophost_state__", state)

    def _mismatch(self, id: str, problems: list[Problem]) -> ModelMismatch:
        error = ModelMismatch(self.name, id, self.model.__name__, problems)
        marked(error)
        return error

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{self.model.__name__}]"


class Collection(ReadCollection[T]):
    """Read and write access to the documents of a model.

    A parameter of an operation with this type adds the model to `models_out`.
    """

    def insert(self, document: T) -> str:
        """Adds a document and returns its id. Without an id, the host creates one.

        Raises `Exists` if a document has the id.
        """
        return self._put(document, document.id, ABSENT)

    def put(self, id: str, document: T) -> None:
        """Adds or replaces a document. Fields that the model does not know are deleted."""
        self.put_if(id, document, ALWAYS)

    def put_if(self, id: str, document: T, condition: Condition) -> None:
        """Adds or replaces a document if the condition holds.

        Raises `Exists`, `NotFound` or `Stale` otherwise.
        """
        self._put(document, id, condition)

    def save(self, document: T) -> None:
        """Writes the fields that were changed since the document was read.

        Fields of the stored document that the model does not know are kept. A document that was
        not read is added, or its fields replace those of the stored document.
        """
        if document.id is None:
            self.insert(document)
            return
        state = document.__ophost_state__
        if state is not None and state.id != document.id:
            raise ValueError(
                f"cannot save document `{state.id}` with the id `{document.id}`: the id of a "
                "document cannot be changed; use `insert` on a copy"
            )
        fields = self._checked_fields(document)
        if state is None or fields != state.fields:
            self._write_changes(document, document.id, fields, state)

    def set(self, id: str, fields: Mapping[str, Any]) -> None:
        """Sets fields of a document at their paths, also to None.

        Raises `NotFound` if the document does not exist.
        """
        texts = [(path, json_text.dump(value)) for path, value in fields.items()]
        call(lambda host: host.set(self.name, id, texts), self.name, id)

    def merge(self, id: str, patch: Mapping[str, Any]) -> None:
        """Merges a patch into a document (RFC 7396): None deletes a field.

        Raises `NotFound` if the document does not exist.
        """
        text = json_text.dump(patch)
        call(lambda host: host.merge(self.name, id, text), self.name, id)

    def delete(self, id: str) -> bool:
        """Deletes a document and returns whether it existed."""
        return call(lambda host: host.delete(self.name, id), self.name, id)

    def _write_changes(
        self, document: T, id: str, fields: dict[str, Any], state: StoredState | None
    ) -> None:
        stored = call(lambda host: host.get(self.name, id), self.name, id)
        if stored is None and state is not None:
            raise marked(NotFound(self.name, id))
        body = {} if stored is None else json_text.parse(stored.body)
        merged = three_way(body, {} if state is None else state.fields, fields)
        condition = ABSENT if stored is None else PRESENT
        text = json_text.write(merged)
        call(lambda host: host.put(self.name, id, text, condition), self.name, id)
        self._remember(document, id, 0, fields)

    def _put(self, document: T, id: str | None, condition: Condition) -> str:
        fields = self._checked_fields(document)
        text = json_text.write(fields)
        new_id = call(lambda host: host.put(self.name, id, text, condition), self.name, id or "")
        self._remember(document, new_id, 0, fields)
        return new_id

    def _checked_fields(self, document: T) -> dict[str, Any]:
        """Returns the fields as JSON. Assignments are not validated, so this is done here."""
        loading = Loading(default_extra="ignore")
        try:
            fields = _fields(document)
            self.model.__ophost_validate__(fields, loading)
        except NotJsonError as error:
            raise self._mismatch(document.id or "", [Problem((), str(error))]) from None
        except ValidationError as error:
            raise self._mismatch(document.id or "", error.problems) from None
        return fields


def _fields(document: Document) -> dict[str, Any]:
    return document.model_dump(mode="json", exclude={"id"})
