"""Drives the core with Kafka and PostgreSQL. It has no decision of its own.

Order of things: apply in one transaction → COMMIT → commit the offset. A crash between the two brings the
batch again, and the inbox drops it. Polling goes on meanwhile: what comes is kept in memory, within bounds.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from chassis.consuming import subscription
from chassis.consuming.limits import IN_USE_TOLD_SECONDS, LOCK_MILLISECONDS_MAX, Limits
from chassis.consuming.losses import Losses, LossStore
from chassis.consuming.partition_queue import Place
from chassis.consuming.report import HandlingReport, InHand, SetAsideBecause
from chassis.consuming.stalls import StallWatch
from chassis.consuming.state_machine import Core
from chassis.consuming.steps import Apply, SetAside, Wait
from chassis.consuming.waits import describe_waits
from chassis.dead_letters.placement import Placement
from chassis.kafka import lenient_records as kafka_records
from chassis.messaging.failures import FailureKind, classify, describe_lock
from chassis.messaging.message import Apply as Effect
from chassis.messaging.message import KeysInUseError, Message, describe, error_class
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database
from chassis.process.component import BackgroundLoop
from chassis.process.health import Check
from contracts.reasons import SetAsideReason

_log = get_logger(__name__)

DRAIN_SECONDS_MAX = 20.0
"""So long a rebalance waits for the step in hand. Later its outcome counts no more."""
COMMIT_SECONDS_MAX = 5.0
COMMIT_AGAIN_SECONDS = 1.0
"""After a commit that failed, where no further message comes and brings the next one."""

_BEHIND = SetAsideBecause(SetAsideReason.BEHIND_ANOTHER)
_OUT_OF_PLACE = SetAsideBecause(SetAsideReason.OUT_OF_PLACE)
_REASONS = {FailureKind.MALFORMED: SetAsideReason.MALFORMED, FailureKind.SUSPECT: SetAsideReason.BUG}

kafka_records.install()


class SetAsideStore(LossStore, Protocol):
    """Where messages go that cannot be applied: `chassis.dead_letters.DeadLetters`, or a service's own."""

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Divide a batch, and put behind their lines those that belong there."""
        ...

    async def lock(self, connection: Connection, message: Message) -> None:
        """Keep everybody else away from what waits under the message's key, until the transaction ends."""
        ...

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Keep a message, inside the transaction that lets its offset pass. False: there is no room."""
        ...


class Consumer:
    """One consumer group member of a service.

    Args:
        name: the service's name; with the deployment's prefix it is the group.
        database: in whose transactions batches are applied.
        apply: the service's effect of a batch.
        set_aside: where messages go that cannot be applied.
        topic_prefix: of this deployment.
        metrics: counts messages by topic and outcome.
        limits: of what it holds and does.
    """

    def __init__(
        self,
        name: str,
        *,
        database: Database,
        apply: Effect,
        set_aside: SetAsideStore,
        topic_prefix: str,
        metrics: Metrics,
        limits: Limits | None = None,
    ) -> None:
        self.name = f"consumer:{name}"
        self._group = topic_prefix + name
        self._database = database
        self._apply = apply
        self._store = set_aside
        self._prefix = topic_prefix
        self._report = HandlingReport(name, metrics)
        self._losses = Losses(set_aside, database, self._report.metrics, consumer=name, group=self._group)
        self._core = Core(limits)
        self._loop = BackgroundLoop(self.name, self._run)
        self._news = asyncio.Event()
        self._in_hand = asyncio.Lock()
        self._stalls = StallWatch()
        self._subscriber: Any = None

    def subscribe(self, broker: KafkaBroker, *topics: str, pattern: str | None = None) -> None:
        """Hang this consumer on the broker, every delivery option stated.

        Args:
            broker: from `chassis.consuming.broker.build_broker`.
            topics: names as on their cards; or else
            pattern: a regular expression over names as on their cards.
        """
        self._losses.watch(topics)
        self._subscriber = subscription.subscribe(
            broker,
            self,
            self.take,
            group=self._group,
            topics=[self._prefix + topic for topic in topics],
            pattern=subscription.exactly(self._prefix, pattern) if pattern else None,
        )

    # --- a part of its service ---------------------------------------------------------------

    async def start(self) -> None:
        """Begin to apply what comes."""
        await self._loop.start()

    async def stop(self) -> None:
        """Finish the step in hand and commit what is done."""
        self._loop.ask_to_stop()
        self._news.set()
        await self._loop.stop()

    async def check(self) -> Check:
        """Bad while nothing can be applied, or read: says why. Names keys that wait for another session."""
        loop = await self._loop.check()
        if not loop.ok:
            return loop
        trouble = self._core.trouble(time.monotonic())
        if not trouble and self._subscriber is not None and self._subscriber.consumer is not None:
            trouble = self._stalls.stalled(self._subscriber.consumer)
        if trouble:
            return Check(ok=False, detail=trouble)
        now = time.monotonic()
        waits = describe_waits(self._core.in_use(now, seconds_min=IN_USE_TOLD_SECONDS), now)
        return Check(ok=True, detail="; ".join(filter(None, (waits, self._losses.detail))))

    # --- what Kafka does ---------------------------------------------------------------------

    async def take(self, records: Sequence[Any]) -> None:
        """Keep what a poll brought.

        Nothing is awaited before that: a rebalance between the poll and this would mix two assignments.
        """
        by_place: dict[Place, list[Message]] = {}
        for record in records:
            message = Message.from_record(record, topic_prefix=self._prefix)
            by_place.setdefault((message.topic, message.partition), []).append(message)
        for place, messages in by_place.items():
            self._core.receive(place, messages)
        self._steer()
        self._news.set()

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """These partitions are ours from now on."""
        places = [self._place(partition) for partition in partitions]
        self._losses.watch(topic for topic, _ in places)
        self._core.assign(places)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Wait until the step in hand is done and committed, then let these partitions go."""
        places = [self._place(partition) for partition in partitions]
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX), self._in_hand:
                self._core.revoke(places)
        except TimeoutError:
            self._core.revoke(places)
            _log.warning("partitions go while a step is in hand: its outcome will not count")
        self._report.metrics.revoked(places)

    def on_read(self, positions: subscription.Positions) -> None:
        """Let offsets pass what holds no record for us, such as the markers of transactions."""
        moved = [self._core.note_read(self._place(each), offset) for each, offset in positions.items()]
        if any(moved):
            self._news.set()

    def on_lost(self, partition: TopicPartition, first: int, beyond: int) -> None:
        """Take note of records that were deleted before this group read them."""
        self._losses.notice(self._place(partition), first, beyond)
        self._news.set()

    # --- what is done about it ---------------------------------------------------------------

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._news.clear()
            async with self._in_hand:  # a rebalance waits for this, and changes what is to be done
                await self._losses.record()
                step = self._core.next_step(time.monotonic())
                if isinstance(step, Wait):
                    await self._commit()  # what could not be committed behind the last step
                else:
                    await self._take_step(step)
            self._loop.recovered()
            if isinstance(step, Wait):
                await self._wait(step)

    async def _take_step(self, step: Apply | SetAside) -> None:
        if isinstance(step, Apply):
            await self._apply_batch(step)
        else:
            await self._put_aside(step)
        await self._commit()
        self._steer()

    async def _wait(self, step: Wait) -> None:
        waits = [COMMIT_AGAIN_SECONDS] if self._core.to_commit() else []
        if step.until is not None:
            waits.append(max(0.0, step.until - time.monotonic()))
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _apply_batch(self, step: Apply) -> None:
        messages = step.messages
        in_hand = self._report.begin(messages)
        try:
            async with self._transaction() as connection:
                placement = await self._store.partition_batch(connection, messages)
                effects = await self._apply(connection, placement.free) if placement.free else 0
        except Exception as error:  # noqa: BLE001 - every failure has a kind, and the core an answer
            self._failed(step, error)
            self._report.not_applied(in_hand)
            return
        self._applied(step, in_hand, placement, effects)

    def _applied(self, step: Apply, in_hand: InHand, placement: Placement, effects: int) -> None:
        self._core.applied(
            step,
            effects=effects,
            no_room=placement.no_room,
            in_use=placement.in_use,
            now=time.monotonic(),
        )
        self._report.applied(in_hand, placement.free)
        for message in placement.behind:
            self._report.set_aside(in_hand, message, _BEHIND, attempts=0)
        for message in placement.misplaced:
            self._report.set_aside(in_hand, message, _OUT_OF_PLACE, attempts=0)
        self._report.settled(in_hand, placement.settled)
        self._report.not_applied(in_hand)  # the others, if any

    def _failed(self, step: Apply | SetAside, error: Exception) -> None:
        kind, now = classify(error), time.monotonic()
        if kind is FailureKind.BUSY:
            in_use = error.messages if isinstance(error, KeysInUseError) else ()
            self._core.failed(step, kind, describe_lock(error), now, in_use=in_use)
            return
        messages = len(step.entries) if isinstance(step, Apply) else 1
        _log.warning("batch not applied", messages=messages, kind=kind.name.lower(), error=loggable(error))
        self._core.failed(step, kind, describe(error), now)

    async def _put_aside(self, step: SetAside) -> None:
        """Try a message once more; if it fails by itself, its dead letter is written in this transaction."""
        entry, message = step.entry, step.entry.message
        in_hand = self._report.begin([message])
        attempts, failure, kept = entry.attempts + 1, "", False
        kind, effects = FailureKind.SUSPECT, 0
        try:
            async with self._transaction() as connection:
                await self._store.lock(connection, message)
                placement = await self._store.partition_batch(connection, [message])
                try:
                    async with connection.transaction():  # a savepoint: the lock outlives what fails
                        effects = await self._apply(connection, placement.free) if placement.free else 0
                except Exception as error:
                    kind = classify(error)
                    if not kind.may_set_aside:
                        raise
                    failure = describe(error)
                    kept = await self._store.set_aside(
                        connection, message, reason=_REASONS[kind], error=failure, attempts=attempts
                    )
        except Exception as error:  # noqa: BLE001 - not kept means not passed, whatever the reason
            self._failed(step, error)
            self._report.not_applied(in_hand)
            return
        if not failure:
            self._applied(Apply([entry]), in_hand, placement, effects)
            return
        self._core.set_aside(step, kind, kept=kept, now=time.monotonic())
        if kept:
            because = SetAsideBecause(_REASONS[kind], error_class(failure))
            self._report.set_aside(in_hand, message, because, attempts=attempts)
        else:
            self._report.not_applied(in_hand)
            _log.error("no room to set a message aside: its partition pauses", **_origin(message))

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Connection]:
        """Begin a transaction that waits for nobody's locks longer than a moment."""
        async with self._database.transaction() as connection:
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS_MAX}")
            yield connection

    async def _commit(self) -> None:
        """Commit what is done. Not committed means applied again, which the inbox drops."""
        offsets = self._losses.committable(self._core.to_commit())
        if not offsets:
            return
        positions = {TopicPartition(self._prefix + topic, n): at for (topic, n), at in offsets.items()}
        try:
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await self._subscriber.consumer.commit(positions)
        except (KafkaError, TimeoutError) as error:
            _log.warning("offsets not committed; the batch will come again", error=repr(error))
        else:
            self._core.committed(offsets)

    def _steer(self) -> None:
        """Tell Kafka to send no more of what is not worked off, and to go on with what is."""
        consumer, flow = self._subscriber.consumer, self._core.flow()
        ours: set[TopicPartition] = consumer.assignment() if consumer is not None else set()
        for places, tell in ((flow.pause, "pause"), (flow.resume, "resume")):
            partitions = [TopicPartition(self._prefix + topic, number) for topic, number in places]
            if told := [partition for partition in partitions if partition in ours]:
                getattr(consumer, tell)(*told)
        if consumer is not None:
            self._measure(consumer, ours)

    def _place(self, partition: TopicPartition) -> Place:
        return partition.topic.removeprefix(self._prefix), partition.partition

    def _measure(self, consumer: Any, ours: Collection[TopicPartition]) -> None:
        """How far behind each partition is.

        The client asserts that it is asked for partitions it has, and between two generations of a group
        it has fewer than the core.
        """
        for place, (offset, sent_at) in self._core.backlog().items():
            self._report.metrics.oldest_unhandled(place, sent_at)
            partition = TopicPartition(self._prefix + place[0], place[1])
            end = consumer.highwater(partition) if partition in ours else None
            if end is not None and offset is not None:
                self._report.metrics.lag(place, end - offset)


def _origin(message: Message) -> dict[str, Any]:
    return {"topic": message.topic, "partition": message.partition, "offset": message.offset}
