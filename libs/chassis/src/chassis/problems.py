"""The shape of every error over HTTP: a problem (RFC 9457) with a stable type (ALL-6)."""

from collections.abc import Mapping
from typing import Any

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
