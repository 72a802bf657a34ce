"""Table `log_witness`: what is known of each witness, by its submission prefix."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chassis.postgres import Connection

_READ = "SELECT url, tree_size, cosigned_at, asked_at, error, failing_since FROM log_witness"

_COSIGNED = """
INSERT INTO log_witness (url, tree_size, cosigned_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (url) DO UPDATE SET
    tree_size = excluded.tree_size, cosigned_at = excluded.cosigned_at, asked_at = clock_timestamp(),
    error = NULL, failing_since = NULL
"""

_FAILED = """
INSERT INTO log_witness AS known (url, error, failing_since) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (url) DO UPDATE SET
    asked_at = clock_timestamp(), error = excluded.error,
    failing_since = coalesce(known.failing_since, excluded.failing_since)
"""


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What is known of a witness.

    Attributes:
        size: the largest tree that it is known to have cosigned.
        cosigned_at: when it last cosigned; None if it never did.
        error: why it did not cosign when it was last asked; None if it did.
        failing_since: when it first did not; None if it did.
    """

    size: int = 0
    cosigned_at: datetime | None = None
    asked_at: datetime | None = None
    error: str | None = None
    failing_since: datetime | None = None


async def read(connection: Connection) -> Mapping[str, WitnessState]:
    """Return the known witnesses by submission prefix."""
    return {
        row["url"]: WitnessState(
            row["tree_size"], row["cosigned_at"], row["asked_at"], row["error"], row["failing_since"]
        )
        for row in await connection.fetch(_READ)
    }


async def note_cosigned(connection: Connection, url: str, size: int) -> None:
    """Record that the witness has cosigned a tree of this size."""
    await connection.execute(_COSIGNED, url, size)


async def note_failed(connection: Connection, url: str, error: str) -> None:
    """Record why the witness did not cosign."""
    await connection.execute(_FAILED, url, error)
