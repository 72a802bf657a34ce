"""Connect the state machine with Kafka and PostgreSQL. All decisions are made in `state_machine`.

Order: apply in one transaction → COMMIT → commit the offset, spread by `commits`. After a crash between the
last two, Kafka delivers the messages again, and the inbox drops the copies. Polling continues meanwhile:
records wait in memory, within limits.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from chassis.consuming import subscription
from chassis.consuming.attempts import Attempts, SetAsideStore
from chassis.consuming.commits import CommitSchedule
from chassis.consuming.limits import IN_USE_REPORTED_SECONDS, Limits
from chassis.consuming.losses import Losses
from chassis.consuming.metrics import Backlog, BacklogGauges
from chassis.consuming.partition_queue import Partition
from chassis.consuming.report import HandlingReport
from chassis.consuming.stalls import StallWatch
from chassis.consuming.state_machine import ConsumerStateMachine
from chassis.consuming.steps import ApplyBatch, LastAttempt, Wait
from chassis.consuming.waits import describe_waits
from chassis.kafka import lenient_records as kafka_records
from chassis.messaging.message import Apply, Message
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres.database import Database
from chassis.process.component import LoopComponent
from chassis.process.health import Check

__all__ = ["Consumer", "SetAsideStore"]

_log = get_logger(__name__)

DRAIN_SECONDS_MAX = 20.0
"""A rebalance waits so long for the step in flight. A later outcome does not count."""
COMMIT_SECONDS_MAX = 5.0

kafka_records.install()


class Consumer(LoopComponent):
    """One consumer group member of a service.

    Args:
        name: the service's name. With the topic prefix it is the consumer group.
        database: batches are applied in its transactions.
        apply: the service's effect of a batch.
        set_aside: stores messages that cannot be applied.
        topic_prefix: of this deployment.
        metrics: exposes handled messages, lag, ages, dead letters and losses.
        limits: of memory, batches and attempts.
    """

    def __init__(
        self,
        name: str,
        *,
        database: Database,
        apply: Apply,
        set_aside: SetAsideStore,
        topic_prefix: str,
        metrics: Metrics,
        limits: Limits | None = None,
    ) -> None:
        self.name = f"consumer:{name}"
        self._group = topic_prefix + name
        self._prefix = topic_prefix
        report = HandlingReport(name, metrics)
        self._metrics = report.metrics
        self._losses = Losses(set_aside, database, self._metrics, consumer=name, group=self._group)
        self._machine = ConsumerStateMachine(limits)
        self._partitions = self._machine.partitions
        self._attempts = Attempts(self._machine, database, apply, set_aside, report)
        self._commits = CommitSchedule()
        self._wake_up = asyncio.Event()
        self._in_flight = asyncio.Lock()
        self._stalls = StallWatch()
        self._subscriber: Any = None
        metrics.register(BacklogGauges(metrics, self._backlog))

    def subscribe(
        self,
        broker: KafkaBroker,
        *topics: str,
        pattern: str | None = None,
        fetch_wait_milliseconds: int = 0,
    ) -> None:
        """Subscribe at the broker, with every delivery option stated.

        Args:
            broker: from `chassis.consuming.broker.build_broker`.
            topics: names as on their topic cards; or else
            pattern: a regular expression over such names.
            fetch_wait_milliseconds: how long a fetch collects records at the broker while records come.
                Larger batches cost less; a record waits up to so long. 0 takes each record at once.
        """
        self._losses.watch(topics)
        self._subscriber = subscription.subscribe(
            broker,
            self,
            self.receive,
            group=self._group,
            topics=[self._prefix + topic for topic in topics],
            pattern=subscription.exactly(self._prefix, pattern) if pattern else None,
            fetch_wait_milliseconds=fetch_wait_milliseconds,
        )

    # --- component ---------------------------------------------------------------------------

    async def stop(self) -> None:
        """Finish the step in flight and commit its offsets."""
        self._loop.ask_to_stop()
        self._wake_up.set()
        await self._loop.stop()
        if not self._commits.has_failed:  # a stop does not wait again for a broker that is away
            async with self._in_flight:
                await self._commit()

    async def check(self) -> Check:
        """Return a bad check while no message can be applied or read. A good check may name waiting keys."""
        loop = await self._loop.check()
        if not loop.ok:
            return loop
        now = time.monotonic()
        problem = self._machine.problem(now)
        if not problem and self._subscriber is not None and self._subscriber.consumer is not None:
            problem = self._stalls.stalled(self._subscriber.consumer)
        if problem:
            return Check(ok=False, detail=problem)
        waits = describe_waits(self._machine.blocked.in_use(now, seconds_min=IN_USE_REPORTED_SECONDS), now)
        return Check(ok=True, detail="; ".join(filter(None, (waits, self._losses.detail))))

    # --- called by the Kafka client ----------------------------------------------------------

    async def receive(self, records: Sequence[Any]) -> None:
        """Queue the records of a poll."""
        # Nothing may be awaited before they are queued: a rebalance in between would mix two assignments.
        messages_of: dict[Partition, list[Message]] = {}
        for record in records:
            message = Message.from_record(record, topic_prefix=self._prefix)
            messages_of.setdefault((message.topic, message.partition), []).append(message)
        for partition, messages in messages_of.items():
            self._partitions.receive(partition, messages)
        self._apply_back_pressure()
        self._wake_up.set()

    async def on_assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Add partitions."""
        assigned = [self._without_prefix(each) for each in partitions]
        self._losses.watch(topic for topic, _ in assigned)
        self._machine.assign(assigned)

    async def on_revoked(self, partitions: Collection[TopicPartition]) -> None:
        """Finish the step in flight and commit all offsets, then remove partitions."""
        revoked = [self._without_prefix(each) for each in partitions]
        try:
            async with asyncio.timeout(DRAIN_SECONDS_MAX), self._in_flight:
                await self._commit()
                self._machine.revoke(revoked)
        except TimeoutError:
            self._machine.revoke(revoked)
            _log.warning("partitions revoked while a step is in flight: its outcome will not count")

    def on_read(self, positions: subscription.Positions) -> None:
        """Let offsets pass offsets without a record for us, such as transaction markers."""
        moved = [
            self._partitions.record_read_to(self._without_prefix(each), at) for each, at in positions.items()
        ]
        if any(moved):
            self._wake_up.set()

    def on_lost(self, partition: TopicPartition, first: int, beyond: int) -> None:
        """Note records that were deleted before this group read them: from `first` up to before `beyond`."""
        self._losses.add(self._without_prefix(partition), first, beyond)
        self._wake_up.set()

    # --- the loop ----------------------------------------------------------------------------

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._wake_up.clear()
            async with self._in_flight:  # a rebalance waits for this, and changes the next step
                await self._losses.store()
                step = self._machine.next_step(time.monotonic())
                if not isinstance(step, Wait):
                    await self._take(step)
                if not self._commits.seconds_until_due(time.monotonic()):
                    await self._commit()
            self._loop.recovered()
            if isinstance(step, Wait):
                await self._wait(step)

    async def _take(self, step: ApplyBatch | LastAttempt) -> None:
        if isinstance(step, ApplyBatch):
            await self._attempts.apply_batch(step)
        else:
            await self._attempts.make_last_attempt(step)
        self._apply_back_pressure()

    async def _wait(self, step: Wait) -> None:
        now = time.monotonic()
        waits = [self._commits.seconds_until_due(now)] if self._partitions.offsets_to_commit() else []
        if step.until is not None:
            waits.append(max(0.0, step.until - now))
        try:
            async with asyncio.timeout(min(waits, default=None)):
                await self._wake_up.wait()
        except TimeoutError:
            return

    # --- calls to the Kafka client -----------------------------------------------------------

    async def _commit(self) -> None:
        """Commit offsets. After a failed commit the messages come again, and the inbox drops them."""
        pending = self._partitions.offsets_to_commit()
        if not pending:
            return
        offsets = self._losses.committable(pending)
        is_sent = await self._send_offsets(offsets) if offsets else False
        self._commits.record(time.monotonic(), succeeded=is_sent and offsets == pending)

    async def _send_offsets(self, offsets: Mapping[Partition, int]) -> bool:
        positions = {TopicPartition(self._prefix + topic, n): at for (topic, n), at in offsets.items()}
        try:
            async with asyncio.timeout(COMMIT_SECONDS_MAX):
                await self._subscriber.consumer.commit(positions)
        except (KafkaError, TimeoutError) as error:
            _log.warning("offsets not committed; the batch will come again", error=repr(error))
            return False
        self._partitions.record_committed(offsets)
        return True

    def _apply_back_pressure(self) -> None:
        """Pause partitions whose memory is used, and resume the others."""
        client, change = self._subscriber.consumer, self._partitions.flow_change()
        assigned: set[TopicPartition] = client.assignment() if client is not None else set()
        for partitions, method in ((change.pause, "pause"), (change.resume, "resume")):
            changed = [TopicPartition(self._prefix + topic, number) for topic, number in partitions]
            if known := [partition for partition in changed if partition in assigned]:
                getattr(client, method)(*known)

    def _backlog(self) -> dict[Partition, Backlog]:
        if self._subscriber is None or self._subscriber.consumer is None:
            return {}
        client = self._subscriber.consumer
        assigned: set[TopicPartition] = client.assignment()
        backlog: dict[Partition, Backlog] = {}
        for (topic, number), (offset, sent_at) in self._partitions.backlog().items():
            # The client asserts that the partition is assigned. Between two generations of a group it has
            # fewer partitions than the state machine.
            partition = TopicPartition(self._prefix + topic, number)
            end: int | None = client.highwater(partition) if partition in assigned else None
            messages = None if end is None or offset is None else end - offset
            backlog[topic, number] = Backlog(messages, sent_at)
        return backlog

    def _without_prefix(self, partition: TopicPartition) -> Partition:
        return partition.topic.removeprefix(self._prefix), partition.partition
