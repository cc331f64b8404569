"""Runs operations under plain Python, for unit tests.

    from ophost_sdk.testing import invoke, memory

    def test_greets_by_name():
        assert invoke(greet, '{"name": "Ada"}') == '"Hello, Ada!"'

`memory` gives a test empty documents. `invoke` and `run` execute an operation as the host does: the
input and the output are validated, the operation can access only its models, and its writes are
discarded if it fails. `cases` runs the case files of `ophost test`.

The validation needs the package `jsonschema`.

- `documents`: the documents of a test.
- `runs`: executes operations.
- `schemas`: validates values and fills in defaults.
- `case_files`: case files.
- `patterns`: compares results with expectations that have placeholders.
"""

from ophost_sdk.memory.host import LogEntry
from ophost_sdk.testing.case_files import Case, cases, describe
from ophost_sdk.testing.documents import Memory, memory
from ophost_sdk.testing.runs import Report, invoke, run

__all__ = [
    "Case",
    "LogEntry",
    "Memory",
    "Report",
    "cases",
    "describe",
    "invoke",
    "memory",
    "run",
]
