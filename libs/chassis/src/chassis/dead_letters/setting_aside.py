"""The consumer's side: store messages, and later messages of their ordering key behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chassis.dead_letters import limits
from chassis.dead_letters.insert import insert
from chassis.dead_letters.misplaced import Check, find_misplaced, insert_misplaced
from chassis.dead_letters.ordering import lock_keys, try_lock_keys
from chassis.dead_letters.placement import Placement, RecordIdentity, compute_placement, record_identity
from chassis.messaging import inbox
from chassis.messaging.message import Message, OrderingKey
from chassis.messaging.outbox import OutgoingEvent, append
from chassis.postgres.database import Connection
from contracts.dead_letters import MessagesLost
from contracts.reasons import SetAsideReason

_BEHIND = "an earlier message of this key waits"

# One statement for all facts about a batch. While no message waits and none was stored at these offsets, it
# is a few probes of two small indexes and returns no row.
_STATE = """
SELECT
    ordering_key.topic, ordering_key.key,
    NULL::integer AS partition, NULL::bigint AS record_offset, NULL AS record_sha256
FROM unnest($2::text[], $3::bytea[]) AS ordering_key (topic, key)
WHERE EXISTS (
    SELECT FROM dead_letter AS letter
    WHERE letter.consumer = $1 AND letter.status = 'waiting' AND letter.reason <> 'out_of_place'
        AND letter.topic = ordering_key.topic AND letter.key = ordering_key.key
)
UNION ALL
SELECT letter.topic, NULL, letter.partition, letter.record_offset, letter.record_sha256
FROM unnest($4::text[], $5::integer[], $6::bigint[], $7::bigint[])
    AS reach (topic, partition, first_offset, last_offset)
JOIN dead_letter AS letter
    ON letter.consumer = $1 AND letter.topic = reach.topic AND letter.partition = reach.partition
    AND letter.record_offset BETWEEN reach.first_offset AND reach.last_offset
