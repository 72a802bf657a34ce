"""What the system holds at one moment, read as superuser: data for the checkers."""

from base64 import b64decode
from dataclasses import dataclass, field
from pathlib import Path

from chassis.messaging.message import event_of, unpack_headers
from faults.history import History, Outcome
from faults.plan import CAPTURES, Op
from harness import Stack, TestDatabase

_SENDERS = ["stripe", "sms"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An EventLog entry."""

    source: str
    event_id: str
    event_type: str
    booking_id: str | None


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking; `name` is its client's, `captured` in minor units."""

    id: str
    name: str
    status: str
    version: int
    captured: int


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One row of a status history."""

    booking_id: str
    version: int
    from_status: str | None
    to_status: str
    changed_by: str


@dataclass(frozen=True, slots=True)
class PaymentRow:
    """A payment; `captured` in minor units."""

    event_id: str
    booking_id: str | None
    captured: int
    anomaly: str | None


@dataclass(frozen=True, slots=True)
class SetAsideRow:
    """A message that booking set aside; the event id is None where its headers cannot be read.

    `place` is `topic/partition/offset`.
    """

    event_id: str | None
    reason: str
    error: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A record of `bookings.events.v1`. `sequence` is 0 where nothing is counted."""

    key: str
    sequence: int
    event_id: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf of the sealed log; `digest` is the payload's digest in the EventLog, None without an entry."""

    index: int
    entry_id: int
    sealed: bytes
    digest: str | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint, and where it was found."""

    place: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class SealedLog:
    """The leaves in order, and every checkpoint: the head, those of the database, directory and topic."""

    leaves: tuple[Leaf, ...] = ()
    checkpoints: tuple[Kept, ...] = ()
    unsealed: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it. `reasons` are those that stand in booking's status history."""

    entries: tuple[Entry, ...] = ()
    bookings: tuple[BookingRow, ...] = ()
    steps: tuple[Step, ...] = ()
    audited_steps: tuple[Step, ...] = ()
    reasons: frozenset[str] = frozenset()
    payments: tuple[PaymentRow, ...] = ()
    set_aside: tuple[SetAsideRow, ...] = ()
    published: tuple[Published, ...] = ()
    outbox_rows: int = 0
    log: SealedLog = field(default_factory=SealedLog)


async def take_snapshot(stack: Stack) -> Snapshot:
    """Read everything; call it when nothing moves any more."""
    booking, audit = stack.database("booking"), stack.database("audit")
    transitions = await booking.fetch(_STEPS.format(table="status_transition", more=", reason"))
    return Snapshot(
        entries=tuple(Entry(*row) for row in await audit.fetch(_ENTRIES)),
        bookings=tuple(BookingRow(*row) for row in await booking.fetch(_BOOKINGS)),
        steps=tuple(Step(*tuple(row)[:5]) for row in transitions),
        audited_steps=tuple(
            Step(*row) for row in await audit.fetch(_STEPS.format(table="status_history", more=""))
        ),
        reasons=frozenset(row["reason"] for row in transitions if row["reason"]),
        payments=tuple(PaymentRow(*row) for row in await booking.fetch(_PAYMENTS)),
        set_aside=await _set_aside(booking),
        published=await _published(stack),
        outbox_rows=await booking.fetchval("SELECT count(*) FROM outbox"),
        log=await _sealed_log(stack),
    )


async def missing(stack: Stack, history: History) -> dict[str, int]:
    """How much of what was promised has not arrived yet, by counts alone; empty when all is there."""
    accepted = [identity for identity, outcome in history.deliveries.items() if outcome is Outcome.OK]
    captured = history.ids(CAPTURES, Outcome.OK)
    planted = history.ids([Op.POISON], Outcome.OK)
    booking, audit = stack.database("booking"), stack.database("audit")
    have = await booking.fetchrow(_PROGRESS)
    assert have is not None
    logged = await audit.fetchval(_LOGGED, _SENDERS)
    told = await audit.fetchval("SELECT count(*) FROM event_log WHERE topic = 'bookings.events.v1'")
    unsealed = await audit.fetchval(
        "SELECT (SELECT count(*) FROM event_log) - (SELECT count(*) FROM log_leaf)"
    )
    short = {
        "deliveries in the EventLog": len(accepted) - logged,
        "payments": len(captured) - have["payments"],
        "set aside": len(planted) - have["set_aside"],
        "rows to leave the outbox": have["outbox"],
        "booking's events in the EventLog": have["events"] - told,
        "entries to seal": unsealed,
    }
    return {what: count for what, count in short.items() if count > 0}


async def _set_aside(booking: TestDatabase) -> tuple[SetAsideRow, ...]:
    return tuple(
        SetAsideRow(event_of(unpack_headers(headers))[0], *rest)
        for headers, *rest in await booking.fetch(_SET_ASIDE)
    )


async def _sealed_log(stack: Stack) -> SealedLog:
    audit = stack.database("audit")
    notes = [("database", row["note"].encode()) for row in await audit.fetch(_NOTES)]
    notes += _files(Path(stack.environment()["AUDIT_CHECKPOINT_DIR"]))
    records = await stack.topic("audit.checkpoints.v1").records()
    notes += [(f"topic/{record.offset}", record.value) for record in records]
    return SealedLog(
        leaves=tuple(Leaf(*row) for row in await audit.fetch(_LEAVES)),
        checkpoints=tuple(_kept(place, note) for place, note in notes),
        unsealed=frozenset(row["entry_id"] for row in await audit.fetch(_UNSEALED)),
    )


def _files(directory: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in sorted(directory.glob("checkpoint-*"))]


def _kept(place: str, note: bytes) -> Kept:
    _, size, root, *_ = note.decode().split("\n")
    return Kept(place, int(size), b64decode(root))


async def _published(stack: Stack) -> tuple[Published, ...]:
    """Return the readable events. A fault row put the unreadable ones there, not booking."""
    records = await stack.topic("bookings.events.v1").records()
    return tuple(
        Published(
            (record.key or b"").decode(),
            int(record.header("ce_sequence") or 0),
            event_id,
            record.partition,
            record.offset,
        )
        for record in records
        if (event_id := event_of(record.headers)[0])
    )


_LEAVES = """
SELECT leaf_index, log_leaf.entry_id, sealed, encode(payload_digest, 'hex')
FROM log_leaf LEFT JOIN event_log USING (entry_id) ORDER BY leaf_index
"""
_NOTES = "SELECT note FROM log_checkpoint UNION ALL SELECT note FROM log_head"
_UNSEALED = "SELECT entry_id FROM event_log WHERE entry_id NOT IN (SELECT entry_id FROM log_leaf)"
_SET_ASIDE = """
SELECT headers, reason, error, concat_ws('/', topic, partition, record_offset)
FROM dead_letter WHERE status = 'waiting'
"""
_ENTRIES = "SELECT source, event_id, event_type, booking_id FROM event_log"
_LOGGED = "SELECT count(*) FROM event_log WHERE source = ANY($1::text[]) AND topic LIKE 'webhooks.%'"
_BOOKINGS = "SELECT booking_id::text, client_name, status, version, captured FROM booking"
_STEPS = """
SELECT booking_id::text, version, from_status, to_status, changed_by{more} FROM {table} ORDER BY 1, 2
"""
# A failed attempt to pay is a row too, without money.
_PAYMENTS = """
SELECT event_id, booking_id::text, captured, anomaly FROM payment WHERE state = 'succeeded' AND NOT is_void
"""

# One event per version of a booking, and one for each payment that no booking is known for.
_PROGRESS = """
SELECT
    (SELECT count(*) FROM payment WHERE state = 'succeeded' AND NOT is_void) AS payments,
    (SELECT count(*) FROM dead_letter WHERE status = 'waiting') AS set_aside,
    (SELECT count(*) FROM outbox) AS outbox,
    (SELECT coalesce(sum(version), 0)::bigint FROM booking)
        + (SELECT count(*) FROM payment WHERE booking_id IS NULL) AS events
"""
