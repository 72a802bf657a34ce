"""The record of refusals (GW-9): published beside the answer, within a budget, kept while the broker is away.

A sender's answer does not wait for it: a refusal stores nothing that could be lost, and forgers must not be
able to hold connections. Records wait in a bounded queue until the broker has them; what does not fit, or
is still there when the process ends, is counted in `refusals_unpublished`. A crash loses the queue, which
with a reachable broker is a few milliseconds' worth.
"""

import asyncio
from collections import deque
from functools import cache
from itertools import islice

from chassis import clock
from chassis.kafka.producer import OutgoingRecord, Producer
from chassis.observability.logs import get_logger
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check
from webhook_gateway.domain.policy import Refusal
from webhook_gateway.domain.refusal_budget import RefusalBudget, Suppressed
from webhook_gateway.handlers.observations import Observations
from webhook_gateway.handlers.records import RefusedRequest, refusal_record, suppression_record

QUEUE_RECORDS_MAX = 5_000
BATCH_RECORDS_MAX = 200
ACK_SECONDS_MAX = 5.0
ROUND_SECONDS = 1.0
"""How often windows are closed, and how long a failed batch waits for its next attempt."""

_log = get_logger(__name__)


class RefusalLog:
    """Publishes refusals in the background; a part of the service, to be stopped before the producer.

    Args:
        producer: where records go.
        budget: how many a minute, per source and address and of all together.
        observations: the gateway's metrics.
    """

    name = "refusal log"

    def __init__(self, producer: Producer, budget: RefusalBudget, observations: Observations) -> None:
        self._producer = producer
        self._budget = budget
        self._observations = observations
        self._suppressed = cache(observations.refusals_suppressed.labels)
        self._queue: deque[OutgoingRecord] = deque()
        observations.refusals_waiting.set_function(lambda: len(self._queue))
        self._wake = asyncio.Event()
        self._loop = BackgroundLoop(self.name, self._run)

    def note(self, refusal: Refusal, request: RefusedRequest) -> None:
        """Put a refusal on record if it belongs there; returns at once."""
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

    async def start(self) -> None:
        """Begin to publish."""
        await self._loop.start()

    async def stop(self) -> None:
        """Close every window and publish what is waiting, once."""
        self._wake.set()
        await self._loop.stop()
        self._summarise(self._budget.close_all())
        while self._queue and await self._publish_batch():
            pass
        if self._queue:  # nobody reads the metric of a process that ends
            self._observations.refusals_unpublished.inc(len(self._queue))
            _log.error(
                "refusals are lost to the record: the broker was away until the end", count=len(self._queue)
            )

    async def check(self) -> Check:
        """Good while the loop runs; tells how many records are waiting."""
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
        """Publish the oldest records; those without an ack stay, in order. True when none stayed."""
        batch = list(islice(self._queue, BATCH_RECORDS_MAX))
        acks = await self._producer.send_all(batch, ack_seconds_max=ACK_SECONDS_MAX)
        for _ in batch:
            self._queue.popleft()
        unsent = [record for record, error in zip(batch, acks, strict=True) if error is not None]
        self._queue.extendleft(reversed(unsent))
        return not unsent

    def _summarise(self, ended: list[Suppressed]) -> None:
        for suppressed in ended:
            self._enqueue(suppression_record(suppressed, clock.now()))

    def _enqueue(self, record: OutgoingRecord) -> None:
        if len(self._queue) >= QUEUE_RECORDS_MAX:
            self._observations.refusals_unpublished.inc()
            return
        self._queue.append(record)
        self._wake.set()
