"""Publishes refusals in the background (GW-9), within a budget, and keeps them while the broker is away.

The answer to a sender does not wait for the record of its refusal: nothing is lost if that record is late,
and forgers must not be able to hold connections. Records wait in a bounded queue until the broker has them.
Records that do not fit into the queue, or are still waiting when the process ends, are counted in
`refusals_unpublished`. A crash loses the queue: a few milliseconds' worth while the broker is reachable.
"""

import asyncio
from collections import deque
from functools import cache
from itertools import islice

from chassis import clock
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import Producer
from chassis.observability.logs import get_logger
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check
from webhook_gateway.domain.flag_table import Refusal
from webhook_gateway.domain.refusal_budget import RefusalBudget, Suppressed
from webhook_gateway.handlers.records import RefusedRequest, refusal_record, suppression_record
from webhook_gateway.metrics import GatewayMetrics

QUEUE_RECORDS_MAX = 5_000
BATCH_RECORDS_MAX = 200
ACK_SECONDS_MAX = 5.0
# How often windows are closed, and how long a failed batch waits for its next attempt.
ROUND_SECONDS = 1.0

_log = get_logger(__name__)


class RefusalLog(LoopComponent):
    """Component that publishes refusals; stop it before the producer.

    Args:
        producer: publishes the records.
        budget: how many a minute, per source and address and of all together.
        metrics: the gateway's metrics.
    """

    name = "refusal log"

    def __init__(self, producer: Producer, budget: RefusalBudget, metrics: GatewayMetrics) -> None:
        self._producer = producer
        self._budget = budget
        self._metrics = metrics
        self._suppressed = cache(metrics.refusals_suppressed.labels)
        self._queue: deque[OutgoingRecord] = deque()
        self._wake = asyncio.Event()

    def record(self, refusal: Refusal, request: RefusedRequest) -> None:
        """Queue the record of a refusal, unless the flag table or the budget says otherwise. Never blocks."""
        if not refusal.on_record:
            return
        if self._budget.admit(request.source, request.remote_address, refusal.reason, request.received_at):
            _log.info(
                "delivery refused",
                source=request.source,
                reason=refusal.reason.value,
                remote_address=request.remote_address,
            )
            self._enqueue(refusal_record(refusal, request))
        else:
            self._suppressed(request.source).inc()

    async def stop(self) -> None:
        """Close every window and publish the waiting records, in one attempt."""
        self._wake.set()
        await self._loop.stop()
        self._summarise(self._budget.close_all())
        while self._queue and await self._publish_batch():
            pass
        if self._queue:  # logged as well: no scrape follows the end of a process
            self._metrics.refusals_unpublished.inc(len(self._queue))
            _log.error("refusals lost: the broker was away until the end", count=len(self._queue))

    async def check(self) -> Check:
        """Healthy while the loop runs; the detail says how many records are waiting."""
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail=f"{len(self._queue)} waiting")

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            self._summarise(self._budget.close_ended(clock.now()))
            if self._queue and not await self._publish_batch():
                await pause(stopping, ROUND_SECONDS)
            self._loop.recovered()
            if not self._queue:
                self._wake.clear()
                await pause(self._wake, ROUND_SECONDS)

    async def _publish_batch(self) -> bool:
        """Publish the oldest records. Those without an ack stay, in order; return True when none stayed."""
        batch = list(islice(self._queue, BATCH_RECORDS_MAX))
        acks = await self._producer.send_all(batch, ack_seconds_max=ACK_SECONDS_MAX)
        for _ in batch:
            self._queue.popleft()
        unsent = [record for record, error in zip(batch, acks, strict=True) if error is not None]
        self._queue.extendleft(reversed(unsent))
        self._metrics.refusals_waiting.set(len(self._queue))
        return not unsent

    def _summarise(self, ended: list[Suppressed]) -> None:
        for suppressed in ended:
            self._enqueue(suppression_record(suppressed, clock.now()))

    def _enqueue(self, record: OutgoingRecord) -> None:
        if len(self._queue) >= QUEUE_RECORDS_MAX:
            self._metrics.refusals_unpublished.inc()
            return
        self._queue.append(record)
        self._metrics.refusals_waiting.set(len(self._queue))
        self._wake.set()
