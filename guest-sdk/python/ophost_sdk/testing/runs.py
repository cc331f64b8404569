"""Executes operations as the host does, with documents in memory."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ophost_sdk import dispatch, json_text, log, operations
from ophost_sdk.failure import Failure
from ophost_sdk.memory import host
from ophost_sdk.memory.host import Journal, LogEntry, MemoryHost, RunContext
from ophost_sdk.memory.store import Grants
from ophost_sdk.operations import Operation
from ophost_sdk.testing import schemas
from ophost_sdk.testing.schemas import Violation

Callee = Callable[..., Any] | Operation


@dataclass(frozen=True)
class Report:
    """The result of a run, with the names of `ophost run --json`."""

    run_id: str | None
    # The output; None if the run failed or did not start.
    output: Any = None
    # The failure; None if the run succeeded.
    failure: Failure | None = None
    # The failure kind of the host, such as `error`, `invalid_input` or `effects`.
    kind: str | None = None
    violations: list[Violation] = field(default_factory=list)
    changes: dict[str, int] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)

    @property
    def is_success(self) -> bool:
        """Whether the run succeeded."""
        return self.failure is None

    @property
    def logs(self) -> list[LogEntry]:
        """The log entries."""
        return self.journal.logs

    @property
    def item_errors(self) -> list[dict[str, Any]]:
        """The item errors, each with `index`, `item` and `error`."""
        return self.journal.item_errors

    @property
    def progress(self) -> list[dict[str, Any]]:
        """The progress reports, each with `done`, `total` and `message`."""
        return self.journal.progress

    def error(self) -> dict[str, Any] | None:
        """Returns the failure as an object, as in `ophost run --json`."""
        if self.failure is None:
            return None
        fields = {
            "kind": self.kind,
            "message": self.failure.message,
            "code": self.failure.code,
            "details": self.failure.details,
            "traceback": self.failure.traceback,
            "violations": self.violations or None,
        }
        return {name: value for name, value in fields.items() if value is not None}


def invoke(operation: Callee, text: str, **flags: Any) -> str:
    """Runs an operation with a JSON text, and returns its output as JSON text.

    The flags are those of `run`. Raises `Failure` if the run fails or does not start.
    """
    try:
        value = json_text.parse(text)
    except ValueError as error:
        raise Failure.permanent(f"invalid input: {error}", code="invalid-input") from None
    report = run(operation, value, **flags)
    if report.failure is not None:
        raise report.failure
    return json_text.dump(report.output)


def run(
    operation: Callee,
    input: Any = None,
    *,
    user_id: str | None = None,
    dry_run: bool = False,
    test_mode: bool = True,
    verbose: bool = False,
    channel: str = "native",
    record: bool | None = None,
    attempt: int = 1,
    idempotency_key: str | None = None,
    timeout: float = 60,
    max_effects: int | None = None,
) -> Report:
    """Runs an operation with an input, and returns the result.

    `input` is a model or a JSON value; None is an empty object. The other parameters are flags of
    `ophost run`. `record` replaces `async_enabled` of the operation. The timeout in seconds is only
    the deadline that the operation sees. `max_effects` is the maximum size of the document changes
    in bytes.
    """
    described = operations.of(operation)
    value = json_text.to_json({} if input is None else input)
    value = schemas.filled(described.input_schema, value)
    violations = schemas.violations(described.input_schema, value)
    if violations:
        return _invalid(described, "input", violations)
    is_recorded = described.create_taskrun and (
        described.async_enabled if record is None else record
    )
    context = RunContext(
        run_id_value=str(uuid.uuid4()) if is_recorded else None,
        user=user_id or _member(value, "user_id"),
        channel_name=channel,
        is_dry_run=dry_run or _member(value, "dry_run") is True,
        is_test=test_mode or _member(value, "test_mode") is True,
        is_verbose=verbose or _member(value, "verbose") is True,
        attempt_number=attempt,
        key=idempotency_key,
        deadline_ms=int((time.time() + timeout) * 1000),
    )
    with _transaction(described, context, max_effects) as memory:
        return _executed(described, json_text.dump(value), memory)


def _executed(operation: Operation, text: str, memory: MemoryHost) -> Report:
    """Calls the operation, and commits or discards its changes."""
    store, run_id = memory.documents, memory.context.run_id()
    try:
        output = json_text.parse(dispatch.invoke(operation, text))
    except Failure as failure:
        kind = "effects" if store.is_over_limit else "error"
        return Report(run_id, failure=failure, kind=kind, journal=memory.journal)
    violations = schemas.violations(operation.output_schema, output)
    if violations:
        return _invalid(operation, "output", violations, run_id, memory.journal)
    if run_id is not None and "task_run_id" in operation.output_schema.get("properties", {}):
        output["task_run_id"] = run_id
    changes = store.change_counts()
    if not memory.context.dry_run():
        store.commit()
    return Report(run_id, output, changes=changes, journal=memory.journal)


def _invalid(
    operation: Operation,
    what: str,
    violations: list[Violation],
    run_id: str | None = None,
    journal: Journal | None = None,
) -> Report:
    shown = "; ".join(f"{one['pointer'] or '/'}: {one['problem']}" for one in violations)
    message = f"the {what} of `{operation.name}` breaks its schema: {shown}"
    failure = Failure.permanent(message, code=f"invalid-{what}")
    kind = f"invalid_{what}"
    return Report(
        run_id, failure=failure, kind=kind, violations=violations, journal=journal or Journal()
    )


@contextmanager
def _transaction(
    operation: Operation, context: RunContext, max_effects: int | None
) -> Iterator[MemoryHost]:
    """Begins a run. At its end, changes that are not committed are discarded."""
    memory = host.current_memory()
    store = memory.documents
    if store.grants is not None:
        raise RuntimeError(f"cannot run `{operation.name}` within another run; call the function")
    store.commit()
    read, write = (operation.collections(names) for names in _models(operation))
    store.grants, store.max_effects = Grants(read, write), max_effects
    memory.context, memory.journal = context, Journal()
    try:
        with _logging():
            yield memory
    finally:
        store.discard()
        store.grants, store.max_effects, store.is_over_limit = None, None, False
        memory.context = RunContext()


def _models(operation: Operation) -> tuple[list[str], list[str]]:
    return operation.models_in, operation.models_out


@contextmanager
def _logging() -> Iterator[None]:
    """Writes the records of `logging` to the journal during a run."""
    root = logging.getLogger()
    handler, level = log.HostHandler(), root.level
    root.addHandler(handler)
    root.setLevel(log.TRACE)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None
