"""Placement of a batch while messages wait: a decision on facts, without a database."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.messaging.message import Message, OrderingKey, pack_headers

RecordPosition = tuple[str, int, int]
"""Topic, partition, offset."""

RecordIdentity = tuple[str, int, int, bytes]
"""A position and a digest of the record: the offsets of a topic that was made anew begin again at 0."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A batch split into lists. Each message is in exactly one list, in the batch's order.

    Attributes:
        free: to be applied.
        behind: stored behind the waiting messages of their ordering key.
        settled: this very record is in the table already, waiting, replayed or discarded. Nothing to do.
        no_room: their ordering key is full. Neither applied nor stored, so their offset must not pass.
        misplaced: cannot be what they claim to be. Stored where no message waits behind them.
        in_use: another session locks their ordering key. Neither applied nor stored; place them again soon.
    """

    free: list[Message] = field(default_factory=list[Message])
    behind: list[Message] = field(default_factory=list[Message])
    settled: list[Message] = field(default_factory=list[Message])
    no_room: list[Message] = field(default_factory=list[Message])
    in_use: list[Message] = field(default_factory=list[Message])
    misplaced: list[Message] = field(default_factory=list[Message])


def compute_placement(
    messages: Sequence[Message],
    *,
    stored: Collection[RecordIdentity],
    room: Mapping[OrderingKey, int],
    is_processed: Callable[[Message], bool],
    in_use: Collection[OrderingKey] = (),
) -> Placement:
    """Decide the list of every message of a batch, except `misplaced`.

    A message of a waiting ordering key that was processed before (a rewound group delivers it again) is free:
    the inbox drops it. Offsets could not tell: they begin again with a topic made anew or repartitioned.

    Args:
        messages: the batch, in order.
        stored: records in the table at the positions of the batch.
        room: the waiting ordering keys, and how many more messages each may hold.
        is_processed: returns True if the inbox has the message.
        in_use: waiting ordering keys that another session has locked.
    """
    placement, left = Placement(), dict(room)
    positions = {identity[:3] for identity in stored}
    for message in messages:
        ordering_key = message.topic, message.key
        if record_position(message) in positions and record_identity(message) in stored:
            placement.settled.append(message)
        elif ordering_key not in left or is_processed(message):
            placement.free.append(message)
        elif ordering_key in in_use:
            placement.in_use.append(message)
        elif left[ordering_key] > 0:
            placement.behind.append(message)
            left[ordering_key] -= 1
        else:
            placement.no_room.append(message)
    return placement


def record_position(message: Message) -> RecordPosition:
    return message.topic, message.partition, message.offset


def record_identity(message: Message) -> RecordIdentity:
    """Return position and digest of a record. The digest equals the table's column `record_sha256`."""
    digest = hashlib.sha256()
    for part in (message.key, message.value):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    digest.update(pack_headers(message.headers))
    return *record_position(message), digest.digest()
