"""Write operations for ophost in Python.

An operation is a function that the host lists, validates, runs in a sandbox and records:

    from ophost_sdk import BaseModel, operation

    class Person(BaseModel):
        name: str

    @operation(category="demo")
    def greet(person: Person) -> str:
        "Greets a person by name."
        return f"Hello, {person.name}!"

The same file runs under plain Python: see `ophost_sdk.testing`.

| module        | content                                                          |
|---------------|------------------------------------------------------------------|
| `operations`  | the decorator `@operation`                                       |
| `models`      | `BaseModel` and `Field`                                          |
| `documents`   | `Document`, `Collection`, queries and their errors               |
| `failure`     | the failure of an operation                                      |
| `log`         | the log of the run                                               |
| `progress`    | the progress of the run                                          |
| `item_errors` | errors of single items of a bulk input                           |
| `context`     | properties of the run                                            |
| `testing`     | runs operations under plain Python                               |
| `signature`   | reads the parameters of an operation                             |
| `dispatch`    | calls an operation with JSON                                     |
| `run_state`   | the errors of document calls of the current run                  |
| `loop`        | the event loop of asynchronous operations                        |
| `tracebacks`  | tracebacks without the frames of the SDK                         |
| `json_text`   | parses and writes JSON strictly                                  |
| `names`       | rules for names                                                  |
| `backend`     | the interface between the SDK and the host                       |
| `host`        | selects the host in a component or in memory                     |
| `component`   | the exports and the host of a component                          |
"""

from ophost_sdk import context, documents, item_errors, log, progress
from ophost_sdk.documents import (
    Collection,
    Condition,
    Document,
    DocumentError,
    ReadCollection,
)
from ophost_sdk.failure import Failure
from ophost_sdk.models import BaseModel, ConfigDict, Field, ValidationError
from ophost_sdk.operations import Operation, operation

__all__ = [
    "BaseModel",
    "Collection",
    "Condition",
    "ConfigDict",
    "Document",
    "DocumentError",
    "Failure",
    "Field",
    "Operation",
    "ReadCollection",
    "ValidationError",
    "context",
    "documents",
    "item_errors",
    "log",
    "operation",
    "progress",
]
