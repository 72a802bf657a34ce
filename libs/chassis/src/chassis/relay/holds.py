"""What a relay does not try for now, so that one row that cannot be sent delays no other. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from chassis.kafka.errors import BrokerUnavailableError, RecordRefusedError
from chassis.kafka.producer import OutgoingRecord

Line = tuple[str, bytes]
"""Topic and key: what Kafka keeps in order."""

HELD_LINES_MAX = 1_000
"""More lines than this, and their topics are held back whole."""


@dataclass(slots=True)
class Holds:
    """Topics that nobody leads or acknowledges, and lines whose next record Kafka refuses, each with why.

    A line waits behind its refused record, in order; other lines of the topic go on.
    """

    topics: dict[str, str] = field(default_factory=dict[str, str])
    lines: dict[Line, str] = field(default_factory=dict[Line, str])

    def hold_topic(self, topic: str, why: str) -> None:
        """Try nothing of a topic until `clear`."""
        self.topics.setdefault(topic, why)

    def hold_line(self, line: Line, why: str) -> None:
        """Try nothing of a topic and key until `clear`."""
        if len(self.lines) < HELD_LINES_MAX:
            self.lines.setdefault(line, why)
        else:
            self.hold_topic(line[0], f"{HELD_LINES_MAX} keys are held back already; the last one: {why}")

    def clear(self) -> None:
        """Try everything again."""
        self.topics.clear()
        self.lines.clear()

    def __bool__(self) -> bool:
        return bool(self.topics or self.lines)

    def by_topic(self) -> dict[str, int]:
        """How many keys of each topic are held back, those of topics held back whole not counted."""
        return Counter(topic for topic, _ in self.lines)

    def account(self) -> str:
        """What is held back and why, in one line; empty if nothing is."""
        told = [f"topic {topic} is held back: {why}" for topic, why in self.topics.items()]
        for topic, keys in self.by_topic().items():
            line, why = next(found for found in self.lines.items() if found[0][0] == topic)
            more = f" and {keys - 1} more" if keys > 1 else ""
            told.append(f"key {line[1].decode(errors='replace')!r}{more} of {topic} held back: {why}")
        return "; ".join(told)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the broker's answers to a batch mean.

    Attributes:
        sent: positions in the batch that may be deleted.
        refused: of each line that cannot go on, why.
        unanswered: topics without an ack in time, and why; their records may arrive all the same.
    """

    sent: list[int]
    refused: dict[Line, str]
    unanswered: dict[str, str]


def judge(records: Sequence[OutgoingRecord], outcomes: Sequence[BrokerUnavailableError | None]) -> Verdict:
    """Of a line with a failure, only records before it count as sent.

    The rest is sent again, so that the last copies stand in order on the topic; consumers drop the earlier
    ones by event id.
    """
    verdict = Verdict([], {}, {})
    stopped: set[Line] = set()
    for position, (record, outcome) in enumerate(zip(records, outcomes, strict=True)):
        line = (record.topic, record.key)
        if outcome is None:
            if line not in stopped:
                verdict.sent.append(position)
            continue
        stopped.add(line)
        if isinstance(outcome, RecordRefusedError):
            verdict.refused.setdefault(line, str(outcome))
        else:
            verdict.unanswered.setdefault(record.topic, str(outcome))
    return verdict
