"""Where the messages of a batch belong while lines wait: a decision about facts, without a database."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from chassis.dead_letters.ordering import OrderingKey
from chassis.messaging.message import Message, pack_headers

Place = tuple[str, int, int]
"""Topic, partition, offset."""

RecordIdentity = tuple[str, int, int, bytes]
"""A place and a digest of the record there: a topic made anew counts its offsets from 0 again."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A batch divided: each message is in exactly one list, in the batch's order.

    Attributes:
        free: to be applied.
        behind: stand behind their line, which waits.
        settled: this very record is in the table already, waiting, replayed or discarded: nothing to do.
        no_room: their line is full; neither applied nor kept, so their offset must not pass.
        misplaced: cannot be what they claim to be; kept apart, where they hold nobody up.
        in_use: somebody else works on their line; neither applied nor kept, to be placed again soon.
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
    kept: Collection[RecordIdentity],
    room: Mapping[OrderingKey, int],
    is_applied: Callable[[Message], bool],
    in_use: Collection[OrderingKey] = (),
) -> Placement:
    """Divide a batch.

    A message of a waiting line that was applied once (a rewound group delivers it again) is free: the inbox
    drops it. Offsets could not tell, for they begin again with a topic made anew or repartitioned.

    Args:
        messages: the batch, in order.
        kept: records in the table, among those of the batch.
        room: the lines that wait, and how many messages each still takes.
        is_applied: whether the inbox knows a message.
        in_use: of the lines that wait, those that could not be locked.
    """
    placement, left = Placement(), dict(room)
    places = {identity[:3] for identity in kept}
    for message in messages:
        line = message.topic, message.key
        if record_position(message) in places and record_identity(message) in kept:
            placement.settled.append(message)
        elif line not in left or is_applied(message):
            placement.free.append(message)
        elif line in in_use:
            placement.in_use.append(message)
        elif left[line] > 0:
            placement.behind.append(message)
            left[line] -= 1
        else:
            placement.no_room.append(message)
    return placement


def record_position(message: Message) -> Place:
    """Where the record stands."""
    return message.topic, message.partition, message.offset


def record_identity(message: Message) -> RecordIdentity:
    """What makes the record itself: the same digest as the table's `record_sha256`."""
    digest = hashlib.sha256()
    for part in (message.key, message.value):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    digest.update(pack_headers(message.headers))
    return *record_position(message), digest.digest()
