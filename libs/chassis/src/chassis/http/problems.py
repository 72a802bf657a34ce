"""The shape of every error over HTTP: a problem (RFC 9457) with a stable type (ALL-6)."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from litestar.types import Send

PROBLEM_JSON = "application/problem+json"
PROBLEM_TYPE_PREFIX = "urn:plumbline:problem:"
RETRY_AFTER_SECONDS = 5
FAILED = ("internal-error", "the service failed; its log has the cause")
"""Kind and detail of every 500: what failed is for the log alone."""


def problem_body(
    status: int, kind: str, detail: str, members: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The JSON object of a problem: stable `type`, its title, and what this occurrence adds."""
    return {
        "type": PROBLEM_TYPE_PREFIX + kind,
        "title": kind.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        **(members or {}),
    }


async def send_problem(send: Send, status: int, kind: str, detail: str) -> None:
    """Answer a request outside of the framework. An answer that has begun already is left as it is."""
    body = msgspec.json.encode(problem_body(status, kind, detail))
    headers = [(b"content-type", PROBLEM_JSON.encode()), (b"content-length", b"%d" % len(body))]
    with suppress(RuntimeError):  # the application had begun to answer: the server closes the connection
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})
