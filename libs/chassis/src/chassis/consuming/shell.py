"""Drives the core with FastStream and PostgreSQL. It has no decision of its own.

Order of things: apply in one transaction → COMMIT → commit the offset. A crash between the two brings the
batch again, and the inbox drops it.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from faststream.middlewares import AckPolicy

from chassis.consuming.core import Isolate, Retry, SetMessageAside, after_failure
from chassis.dead_letters.placement import Placement
from chassis.errors import classify
from chassis.health import Check
from chassis.logs import get_logger
from chassis.messages import Apply, Message, describe
from chassis.metrics import Metrics
from chassis.postgres import Connection, Database
from contracts.reasons import SetAsideReason

_log = get_logger(__name__)

BATCH_MESSAGES_MAX = 500
BATCH_WAIT_MILLISECONDS = 20
FETCH_BYTES_MAX = 16 * 1024 * 1024
PARTITION_FETCH_BYTES_MAX = 2 * 1024 * 1024
IN_HAND_SECONDS_MAX = 60.0
"""A batch that still fails is given back to Kafka after this long, well within the poll interval."""
POLL_INTERVAL_MILLISECONDS_MAX = 300_000
SESSION_MILLISECONDS_MAX = 10_000
HEARTBEAT_MILLISECONDS = 2_000
DRAIN_SECONDS_MAX = 20.0
COMMIT_SECONDS_MAX = 5.0


class SetAside(Protocol):
    """Where messages go that cannot be applied: `chassis.dead_letters.DeadLetters`, or a service's own."""

    async def place(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Divide a batch, and put behind their lines those that belong there."""
        ...

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Keep a message, inside the transaction that lets its offset pass. False: there is no room."""
        ...


class _GiveBackError(Exception):
    """The batch cannot be applied now: nothing of it is committed, Kafka delivers it again."""


class Consumer:
    """One consumer group member of a service.

    Args:
        name: the service's name; with the deployment's prefix it is the group.
        database: in whose transactions batches are applied.
        apply: the service's effect of a batch.
        set_aside: where messages go that cannot be applied.
        topic_prefix: of this deployment.
        metrics: counts messages by topic and outcome.
    """

    def __init__(
        self,
        name: str,
        *,
        database: Database,
        apply: Apply,
        set_aside: SetAside,
        topic_prefix: str,
        metrics: Metrics,
    ) -> None:
        self.name = f"consumer:{name}"
        self._group = topic_prefix + name
        self._database = database
        self._apply = apply
        self._set_aside = set_aside
        self._prefix = topic_prefix
        self._handled = metrics.counter("messages_handled", "Messages consumed", "topic", "outcome")
        self._seconds = metrics.seconds("batch_seconds", "From a batch's arrival to its commit")
        self._in_hand = asyncio.Lock()
        self._draining = False
        self._failure: str | None = None
        self._subscriber: Any = None

    def subscribe(self, broker: KafkaBroker, *topics: str, pattern: str | None = None) -> None:
        """Hang this consumer on the broker, every delivery option stated.

        Args:
            broker: from `chassis.kafka.build_broker`.
            topics: names as on their cards; or else
            pattern: a regular expression over names as on their cards.
        """
        self._subscriber = broker.subscriber(
            *(self._prefix + topic for topic in topics),
            pattern=f"^{re.escape(self._prefix)}{pattern}$" if pattern else None,
            batch=True,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="earliest",
            no_reply=True,
            group_id=self._group,
            batch_timeout_ms=BATCH_WAIT_MILLISECONDS,
            max_records=BATCH_MESSAGES_MAX,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES_MAX,
            max_poll_interval_ms=POLL_INTERVAL_MILLISECONDS_MAX,
            session_timeout_ms=SESSION_MILLISECONDS_MAX,
            heartbeat_interval_ms=HEARTBEAT_MILLISECONDS,
            listener=_DrainOnRevoke(self),
            parser=_keep_bytes,
            decoder=_raw_records,
        )
        self._subscriber(self.handle)

    async def check(self) -> Check:
        """Bad while a batch keeps failing: says why."""
        return Check(ok=self._failure is None, detail=self._failure or "")

    async def handle(self, records: Sequence[Any]) -> None:
        """One batch from Kafka: applied and committed, or given back whole."""
        batch = [Message.from_record(record, topic_prefix=self._prefix) for record in records]
        async with self._in_hand:
            began = time.monotonic()
            try:
                await self._process(batch, give_back_at=began + IN_HAND_SECONDS_MAX)
            except BaseException:
                self._give_back(records)
                raise
            self._failure = None
            await self._commit(records)
            self._seconds.observe(time.monotonic() - began)

    async def drain(self) -> None:
        """Wait until the batch in hand is applied and committed, or given back."""
        self._draining = True
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX), self._in_hand:
                self._failure = None  # what kept failing was given back: its next member tells
        except TimeoutError:
            _log.warning("batch still in hand while its partitions go", seconds=DRAIN_SECONDS_MAX)
        finally:
            self._draining = False

    async def _process(self, batch: Sequence[Message], *, give_back_at: float) -> None:
        attempts = 0
        while True:
            try:
                await self._apply_once(batch)
            except Exception as error:  # noqa: BLE001 - every failure has a kind, and the core an answer
                attempts += 1
                action = after_failure(classify(error), messages=len(batch), attempts=attempts)
                self._failure = describe(error)
            else:
                return
            match action:
                case Retry(seconds):
                    await self._wait(seconds, give_back_at)
                case Isolate():
                    for message in batch:
                        await self._process([message], give_back_at=give_back_at)
                    return
                case SetMessageAside(reason):
                    await self._put_aside(batch[0], reason, attempts, give_back_at)
                    return

    async def _apply_once(self, batch: Sequence[Message]) -> None:
        async with self._database.transaction() as connection:
            placement = await self._set_aside.place(connection, batch)
            _require_room(not placement.no_room)
            if placement.free:
                await self._apply(connection, placement.free)
        self._count(placement.free, "applied")
        self._count(placement.behind, "set_aside")

    async def _put_aside(
        self, message: Message, reason: SetAsideReason, attempts: int, give_back_at: float
    ) -> None:
        error = self._failure or ""
        _log.error(
            "message set aside",
            topic=message.topic,
            partition=message.partition,
            offset=message.offset,
            reason=reason.value,
            error=error,
        )
        tries = 0
        while True:
            try:
                async with self._database.transaction() as connection:
                    _require_room(
                        await self._set_aside.set_aside(
                            connection, message, reason=reason, error=error, attempts=attempts
                        )
                    )
            except Exception as failure:  # noqa: BLE001 - not kept means not passed: it stays in hand
                tries += 1
                self._failure = f"cannot set a message aside: {describe(failure)}"
                await self._wait(min(0.1 * 2**tries, 5.0), give_back_at)
            else:
                self._count([message], "set_aside")
                return

    async def _wait(self, seconds: float, give_back_at: float) -> None:
        _log.warning("batch will be tried again", error=self._failure, again_in_seconds=seconds)
        if self._draining or time.monotonic() + seconds > give_back_at:
            raise _GiveBackError(self._failure)
        await asyncio.sleep(seconds)

    async def _commit(self, records: Sequence[Any]) -> None:
        """Commit exactly what was applied. Not committed means applied again, which the inbox drops."""
        offsets: dict[TopicPartition, int] = {}
        for record in records:
            offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
        try:
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await self._subscriber.consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            _log.warning("offsets not committed; the batch will come again", error=repr(error))

    def _give_back(self, records: Sequence[Any]) -> None:
        """Rewind to the first record of each partition that is still ours."""
        consumer = self._subscriber.consumer
        if consumer is None:
            return
        first: dict[TopicPartition, int] = {}
        for record in records:
            first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        for partition in first.keys() & consumer.assignment():
            consumer.seek(partition, first[partition])

    def _count(self, messages: Sequence[Message], outcome: str) -> None:
        for message in messages:
            self._handled.labels(message.topic, outcome).inc()


def _require_room(there_is_room: bool) -> None:
    if not there_is_room:
        raise TimeoutError("the dead letters are full: replay or discard some")


class _DrainOnRevoke(ConsumerRebalanceListener):
    """A rebalance does not wait for a handler by itself: without this, two members work on one partition."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, revoked: Any
    ) -> None:
        if revoked:
            await self._consumer.drain()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride] - aiokafka awaits it
        self, assigned: Any
    ) -> None:
        del assigned


async def _keep_bytes(records: tuple[Any, ...]) -> KafkaAckableMessage:
    """FastStream's own parser decodes headers, and one that is not UTF-8 would block the partition."""
    return KafkaAckableMessage(body=b"", headers={}, raw_message=records, consumer=_NO_CONSUMER)


async def _raw_records(message: KafkaAckableMessage) -> Any:
    return message.raw_message


class _NoConsumer:
    """FastStream never commits for us: `Consumer._commit` does, with explicit offsets."""

    async def commit(self) -> None:
        raise RuntimeError("offsets are committed by chassis.consuming alone")

    def seek(self, partition: Any, offset: int) -> None:
        del partition, offset
        raise RuntimeError("offsets are sought by chassis.consuming alone")


_NO_CONSUMER = _NoConsumer()
