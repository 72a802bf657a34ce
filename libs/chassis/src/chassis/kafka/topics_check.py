"""Start-up check: the topics of a service exist. Topics that differ from their cards are reported (ALL-2)."""

import time
from collections.abc import Sequence

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import count_partitions
from chassis.observability.logs import get_logger
from chassis.process.health import Check
from contracts.topics import TopicCard

_log = get_logger(__name__)

# Readiness is polled every few seconds; the broker is not.
REFRESH_SECONDS = 30.0


class TopicsMissingError(Exception):
    """Topics of this service do not exist. The service starts by itself once they are created."""


class TopicsStartupCheck:
    """Start-up check: a service starts only if its topics exist. Readiness repeats the check.

    A missing topic makes the service not ready. Another number of partitions does not: keys lost their order
    when the number changed, versions restore that order, and stopping would not help. Readiness and the log
    name such topics, and `plumbline doctor` reports a problem.

    Args:
        connection: to the brokers.
        cards: of the topics that the service produces or consumes.
    """

    name = "topics"

    def __init__(self, connection: KafkaConnection, cards: Sequence[TopicCard]) -> None:
        self._connection = connection
        self._cards = cards
        self._differing = ""
        self._refreshed_at: float | None = None

    async def start(self) -> None:
        await self._refresh()

    async def stop(self) -> None:
        pass

    async def watch(self, cards: Sequence[TopicCard]) -> None:
        """Replace the watched topics. On an error the previous ones stay watched.

        Raises:
            TopicsMissingError: a topic does not exist.
            BrokerUnavailableError: no broker answers.
        """
        before, self._cards = self._cards, cards
        try:
            await self._refresh()
        except BaseException:
            self._cards = before
            raise

    async def check(self) -> Check:
        """Pass if the topics exist; the detail names those with another number of partitions."""
        if self._refreshed_at is None or time.monotonic() - self._refreshed_at > REFRESH_SECONDS:
            await self._refresh()
        return Check(ok=True, detail=self._differing)

    async def _refresh(self) -> None:
        """Ask the broker.

        Raises:
            TopicsMissingError: a topic does not exist, or this service may not see it.
            BrokerUnavailableError: no broker answers.
        """
        self._refreshed_at = None
        partitions = await count_partitions(self._connection, self._cards)
        expected = {self._connection.topic_prefix + card.name: card.partitions for card in self._cards}
        if missing := sorted(expected.keys() - partitions.keys()):
            raise TopicsMissingError(f"missing {', '.join(missing)}: run `plumbline topics apply`")
        differing = "; ".join(
            f"{name} has {partitions[name]} partitions, its card says {number}: see `plumbline doctor`"
            for name, number in expected.items()
            if partitions[name] != number
        )
        if differing and differing != self._differing:
            _log.warning("topics differ from their cards", topics=differing)
        self._differing = differing
        self._refreshed_at = time.monotonic()
