"""Table `witness_log`: the newest tree of each log that this installation cosigns."""

from audit.domain.log.checkpoints import Checkpoint
from audit.domain.log.notes import Note
from audit.domain.log.witness_requests import Seen
from chassis.postgres import Connection

_READ = "SELECT tree_size, root FROM witness_log WHERE origin = $1"
_NOTE = "SELECT note FROM witness_log WHERE origin = $1"

_FIRST = """
INSERT INTO witness_log (origin, tree_size, root, note) VALUES ($1, $2, $3, $4)
ON CONFLICT (origin) DO NOTHING
RETURNING true
"""

# Between reading and writing another request may have moved the tree.
_NEXT = """
UPDATE witness_log SET tree_size = $2, root = $3, note = $4, cosigned_at = clock_timestamp()
WHERE origin = $1 AND tree_size = $5 AND root = $6
RETURNING true
"""


async def read_seen(connection: Connection, origin: str) -> Seen | None:
    """Return the newest cosigned tree of a log; None before the first."""
    row = await connection.fetchrow(_READ, origin)
    return None if row is None else Seen(row["tree_size"], row["root"])


async def replace_seen(
    connection: Connection, submitted: Checkpoint, note: Note, *, seen: Seen | None
) -> bool:
    """Store a cosigned checkpoint if the newest one is still `seen`; return whether it was."""
    row = (submitted.origin, submitted.size, submitted.root, str(note))
    if seen is None:
        return bool(await connection.fetchval(_FIRST, *row))
    return bool(await connection.fetchval(_NEXT, *row, seen.size, seen.root))


async def read_note(connection: Connection, origin: str) -> str | None:
    """Return the newest cosigned checkpoint of a log; None before the first."""
    return await connection.fetchval(_NOTE, origin)