"""


class DeadLetters:
    """The dead letters of one consumer whose handler admits messages through `chassis.messaging.inbox`.

    Args:
        consumer: the service's name; part of what makes a dead letter unique.
        rows_per_key_max: waiting messages of an ordering key.
        keys_max: ordering keys with waiting messages.
        check: the service's own rule that finds misplaced messages.
    """

    def __init__(
        self,
        consumer: str,
        *,
        rows_per_key_max: int = limits.ROWS_PER_KEY_MAX,
        keys_max: int = limits.KEYS_MAX,
        check: Check | None = None,
    ) -> None:
        self._consumer = consumer
        self._rows_per_key_max = rows_per_key_max
        self._keys_max = keys_max
        self._check = check

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Split a batch, in the transaction that applies its free messages.

        Misplaced messages are stored apart. Messages whose ordering key has waiting dead letters are stored
        behind them. The rest is returned as `free`.
        """
        reasons = await find_misplaced(connection, messages, self._check)
        if not reasons:
            return await self._store_behind(connection, messages)
        await insert_misplaced(connection, self._consumer, reasons)
        in_place = [message for message in messages if message not in reasons]
        return replace(await self._store_behind(connection, in_place), misplaced=list(reasons))

    async def _store_behind(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        waiting, stored = await self._read_state(connection, messages)
        if not waiting and not stored:
            return Placement(free=list(messages))
        locked: set[OrderingKey] = set()
        if waiting:
            # Locked until COMMIT, so that no replay releases one of these keys meanwhile.
            locked = await try_lock_keys(connection, self._consumer, waiting)
            waiting, stored = await self._read_state(connection, messages)
        rows = await limits.count_rows(connection, self._consumer, waiting, up_to=self._rows_per_key_max)
        processed = await _fetch_processed(connection, [m for m in messages if (m.topic, m.key) in waiting])
        placement = compute_placement(
            messages,
            stored=stored,
            room={ordering_key: self._rows_per_key_max - rows[ordering_key] for ordering_key in waiting},
            is_processed=lambda message: _processed_body(message, processed) is not None,
            in_use=waiting - locked,
        )
        await insert(
            connection,
            self._consumer,
            placement.behind,
            reason=SetAsideReason.BEHIND_ANOTHER,
            error=_BEHIND,
            attempts=0,
        )
        return placement

    async def lock(self, connection: Connection, message: Message) -> None:
        """Lock the message's ordering key until the transaction ends."""
        await lock_keys(connection, self._consumer, [(message.topic, message.key)])

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Store and announce a message, in the transaction in which it failed once more.

        Nothing is stored if the record is in the table, or if the inbox has the message with this very body:
        then another session applied it meanwhile, as when a stopped process wakes up late.

        Returns:
            False if there is no room: nothing was written, and the offset must not pass.
        """
        ordering_key = message.topic, message.key
        await lock_keys(connection, self._consumer, [ordering_key])
        waiting, stored = await self._read_state(connection, [message])
        processed = await _fetch_processed(connection, [message])
        if _processed_body(message, processed) == message.body_sha256:
            return True
        if record_identity(message) in stored:
            return True
        if not await self._has_room(connection, ordering_key, is_new=ordering_key not in waiting):
            return False
        await insert(connection, self._consumer, [message], reason=reason, error=error, attempts=attempts)
        return True

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Announce records that were deleted before they were read, in the caller's transaction.

        The range is the event's identity, so that a repetition is a copy.
        """
        position = f"{lost.topic}/{lost.partition}"
        event_id = f"messages.lost/{lost.group}/{position}/{lost.first_offset}-{lost.last_offset}"
        event = OutgoingEvent(payload=lost, key=position, source=lost.consumer, event_id=event_id)
        await append(connection, [event])

    async def _read_state(
        self, connection: Connection, messages: Sequence[Message]
    ) -> tuple[set[OrderingKey], set[RecordIdentity]]:
        """Return the messages' ordering keys that wait, and the records in the table at their positions."""
        ordering_keys = list({(m.topic, m.key) for m in messages})
        reach: dict[tuple[str, int], list[int]] = {}
        for message in messages:
            reach.setdefault((message.topic, message.partition), []).append(message.offset)
        rows = await connection.fetch(
            _STATE,
            self._consumer,
            [topic for topic, _ in ordering_keys],
            [key for _, key in ordering_keys],
            [topic for topic, _ in reach],
            [partition for _, partition in reach],
            [min(offsets) for offsets in reach.values()],
            [max(offsets) for offsets in reach.values()],
        )
        waiting = {(row["topic"], row["key"]) for row in rows if row["key"] is not None}
        stored = {
            (row["topic"], row["partition"], row["record_offset"], row["record_sha256"])
            for row in rows
            if row["key"] is None
        }
        return waiting, stored

    async def _has_room(self, connection: Connection, ordering_key: OrderingKey, *, is_new: bool) -> bool:
        if is_new:
            keys = await limits.count_keys(connection, self._consumer, up_to=self._keys_max)
            return keys < self._keys_max
        rows = await limits.count_rows(
            connection, self._consumer, [ordering_key], up_to=self._rows_per_key_max
        )
        return rows[ordering_key] < self._rows_per_key_max


async def _fetch_processed(
    connection: Connection, messages: Sequence[Message]
) -> dict[inbox.EventIdentity, bytes]:
    """Return the events of these messages that the inbox has, with the digests of their bodies."""
    identities = {i for message in messages if (i := inbox.identity_or_none(message)) is not None}
    return await inbox.fetch_processed(connection, list(identities))


def _processed_body(message: Message, processed: Mapping[inbox.EventIdentity, bytes]) -> bytes | None:
    """Return the digest of the body that was processed under the message's identity; None if none was."""
    identity = inbox.identity_or_none(message)
    return None if identity is None else processed.get(identity)
