"""The exported functions that the host calls."""

from __future__ import annotations

import sys

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import types as contract

from ophost_sdk import dispatch, json_text, log, tracebacks
from ophost_sdk.component import preload  # noqa: F401
from ophost_sdk.component.host import HOST
from ophost_sdk.failure import Failure
from ophost_sdk.operations import OPERATIONS, Operation


def export(name: str, version: str) -> type[exports.Operations]:
    """Returns the class that exports all operations that have been defined.

    The description is made here, while the component is built. A mistake in it fails the build.
    """
    if not OPERATIONS:
        raise ValueError(f"plugin `{name}` has no operation; decorate a function with `@operation`")
    described = contract.Plugin(
        name, version, [], [_describe(operation) for operation in OPERATIONS.values()]
    )
    log.install_handler()
    tracebacks.keep_source_lines()

    class Operations(exports.Operations):
        def describe(self) -> contract.Plugin:
            return described

        def invoke(self, operation: str, input: str) -> str:
            HOST.is_running = True
            try:
                return _invoke(name, operation, input)
            except Failure as failure:
                raise Err(_failure(failure)) from None
            finally:
                # The instance ends with the call, and its buffers with it.
                sys.stdout.flush()
                sys.stderr.flush()

    return Operations


def _invoke(plugin: str, name: str, input: str) -> str:
    operation = OPERATIONS.get(name)
    if operation is None:
        message = f"plugin `{plugin}` has no operation `{name}`"
        raise Failure.permanent(message, code="unknown-operation")
    return dispatch.invoke(operation, input)


def _describe(operation: Operation) -> contract.Operation:
    return contract.Operation(
        name=operation.name,
        description=operation.description,
        category=operation.category,
        input_schema=json_text.dump(operation.input_schema),
        output_schema=json_text.dump(operation.output_schema),
        tags=operation.tags,
        permissions=operation.permissions,
        models_in=operation.models_in,
        models_out=operation.models_out,
        stage=operation.stage,
        async_enabled=operation.async_enabled,
        create_taskrun=operation.create_taskrun,
        annotations=[
            contract.Annotation(key, json_text.dump(value))
            for key, value in operation.annotations.items()
        ],
    )


def _failure(failure: Failure) -> contract.Failure:
    info = contract.FailureInfo(failure.message, failure.code, _details(failure), failure.traceback)
    match failure.kind:
        case "error":
            return contract.Failure_Error(info)
        case "permanent":
            return contract.Failure_Permanent(info)
        case "retryable":
            return contract.Failure_Retryable(info)


def _details(failure: Failure) -> str | None:
    if failure.details is None:
        return None
    try:
        return json_text.dump(failure.details)
    except TypeError as error:
        return json_text.dump(str(error))
