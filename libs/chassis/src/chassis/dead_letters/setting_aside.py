"""The consumer's side: a message is kept whole and announced, later ones of its line stand behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chassis.dead_letters import limits, misplaced
from chassis.dead_letters.insert import keep
from chassis.dead_letters.losing import announce_loss
from chassis.dead_letters.ordering import OrderingKey, lock_keys, try_lock_keys
from chassis.dead_letters.placement import Placement, RecordIdentity, compute_placement
from chassis.messaging import inbox
from chassis.messaging.message import Message
from chassis.postgres.database import Connection
from contracts.dead_letters import MessagesLost
from contracts.reasons import SetAsideReason

_BEHIND = "an earlier message of this key waits"

# One statement for all that a batch must know. Where nothing waits and nothing was ever kept of these
# offsets, it is a few probes of two small indexes and answers without a row.
_SEEN = """
SELECT line.topic, line.key, NULL::integer AS partition, NULL::bigint AS record_offset, NULL AS record_sha256
FROM unnest($2::text[], $3::bytea[]) AS line (topic, key)
WHERE EXISTS (
    SELECT FROM dead_letter AS kept
    WHERE kept.consumer = $1 AND kept.status = 'waiting' AND kept.topic = line.topic AND kept.key = line.key
        AND kept.reason <> 'out_of_place'
)
UNION ALL
SELECT kept.topic, NULL, kept.partition, kept.record_offset, kept.record_sha256
FROM unnest($4::text[], $5::integer[], $6::bigint[], $7::bigint[])
    AS reach (topic, partition, first_offset, last_offset)
JOIN dead_letter AS kept
    ON kept.consumer = $1 AND kept.topic = reach.topic AND kept.partition = reach.partition
    AND kept.record_offset BETWEEN reach.first_offset AND reach.last_offset
"""


class DeadLetters:
    """The dead letters of one consumer, whose `apply` admits through the inbox (`chassis.messaging.inbox`).

    Args:
        consumer: the service's name; part of what makes a set-aside message unique.
        rows_per_key_max: so many messages wait in a line.
        keys_max: so many lines wait.
        check: the service's own rule about messages that cannot be what they claim to be.
    """

    def __init__(
        self,
        consumer: str,
        *,
        rows_per_key_max: int = limits.ROWS_PER_KEY_MAX,
        keys_max: int = limits.KEYS_MAX,
        check: misplaced.Check | None = None,
    ) -> None:
        self._consumer = consumer
        self._rows_per_key_max = rows_per_key_max
        self._keys_max = keys_max
        self._check = check

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Keep apart what is not what it claims to be, before it takes a place anywhere. Divide the rest."""
        found = await misplaced.find(connection, messages, self._check)
        if not found:
            return await self._divide(connection, messages)
        await misplaced.keep_apart(connection, self._consumer, found)
        placement = await self._divide(connection, [message for message in messages if message not in found])
        return replace(placement, misplaced=list(found))

    async def _divide(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Split a batch by what waits, and put behind their lines those that belong there.

        Waiting lines are locked until COMMIT, so that no replay releases one meanwhile. What belongs to one
        that somebody else has locked is for later.
        """
        waiting, kept = await self._seen(connection, messages)
        if not waiting and not kept:
            return Placement(free=list(messages))
        locked: set[OrderingKey] = set()
        if waiting:
            locked = await try_lock_keys(connection, self._consumer, waiting)
            waiting, kept = await self._seen(connection, messages)
        rows = await limits.rows_waiting(connection, self._consumer, waiting, up_to=self._rows_per_key_max)
        applied = await _applied(connection, [m for m in messages if (m.topic, m.key) in waiting])
        placement = compute_placement(
            messages,
            kept=kept,
            room={line: self._rows_per_key_max - rows[line] for line in waiting},
            is_applied=lambda message: _body_applied(message, applied) is not None,
            in_use=waiting - locked,
        )
        await keep(
            connection,
            self._consumer,
            placement.behind,
            reason=SetAsideReason.BEHIND_ANOTHER,
            error=_BEHIND,
            attempts=0,
        )
        return placement

    async def lock(self, connection: Connection, message: Message) -> None:
        """Hold the message's line until the transaction ends."""
        await lock_keys(connection, self._consumer, [(message.topic, message.key)])

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Keep a message and announce it, inside the transaction that let it fail once more.

        A message that the inbox knows with this very body was applied by somebody else meanwhile, as when a
        stopped process wakes up late: it is done, and nothing is kept.

        Returns:
            False if there is no room: nothing was written, and the offset must not pass.
        """
        line = message.topic, message.key
        await lock_keys(connection, self._consumer, [line])
        waiting, kept = await self._seen(connection, [message])
        applied = await _applied(connection, [message])
        if _body_applied(message, applied) == message.body_sha256:
            return True
        if compute_placement([message], kept=kept, room={}, is_applied=lambda _: False).settled:
            return True
        if not await self._has_room(connection, line, begins=line not in waiting):
            return False
        await keep(connection, self._consumer, [message], reason=reason, error=error, attempts=attempts)
        return True

    async def record_loss(self, connection: Connection, lost: MessagesLost) -> None:
        """Announce records that were deleted before they were read, inside the caller's transaction."""
        await announce_loss(connection, lost)

    async def _seen(
        self, connection: Connection, messages: Sequence[Message]
    ) -> tuple[set[OrderingKey], set[RecordIdentity]]:
        """The lines of these messages that wait, and the records at their places that are in the table."""
        lines = list({(m.topic, m.key) for m in messages})
        reach: dict[tuple[str, int], list[int]] = {}
        for message in messages:
            reach.setdefault((message.topic, message.partition), []).append(message.offset)
        rows = await connection.fetch(
            _SEEN,
            self._consumer,
            [topic for topic, _ in lines],
            [key for _, key in lines],
            [topic for topic, _ in reach],
            [partition for _, partition in reach],
            [min(offsets) for offsets in reach.values()],
            [max(offsets) for offsets in reach.values()],
        )
        waiting = {(row["topic"], row["key"]) for row in rows if row["key"] is not None}
        kept = {
            (row["topic"], row["partition"], row["record_offset"], row["record_sha256"])
            for row in rows
            if row["key"] is None
        }
        return waiting, kept

    async def _has_room(self, connection: Connection, line: OrderingKey, *, begins: bool) -> bool:
        if begins:
            lines = await limits.keys_waiting(connection, self._consumer, up_to=self._keys_max)
            return lines < self._keys_max
        rows = await limits.rows_waiting(connection, self._consumer, [line], up_to=self._rows_per_key_max)
        return rows[line] < self._rows_per_key_max


async def _applied(connection: Connection, messages: Sequence[Message]) -> dict[inbox.EventIdentity, bytes]:
    """Events of these messages that the inbox knows, with the digests of their bodies."""
    identities = {i for message in messages if (i := inbox.identity_or_none(message)) is not None}
    return await inbox.fetch_processed(connection, list(identities))


def _body_applied(message: Message, applied: Mapping[inbox.EventIdentity, bytes]) -> bytes | None:
    """Digest of the body that was applied under the message's identity; None if none was."""
    identity = inbox.identity_or_none(message)
    return None if identity is None else applied.get(identity)
