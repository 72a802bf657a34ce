"""Topics and keys that a relay holds back, so that a row that cannot be sent delays no other. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging.message import OrderingKey

HELD_KEYS_MAX = 1_000
"""With more keys than this, their topics are held back whole."""


@dataclass(slots=True)
class Holds:
    """Topics and ordering keys that are held back, each with the reason.

    Attributes:
        topics: without a leader, or without an ack in time.
        keys: Kafka refuses their next record. Later records of the key wait; other keys continue.
    """

    topics: dict[str, str] = field(default_factory=dict[str, str])
    keys: dict[OrderingKey, str] = field(default_factory=dict[OrderingKey, str])

    def hold_topic(self, topic: str, reason: str) -> None:
        """Send no record of a topic until `clear`."""
        self.topics.setdefault(topic, reason)

    def hold_key(self, key: OrderingKey, reason: str) -> None:
        """Send no record of an ordering key until `clear`."""
        if len(self.keys) < HELD_KEYS_MAX:
            self.keys.setdefault(key, reason)
        else:
            self.hold_topic(key[0], f"{HELD_KEYS_MAX} keys are held back already; the last one: {reason}")

    def clear(self) -> None:
        """Try everything again."""
        self.topics.clear()
        self.keys.clear()

    def __bool__(self) -> bool:
        return bool(self.topics or self.keys)

    def by_topic(self) -> dict[str, int]:
        """Return how many keys of each topic are held back, not counting topics that are held back whole."""
        return Counter(topic for topic, _ in self.keys)

    def describe(self) -> str:
        """Return in one line what is held back and why; empty if nothing is."""
        lines = [f"topic {topic} is held back: {reason}" for topic, reason in self.topics.items()]
        for topic, count in self.by_topic().items():
            (_, key), reason = next(item for item in self.keys.items() if item[0][0] == topic)
            more = f" and {count - 1} more" if count > 1 else ""
            lines.append(f"key {key.decode(errors='replace')!r}{more} of {topic} held back: {reason}")
        return "; ".join(lines)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The broker's answers to a batch, classified.

    Attributes:
        sent: positions in the batch whose rows may be deleted.
        refused: ordering keys that cannot continue, each with the reason.
        unanswered: topics without an ack in time, each with the reason. Their records may still arrive.
    """

    sent: list[int]
    refused: dict[OrderingKey, str]
    unanswered: dict[str, str]


def classify_outcomes(
    records: Sequence[OutgoingRecord], outcomes: Sequence[BrokerUnavailableError | None]
) -> BatchResult:
    """Classify the outcomes of a batch: after a failure, no later record of the same key counts as sent.

    Those records are sent again, so that their last copies are in order on the topic. Consumers drop the
    earlier copies by event id.
    """
    result = BatchResult([], {}, {})
    stopped: set[OrderingKey] = set()
    for position, (record, outcome) in enumerate(zip(records, outcomes, strict=True)):
        key = (record.topic, record.key)
        if outcome is None:
            if key not in stopped:
                result.sent.append(position)
            continue
        stopped.add(key)
        if isinstance(outcome, RecordRefusedError):
            result.refused.setdefault(key, str(outcome))
        else:
            result.unanswered.setdefault(record.topic, str(outcome))
    return result
