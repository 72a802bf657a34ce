"""Tables `log_submission` and `log_cosignature`: checkpoints of ours, and what witnesses signed of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from audit.domain.log.checkpoints import Verified
from audit.domain.log.notes import SignatureLine
from chassis.postgres import Connection

_HEAD = "SELECT tree_size, root, note, signed_at FROM log_head WHERE tree_size > 0"

_SUBMIT = """
INSERT INTO log_submission (tree_size, root, note, signed_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (tree_size) DO NOTHING
"""

_COSIGN = """
INSERT INTO log_cosignature (tree_size, key_name, key_id, signature)
SELECT tree_size, key_name, key_id, signature
FROM log_submission, unnest($3::text[], $4::bytea[], $5::bytea[]) AS line (key_name, key_id, signature)
WHERE tree_size = $1 AND root = $2
ON CONFLICT (tree_size, key_name, key_id) DO NOTHING
"""

_IS_COSIGNED = """
SELECT EXISTS (
    SELECT FROM log_cosignature, unnest($2::text[], $3::bytea[]) AS known (name, id)
    WHERE tree_size = $1 AND key_name = name AND key_id = id
)
"""

# The checkpoint of a size, wherever it is kept, with the cosignatures of this very tree.
_NOTE = """
WITH wanted AS (SELECT coalesce($1, (SELECT tree_size FROM log_head)) AS size)
SELECT found.note, key_name, key_id, signature
FROM (
    SELECT note, root FROM (
        SELECT note, root, 1 AS place FROM wanted, log_head WHERE tree_size = size
        UNION ALL SELECT note, root, 2 FROM wanted, log_checkpoint WHERE tree_size = size
        UNION ALL SELECT note, root, 3 FROM wanted, log_submission WHERE tree_size = size
    ) AS kept
    ORDER BY place LIMIT 1
) AS found
LEFT JOIN (
    SELECT root, key_name, key_id, signature
    FROM wanted, log_submission JOIN log_cosignature USING (tree_size)
    WHERE tree_size = size
) AS cosigned USING (root)
ORDER BY key_name, key_id
"""

_SIZES = """
SELECT tree_size, array_agg(key_name) AS names, array_agg(key_id) AS ids
FROM log_cosignature WHERE tree_size > $1 AND tree_size < $2
GROUP BY tree_size ORDER BY tree_size DESC LIMIT $3
"""

_NEWEST_OF = """
SELECT tree_size, cosigned_at FROM log_cosignature WHERE key_name = $1 AND key_id = $2
ORDER BY tree_size DESC LIMIT 1
"""

_OLDEST_WAITING = """
SELECT extract(epoch FROM clock_timestamp() - min(signed_at))::float8 FROM (
    (SELECT signed_at FROM log_checkpoint WHERE tree_size > $1 ORDER BY tree_size LIMIT 1)
    UNION ALL
    (SELECT signed_at FROM log_submission WHERE tree_size > $1 ORDER BY tree_size LIMIT 1)
    UNION ALL
    SELECT signed_at FROM log_head WHERE tree_size > $1
) AS waiting
"""

_AGE = """
SELECT extract(epoch FROM clock_timestamp() - signed_at)::float8 FROM log_submission WHERE tree_size = $1
"""


@dataclass(frozen=True, slots=True)
class Submission:
    """A signed checkpoint for which witnesses are asked."""

    size: int
    root: bytes
    note: str
    signed_at: datetime


@dataclass(frozen=True, slots=True)
class CosignedSize:
    """Size of a tree, and the names and ids of the keys that cosigned it."""

    size: int
    keys: frozenset[tuple[str, bytes]]


async def read_head(connection: Connection) -> Submission | None:
    """Return the newest signed checkpoint; None while the log is empty."""
    row = await connection.fetchrow(_HEAD)
    return None if row is None else Submission(row["tree_size"], row["root"], row["note"], row["signed_at"])


async def insert(connection: Connection, submission: Submission, signatures: Sequence[Verified]) -> None:
    """Store verified cosignatures of a checkpoint. Those that are there already stay."""
    await connection.execute(_SUBMIT, submission.size, submission.root, submission.note, submission.signed_at)
    columns = [(signed.line.name, signed.line.key_id, signed.line.signature) for signed in signatures]
    await connection.execute(
        _COSIGN, submission.size, submission.root, *map(list, zip(*columns, strict=True))
    )


async def is_cosigned(connection: Connection, size: int, keys: Sequence[tuple[str, bytes]]) -> bool:
    """Return whether one of the keys, by name and id, has cosigned the tree of this size."""
    names, ids = [name for name, _ in keys], [key_id for _, key_id in keys]
    return await connection.fetchval(_IS_COSIGNED, size, names, ids)


async def read_note(connection: Connection, size: int | None) -> str | None:
    """Return the signed checkpoint of this size with all its cosignatures; None if none is kept.

    Args:
        connection: of audit's database.
        size: of the tree; None for the newest one.
    """
    rows = await connection.fetch(_NOTE, size)
    if not rows:
        return None
    lines = [
        str(SignatureLine(row["key_name"], row["key_id"], row["signature"]))
        for row in rows
        if row["signature"] is not None
    ]
    return "".join((rows[0]["note"], *lines))


async def cosigned_sizes(
    connection: Connection, *, above: int, below: int, rows_max: int
) -> list[CosignedSize]:
    """Return the cosigned trees between two sizes, largest first."""
    return [
        CosignedSize(row["tree_size"], frozenset(zip(row["names"], row["ids"], strict=True)))
        for row in await connection.fetch(_SIZES, above, below, rows_max)
    ]


async def newest_of(connection: Connection, name: str, key_id: bytes) -> tuple[int, datetime | None]:
    """Return the largest tree that a key has cosigned, and when; 0 and None if there is none."""
    row = await connection.fetchrow(_NEWEST_OF, name, key_id)
    return (0, None) if row is None else (row["tree_size"], row["cosigned_at"])


async def waiting_seconds(connection: Connection, size: int) -> float:
    """Return how long the oldest signed checkpoint of a larger tree has waited; 0 if there is none."""
    return max(0.0, await connection.fetchval(_OLDEST_WAITING, size) or 0.0)


async def age_seconds(connection: Connection, size: int) -> float:
    """Return the age of a submitted checkpoint."""
    return max(0.0, await connection.fetchval(_AGE, size) or 0.0)
