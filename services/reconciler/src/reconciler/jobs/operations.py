"""Works on bulk operations. Every replica does; a row lock gives each operation to one at a time (REC-9b)."""

import asyncio

from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from reconciler.domain.operations import OUTCOMES
from reconciler.handlers.operation_batches import BATCH_ITEMS_MAX, Worked, work_batch

_log = get_logger(__name__)

POLL_SECONDS = 0.25


class OperationWorker(LoopComponent):
    """Applies and takes back operations, batch by batch, until stopped.

    Args:
        database: the reconciler's own.
        second_person_above: hundredths of the currency's unit; a larger difference needs a second person.
        metrics: `operation_items_total` by outcome, `operations_ended_total` by status.
        items_max: exceptions per transaction.
    """

    name = "operations"

    def __init__(
        self,
        database: Database,
        second_person_above: int | None,
        metrics: Metrics,
        *,
        items_max: int = BATCH_ITEMS_MAX,
    ) -> None:
        self._database = database
        self._second_person_above = second_person_above
        self._items_max = items_max
        self._items = metrics.counter("operation_items")
        self._ended = metrics.counter("operations_ended")
        for outcome in OUTCOMES[1:]:
            self._items.labels(outcome)
        for status in ("applied", "reverted", "failed"):
            self._ended.labels(status)

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            worked = await work_batch(
                self._database,
                second_person_above=self._second_person_above,
                items_max=self._items_max,
            )
            self._loop.recovered()
            if worked is None:
                await pause(stopping, POLL_SECONDS)
            else:
                self._count(worked)

    def _count(self, worked: Worked) -> None:
        for outcome, count in worked.outcomes.items():
            self._items.labels(outcome).inc(count)
        if worked.ended is not None:
            self._ended.labels(worked.ended).inc()
            _log.info("operation ended", operation_id=worked.operation_id, status=worked.ended)
