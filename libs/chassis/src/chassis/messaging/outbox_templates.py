"""Events whose id and time the database sets, written by the very statement that writes the row they tell of.

Change, history and event are one statement then. `outbox.append` needs id and time first, so it needs one
more round trip and a transaction around both.
"""

import re
from base64 import b64encode
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from chassis import clock
from chassis.messaging.message import pack_headers
from chassis.messaging.outbox import OutgoingEvent, shard_of, to_record

UNKNOWN_TIME = datetime(1, 1, 1, tzinfo=UTC)
"""`recorded_at` of a payload whose time the database will set."""

# Stands where the database writes. JSON escapes control characters, so no text of a record contains it.
_STAMP = "\x1a"
# A text that looks like this has escaped quotes.
_TIME = re.compile('("recorded_at": ?")0001-01-01T00:00:00Z"')


@dataclass(frozen=True, slots=True)
class RecordTemplate:
    """A row of the outbox without id and time of its event."""

    shard: int
    topic: str
    key: bytes
    value: str
    headers: str

    @property
    def parameters(self) -> tuple[object, ...]:
        """Return the parameters of `insert_stamped`."""
        return self.shard, self.topic, self.key, self.value, self.headers


def to_template(event: OutgoingEvent) -> RecordTemplate:
    """Build the template of an event whose payload has `recorded_at=UNKNOWN_TIME`.

    Raises:
        ValueError: the payload has no such member.
    """
    stand_in = clock.new_id()
    record = to_record(replace(event, event_id=stand_in))
    value, times = _TIME.subn(rf'\1{_STAMP}"', record.value.decode())
    if times != 1:
        raise ValueError(f"{type(event.payload).__name__}: recorded_at is not UNKNOWN_TIME")
    headers = pack_headers(record.headers).decode().replace(b64encode(stand_in.encode()).decode(), _STAMP)
    return RecordTemplate(shard_of(record.key), record.topic, record.key, value, headers)


def insert_stamped(source: str, *, event_id: str, time: str, first: int) -> str:
    """Return the INSERT of a template, for each row of a part of a WITH query.

    The source must have locked the row that the key stands for (`outbox.append`).

    Args:
        source: name of the part.
        event_id: its column with the id, a uuid.
        time: its column with the time, a timestamptz.
        first: number of the first of five parameters, `RecordTemplate.parameters`.
    """
    shard, topic, key, value, headers = range(first, first + 5)
    at = f"""to_char({time} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
    number = f"encode(convert_to({event_id}::text, 'UTF8'), 'base64')"
    return f"""
    INSERT INTO outbox (shard, topic, key, value, headers)
    SELECT
        ${shard}::smallint, ${topic}::text, ${key}::bytea,
        convert_to(replace(${value}::text, chr(26), {at}), 'UTF8'),
        convert_to(replace(${headers}::text, chr(26), {number}), 'UTF8')
    FROM {source}
    RETURNING id
    """  # noqa: S608 - constants of the caller
