"""Calls the function of an operation with JSON input and output."""

from __future__ import annotations

import inspect
from typing import Any

from ophost_sdk import json_text, log, loop, run_state, tracebacks
from ophost_sdk.documents.calls import discard
from ophost_sdk.documents.errors import DocumentError
from ophost_sdk.failure import Failure
from ophost_sdk.host import IS_COMPONENT
from ophost_sdk.json_text import NotJsonError
from ophost_sdk.models.fields import MISSING
from ophost_sdk.models.loading import Loading
from ophost_sdk.operations import Operation
from ophost_sdk.signature import Signature


def invoke(operation: Operation, text: str) -> str:
    """Calls an operation with a JSON text, and returns its output as JSON text.

    Raises `Failure` if the input does not match its type, if the function raises any exception, and
    if the output is not JSON. If the function caught the error of a document call, the writes of
    the run are discarded. In a component, a `MemoryError` is raised unchanged.
    """
    signature = operation.signature
    arguments = _arguments(signature, text)
    with run_state.new_run() as run:
        try:
            output = _call(operation, arguments)
        # The host must not see any exception, also not `SystemExit` and `KeyboardInterrupt`.
        except BaseException as error:
            if IS_COMPONENT and isinstance(error, MemoryError):
                # The component traps, and the host reports the limit of memory.
                raise
            raise to_failure(error) from None
        result = _output_text(output)
        if run.unhandled:
            _discard(run.unhandled)
    return result


def to_failure(error: BaseException) -> Failure:
    """Converts an exception of an operation to a failure with its traceback."""
    if isinstance(error, Failure):
        failure = error
        has_cause = error.__cause__ is not None
        failure.traceback = tracebacks.text(error) if has_cause else None
        return failure
    failure = _failure_of(error)
    failure.traceback = tracebacks.text(error)
    return failure


def _failure_of(error: BaseException) -> Failure:
    if isinstance(error, DocumentError):
        return Failure(str(error), code=error.code).with_kind(error.kind)
    code = type(error).__name__
    if isinstance(error, SystemExit):
        message = f"the operation called `exit({error.code!r})`; raise `Failure` to end a run"
        return Failure.permanent(message, code=code)
    if isinstance(error, ModuleNotFoundError) and IS_COMPONENT:
        return Failure.permanent(_missing_module(error), code=code)
    return Failure(tracebacks.summary(error), code=code)


def _missing_module(error: ModuleNotFoundError) -> str:
    return (
        f"module `{error.name}` is not in the component; import it at the top of a module, because "
        "a component only has the modules that are imported while it is built"
    )


def _arguments(signature: Signature, text: str) -> tuple[Any, ...]:
    if signature.input is None:
        return ()
    loading = Loading()
    try:
        value = signature.input.type.load(json_text.parse(text), (), loading)
    except ValueError as error:
        raise Failure.permanent(f"invalid input: {error}", code="invalid-input") from None
    if value is MISSING:
        reasons = "; ".join(map(str, loading.problems))
        raise Failure.permanent(f"invalid input: {reasons}", code="invalid-input")
    return (value,)


def _call(operation: Operation, arguments: tuple[Any, ...]) -> Any:
    result = operation.function(*arguments, **operation.signature.collections)
    if not inspect.iscoroutine(result):
        return result
    if loop.is_running():
        result.close()
        raise RuntimeError(
            f"cannot invoke `{operation.name}` while an event loop is running; call the function "
            "with `await` instead"
        )
    return loop.run(result)


def _output_text(output: Any) -> str:
    try:
        return json_text.dump(output)
    except NotJsonError as error:
        raise Failure.permanent(f"invalid output: {error}", code="invalid-output") from None


def _discard(errors: list[Exception]) -> None:
    discard()
    log.warn(
        f"all document changes of the run are discarded, because it caught an error: {errors[0]}; "
        "call `error.handled()` to keep the changes"
    )
