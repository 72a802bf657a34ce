"""Metrics of a consumer. Labels are topics, partitions and closed lists, never message content (ALL-5)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from chassis import clock
from chassis.consuming.partition_queue import Partition
from chassis.messaging.message import Message
from chassis.observability.metrics import Metrics
from contracts.reasons import SetAsideReason


@dataclass(frozen=True, slots=True)
class Backlog:
    """The records of a partition that are not handled.

    Attributes:
        messages: how many; None if not known yet.
        sent_at: timestamp of the oldest one in memory, in epoch seconds; None if there is none.
    """

    messages: int | None
    sent_at: float | None


class ConsumerMetrics:
    """The metrics of one consumer.

    Args:
        metrics: of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._handled = metrics.counter("messages_handled")
        self._seconds = metrics.seconds("batch_seconds")
        self._since_sent = metrics.seconds("since_sent_seconds")
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


class BacklogGauges(Collector):
    """Lag and age of each assigned partition, computed at each scrape: no batch pays for them.

    Args:
        metrics: of the process.
        backlog: returns the records of each assigned partition that are not handled.
    """

    def __init__(self, metrics: Metrics, backlog: Callable[[], Mapping[Partition, Backlog]]) -> None:
        self._metrics = metrics
        self._backlog = backlog

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield `lag_messages` where it is known, and `oldest_unhandled_seconds`."""
        now = clock.now().timestamp()
        lag = self._metrics.gauge_family("lag_messages")
        oldest = self._metrics.gauge_family("oldest_unhandled_seconds")
        for (topic, number), backlog in self._backlog().items():
            labels = (topic, str(number))
            oldest.add_metric(labels, 0.0 if backlog.sent_at is None else max(0.0, now - backlog.sent_at))
            if backlog.messages is not None:
                lag.add_metric(labels, max(0, backlog.messages))
        yield lag
        yield oldest
