"""No service without its topics, and a word about those that differ from their cards (ALL-2)."""

import time
from collections.abc import Sequence

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import count_partitions
from chassis.observability.logs import get_logger
from chassis.process.health import Check
from contracts.topics import TopicCard

_log = get_logger(__name__)

LOOK_AGAIN_SECONDS = 30.0
"""Readiness is asked for every few seconds; the broker need not be each time."""


class TopicsMissingError(Exception):
    """Topics that this service lives on are not there: create them, and the service starts by itself."""


class TopicsStartupCheck:
    """A part that lets a service start only when its topics exist, and goes on looking.

    A missing topic makes the service not ready: it would wait on it in silence. Another number of partitions
    does not: keys lost their order at the moment of the change, the order of a key's versions mends that,
    and standing still would help nobody. Readiness and the log name it, `plumbline doctor` refuses it.

    Args:
        connection: to the brokers.
        cards: of the topics that the service produces or consumes.
    """

    name = "topics"

    def __init__(self, connection: KafkaConnection, cards: Sequence[TopicCard]) -> None:
        self._connection = connection
        self._cards = cards
        self._differing = ""
        self._looked_at: float | None = None

    async def start(self) -> None:
        """Look for the first time.

        Raises:
            TopicsMissingError: a topic does not exist, or this service may not see it.
            BrokerUnavailableError: no broker answers.
        """
        await self._look()

    async def stop(self) -> None:
        """Nothing is held."""

    async def watch(self, cards: Sequence[TopicCard]) -> None:
        """From now on these, if they exist.

        Raises:
            TopicsMissingError: one does not; those before stay watched.
            BrokerUnavailableError: no broker answers.
        """
        before, self._cards = self._cards, cards
        try:
            await self._look()
        except BaseException:
            self._cards = before
            raise

    async def check(self) -> Check:
        """Good while the topics exist; names those with another number of partitions."""
        if self._looked_at is None or time.monotonic() - self._looked_at > LOOK_AGAIN_SECONDS:
            await self._look()
        return Check(ok=True, detail=self._differing)

    async def _look(self) -> None:
        self._looked_at = None
        partitions = await count_partitions(self._connection, self._cards)
        wanted = {self._connection.topic_prefix + card.name: card.partitions for card in self._cards}
        if missing := sorted(wanted.keys() - partitions.keys()):
            raise TopicsMissingError(f"missing {', '.join(missing)}: run `plumbline topics apply`")
        differing = "; ".join(
            f"{name} has {partitions[name]} partitions, its card says {number}: see `plumbline doctor`"
            for name, number in wanted.items()
            if partitions[name] != number
        )
        if differing and differing != self._differing:
            _log.warning("topics differ from their cards", topics=differing)
        self._differing = differing
        self._looked_at = time.monotonic()
