"""Errors of bulk operations as problem+json (ALL-6)."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response

from chassis.http.problems import problem_response
from reconciler.domain.operation_steps import ArgumentError
from reconciler.domain.operations import OperationRefusedError
from reconciler.handlers.operations import UnknownExceptionError, UnknownOperationError

AnyRequest = Request[Any, Any, Any]
ProblemResponse = Response[dict[str, Any]]

_STATUS = {"selection-too-large": 400, "selection-token-expired": 410}


def _on_bad_argument(_request: AnyRequest, error: ArgumentError) -> ProblemResponse:
    errors = [{"field": error.member, "message": error.message}]
    return problem_response(400, "invalid-request", str(error), {"errors": errors})


def _on_refused_operation(_request: AnyRequest, error: OperationRefusedError) -> ProblemResponse:
    members = {} if error.count is None else {"count": error.count}
    return problem_response(_STATUS.get(error.kind, 409), error.kind, str(error), members)


def _on_unknown_exception(_request: AnyRequest, error: UnknownExceptionError) -> ProblemResponse:
    return problem_response(404, "exception-not-found", str(error))


def _on_unknown_operation(_request: AnyRequest, error: UnknownOperationError) -> ProblemResponse:
    return problem_response(404, "operation-not-found", str(error))


OPERATION_EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], ProblemResponse]] = {
    ArgumentError: _on_bad_argument,
    OperationRefusedError: _on_refused_operation,
    UnknownExceptionError: _on_unknown_exception,
    UnknownOperationError: _on_unknown_operation,
}
