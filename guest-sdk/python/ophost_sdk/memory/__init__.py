"""A host in memory, for plain Python and unit tests. A component does not contain it.

- `host`: implements the interface of the host, and records log entries, progress and item errors.
- `store`: the documents, and the transaction of a run.
- `edits`: sets fields and merges patches.
- `bodies`: the rules for the content of a document.
- `filters`: parses and matches filters.
- `paths`: paths of fields in a document.
- `order`: the order of JSON values.
"""
