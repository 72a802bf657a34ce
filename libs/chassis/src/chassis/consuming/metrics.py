"""Metrics of a consumer. Labels are topics, partitions and closed lists, never message content (ALL-5)."""

from collections import Counter
from collections.abc import Iterable

from prometheus_client import Histogram

from chassis import clock
from chassis.consuming.partition_queue import Partition
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from contracts.reasons import SetAsideReason


class ConsumerMetrics:
    """The metrics of one consumer.

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
        """Count messages that were applied or set aside, and committed, by topic."""
        for topic, count in Counter(topics).items():
            self._handled.labels(topic, outcome).inc(count)

    def batch(self, seconds: float) -> None:
        """Observe the time from the start of a batch to its commit."""
        self._seconds.observe(seconds)

    def since_sent(self, messages: Iterable[Message], now: float) -> None:
        """Observe the time from each record's timestamp to the commit of its effect, `now` in epoch s."""
        series: dict[str, Histogram] = {}
        for message in messages:
            if message.sent_at is not None:
                topic = message.topic
                if topic not in series:
                    series[topic] = self._since_sent.labels(topic)
                series[topic].observe(max(0.0, now - message.sent_at))

    def set_aside(self, reason: SetAsideReason) -> None:
        """Count a message that became a dead letter."""
        self._dead_letters.labels(reason.value).inc()

    def expect_losses(self, topics: Iterable[str]) -> None:
        """Let the loss counters of these topics start at 0, so that the first loss is an increase."""
        for topic in topics:
            self._lost.labels(topic)

    def lost(self, topic: str, offsets: int) -> None:
        """Count offsets of records that were deleted before they were read."""
        self._lost.labels(topic).inc(offsets)

    def lag(self, partition: Partition, messages: int) -> None:
        """Set how many records of a partition are not committed."""
        self._lag.labels(*_labels(partition)).set(max(0, messages))

    def oldest_unhandled(self, partition: Partition, sent_at: float | None) -> None:
        """Set the timestamp of the oldest record in memory, in epoch seconds; None if there is none."""
        gauge = self._oldest.labels(*_labels(partition))
        gauge.set_function(lambda: 0.0 if sent_at is None else max(0.0, clock.now().timestamp() - sent_at))

    def revoked(self, partitions: Iterable[Partition]) -> None:
        """Remove the gauges of partitions that went to another member."""
        for partition in partitions:
            for gauge in (self._lag, self._oldest):
                gauge.remove(*_labels(partition))


def _labels(partition: Partition) -> tuple[str, str]:
    topic, number = partition
    return topic, str(number)
