"""Problems: the shape of every error over HTTP (RFC 9457), with a stable type (ALL-6)."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from litestar import Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Send

PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE_PREFIX = "urn:plumbline:problem:"
FAILED = ("internal-error", "the service failed; its log has the cause")
"""Kind and detail of every 500. The cause is for the log alone."""

UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
RETRY_AFTER_SECONDS = 5
_TEMPORARY = frozenset({429, 503})


class Problem(HTTPException):
    """An error that is answered as a problem.

    Args:
        status: HTTP status code.
        kind: stable name; the `type` member is `urn:plumbline:problem:<kind>`.
        detail: one line for a person: what is wrong and what to do.
        extra: further members of the problem.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail=detail, status_code=status, headers=headers)
        self.kind = kind
        self.members = extra


class InvalidRequestError(ValidationException):
    """An invalid parameter, header or member of the body, under the name that its caller wrote (400).

    Attributes:
        others: further invalid parts of the request, as name and message.
    """

    def __init__(self, field: str, message: str, others: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.others = tuple(others)


def retry_after(status: int) -> dict[str, str]:
    """Return the `Retry-After` header of an answer with this status: for 429 and 503 only, else empty."""
    return {"retry-after": str(RETRY_AFTER_SECONDS)} if status in _TEMPORARY else {}


def problem_body(
    status: int, kind: str, detail: str, members: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the JSON object of a problem; `members` are added to the standard ones."""
    return {
        "type": PROBLEM_TYPE_PREFIX + kind,
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        **(members or {}),
    }


def problem_response(
    status: int,
    kind: str,
    detail: str,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[dict[str, Any]]:
    """Return a problem as the framework's response."""
    return Response(
        problem_body(status, kind, detail, members),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={**retry_after(status), **(headers or {})},
    )


async def send_problem(send: Send, status: int, kind: str, detail: str) -> None:
    """Send a problem outside of the framework. An answer that has begun already is left as it is."""
    body = msgspec.json.encode(problem_body(status, kind, detail))
    fields = {"content-type": PROBLEM_JSON, "content-length": str(len(body)), **retry_after(status)}
    headers = [(name.encode(), value.encode()) for name, value in fields.items()]
    with suppress(RuntimeError):  # the application had begun to answer: the server closes the connection
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
