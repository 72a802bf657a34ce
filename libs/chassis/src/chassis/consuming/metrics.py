"""What a consumer measures. Labels are topics, partitions, closed lists: no word of a message (ALL-5)."""

from collections import Counter as Tally
from collections.abc import Iterable

from chassis import clock
from chassis.observability.metrics import Metrics
from contracts.reasons import SetAsideReason

Partition = tuple[str, int]
"""Topic as on its card, and partition number."""


class ConsumerMetrics:
    """The measurements of one consumer.

    Args:
        metrics: of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._handled = metrics.counter("messages_handled")
        self._seconds = metrics.seconds("batch_seconds")
        self._since_sent = metrics.seconds("since_sent_seconds")
        self._lag = metrics.gauge("lag_messages")
        self._oldest = metrics.gauge("oldest_unhandled_seconds")
        self._dead_letters = metrics.counter("dead_letters")
        self._lost = metrics.counter("messages_lost")
        for reason in SetAsideReason:
            self._dead_letters.labels(reason.value)

    def handled(self, topics: Iterable[str], outcome: str) -> None:
        """Messages of these topics were applied or set aside, and committed."""
        for topic, count in Tally(topics).items():
            self._handled.labels(topic, outcome).inc(count)

    def batch(self, seconds: float) -> None:
        """A batch took so long, from its arrival to its commit."""
        self._seconds.observe(seconds)

    def since_sent(self, topic: str, seconds: float) -> None:
        """A message was committed so long after it was sent, by the record's timestamp."""
        self._since_sent.labels(topic).observe(max(0.0, seconds))

    def set_aside(self, reason: SetAsideReason) -> None:
        """A message became a dead letter."""
        self._dead_letters.labels(reason.value).inc()

    def expect_losses(self, topics: Iterable[str]) -> None:
        """Let the counts of these topics begin at 0, so that an increase can be seen."""
        for topic in topics:
            self._lost.labels(topic)

    def lost(self, topic: str, offsets: int) -> None:
        """Count a range that was deleted before it was read."""
        self._lost.labels(topic).inc(offsets)

    def lag(self, partition: Partition, messages: int) -> None:
        """How many records a partition holds that are not committed."""
        self._lag.labels(*_labels(partition)).set(max(0, messages))

    def oldest_unhandled(self, partition: Partition, sent_at: float | None) -> None:
        """When the oldest record in hand was sent, in seconds since the epoch; None when none is."""
        gauge = self._oldest.labels(*_labels(partition))
        gauge.set_function(lambda: 0.0 if sent_at is None else max(0.0, clock.now().timestamp() - sent_at))

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Partitions went to another member, which tells of them from here on."""
        for partition in partitions:
            for gauge in (self._lag, self._oldest):
                gauge.remove(*_labels(partition))


def _labels(partition: Partition) -> tuple[str, str]:
    topic, number = partition
    return topic, str(number)
