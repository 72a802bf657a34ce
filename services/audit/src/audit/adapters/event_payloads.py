"""Table `event_payload`: one payload, for a person who may see it."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from chassis.postgres import Connection

_ONE = """
SELECT booking_id, event_type, recorded_at, body, texts
FROM event_log LEFT JOIN event_payload USING (entry_id)
WHERE entry_id = $1
"""


@dataclass(frozen=True, slots=True)
class PayloadRecord:
    """The payload of an entry.

    Attributes:
        body: None if the payload is no longer kept.
        texts: by name, ids of the message that the entry holds as digests.
    """

    booking_id: str | None
    event_type: str
    recorded_at: datetime
    body: bytes | None
    texts: dict[str, str]


async def by_entry(connection: Connection, entry_id: int) -> PayloadRecord | None:
    """Return the payload of an entry; None for an unknown entry."""
    row = await connection.fetchrow(_ONE, entry_id)
    if row is None:
        return None
    texts = {} if row["texts"] is None else msgspec.json.decode(row["texts"], type=dict[str, str])
    return PayloadRecord(row["booking_id"], row["event_type"], row["recorded_at"], row["body"], texts)
