"""The documents of a test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ophost_sdk import json_text
from ophost_sdk.backend import ALWAYS
from ophost_sdk.documents.collection import Collection
from ophost_sdk.documents.document import Document
from ophost_sdk.memory import host
from ophost_sdk.memory.host import Journal, LogEntry


class Memory:
    """The documents of this thread, and the journal of its last run.

    If a test calls the functions of operations, all their writes belong to one run until `commit`.
    """

    def seed(self, *documents: Document) -> None:
        """Adds or replaces documents and commits all writes. Sets missing ids."""
        for document in documents:
            collection = Collection(type(document))
            if document.id is None:
                collection.insert(document)
            else:
                collection.put(document.id, document)
        self.commit()

    def seed_json(self, collection: str, id: str, body: Mapping[str, Any]) -> None:
        """Adds or replaces a document of any JSON object and commits all writes.

        Raises `CallError` if the name of the collection, the id or the body is invalid.
        """
        store = host.current_memory().documents
        store.put(collection, id, json_text.dump(body), ALWAYS)
        store.commit()

    def documents(self, collection: str) -> dict[str, dict[str, Any]]:
        """Returns the documents of a collection by id."""
        return host.current_memory().documents.documents(collection)

    def collections(self) -> list[str]:
        """Returns the names of the collections that have documents."""
        return host.current_memory().documents.collections()

    def commit(self) -> None:
        """Commits all writes. The written documents get a new revision."""
        host.current_memory().documents.commit()

    @property
    def logs(self) -> list[LogEntry]:
        """The log entries so far, or those of the last `invoke` or `run`."""
        return self._journal.logs

    @property
    def progress(self) -> list[dict[str, Any]]:
        """The progress reports, each with `done`, `total` and `message`."""
        return self._journal.progress

    @property
    def item_errors(self) -> list[dict[str, Any]]:
        """The item errors, each with `index`, `item` and `error`."""
        return self._journal.item_errors

    @property
    def _journal(self) -> Journal:
        return host.current_memory().journal


def memory() -> Memory:
    """Returns empty documents. They replace the earlier documents of this thread."""
    host.reset()
    return Memory()
