"""Table `idempotent_request`: answers that were given, and the locks of requests that run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.postgres.database import Connection

_TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"

_TRY_LOCK_SESSION = "SELECT pg_try_advisory_lock($1)"

_FIND = """
SELECT request_sha256, resource, status, headers, body, recorded_at
FROM idempotent_request WHERE scope_sha256 = $1
"""

_INSERT = """
INSERT INTO idempotent_request (scope_sha256, request_sha256, resource, status, headers, body)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was sent. `body` is None if it was erased or never stored."""

    resource: str
    status: int
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """A request that had an effect, and its answer."""

    request_sha256: bytes
    answer: Answer
    recorded_at: datetime


async def try_lock(connection: Connection, scope_sha256: bytes) -> bool:
    """Lock a scope until the transaction ends, without waiting. Return False if another session has it."""
    return bool(await connection.fetchval(_TRY_LOCK, _lock_number(scope_sha256)))


async def try_lock_session(connection: Connection, scope_sha256: bytes) -> bool:
    """Lock a scope until the session ends, without waiting. Return False if another session has it."""
    return bool(await connection.fetchval(_TRY_LOCK_SESSION, _lock_number(scope_sha256)))


def _lock_number(scope_sha256: bytes) -> int:
    # Two scopes with one number refuse each other for a moment; nothing is mixed up.
    return int.from_bytes(scope_sha256[:8], signed=True)


async def find(connection: Connection, scope_sha256: bytes) -> AnsweredRequest | None:
    """Return the request that was answered in this scope. The caller has locked the scope."""
    row = await connection.fetchrow(_FIND, scope_sha256)
    if row is None:
        return None
    answer = Answer(row["resource"], row["status"], json.loads(row["headers"]), row["body"])
    return AnsweredRequest(row["request_sha256"], answer, row["recorded_at"])


async def insert(connection: Connection, scope_sha256: bytes, request_sha256: bytes, answer: Answer) -> None:
    """Store an answer in the transaction of its effect. The caller has locked the scope."""
    await connection.execute(
        _INSERT,
        scope_sha256,
        request_sha256,
        answer.resource,
        answer.status,
        json.dumps(dict(answer.headers)),
        answer.body,
    )
