"""Collections of JSON documents in the store of the host.

Each run has one document transaction. If the run succeeds, all its writes are committed. If it
fails, none is. Runs are serializable: after a conflict with another run, the host executes the
operation again.

- `document`: the class `Document`, whose methods can be awaited.
- `collection`: `Collection` and `ReadCollection`, whose methods are plain functions.
- `query`: queries, page by page.
- `merge`: three-way merges for `save`.
- `errors`: errors of document calls.
- `calls`: calls to the host.
- `result`: results that can be awaited.
"""

from ophost_sdk.backend import ABSENT, ALWAYS, PRESENT, Condition
from ophost_sdk.documents.calls import discard
from ophost_sdk.documents.collection import Collection, ReadCollection
from ophost_sdk.documents.document import Document
from ophost_sdk.documents.errors import (
    Denied,
    DocumentError,
    Exists,
    Invalid,
    ModelMismatch,
    NotFound,
    OtherError,
    Stale,
    TooLarge,
)
from ophost_sdk.documents.query import DocumentQuery, Query
from ophost_sdk.documents.result import Result

__all__ = [
    "ABSENT",
    "ALWAYS",
    "PRESENT",
    "Collection",
    "Condition",
    "Denied",
    "Document",
    "DocumentError",
    "DocumentQuery",
    "Exists",
    "Invalid",
    "ModelMismatch",
    "NotFound",
    "OtherError",
    "Query",
    "ReadCollection",
    "Result",
    "Stale",
    "TooLarge",
    "discard",
]
