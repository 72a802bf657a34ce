"""Publishes the newest checkpoint every few seconds, from the process that seals.

It has a loop of its own: a place that does not answer never holds up sealing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from audit.adapters.checkpoint_sinks import CheckpointSink, SinkError
from audit.domain.log.key_ring import KeyRing
from audit.domain.log.notes import NoteError
from audit.handlers.publishing import publish_page, record_head, size_kept
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check

_log = get_logger(__name__)

POLL_SECONDS = 0.5


class CheckpointPublisher(LoopComponent):
    """Records the head of the log for publication, and publishes what each place does not have yet.

    Args:
        database: of audit.
        keys: of the log; None publishes nothing.
        sinks: places outside of the database.
        metrics: `audit_checkpoint_waiting_seconds` by place.
        interval_seconds: time between two published checkpoints.
        may_publish: returns whether this process seals the log.
    """

    name = "checkpoints"

    def __init__(
        self,
        database: Database,
        keys: KeyRing | None,
        sinks: Sequence[CheckpointSink],
        metrics: Metrics,
        *,
        interval_seconds: float,
        may_publish: Callable[[], bool],
    ) -> None:
        self._database = database
        self._keys = keys
        self._sinks = sinks
        self._interval_seconds = interval_seconds
        self._may_publish = may_publish
        self._waiting = metrics.gauge("checkpoint_waiting_seconds")
        self._kept: dict[str, int] = {}
        self._failing_since: dict[str, float] = {}
        self._failures: dict[str, str] = {}

    async def start(self) -> None:
        for sink in self._sinks:
            self._waiting.labels(sink.label).set(0)
        if self._keys is not None:
            await self._loop.start()

    async def check(self) -> Check:
        """Return a good check, with what a place that cannot be reached says: nothing is lost meanwhile."""
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail="; ".join(self._failures.values()))

    async def _run(self, stopping: asyncio.Event) -> None:
        due_at = 0.0
        while not stopping.is_set():
            if not self._may_publish():
                self._kept.clear()
            elif time.monotonic() >= due_at:
                due_at = time.monotonic() + self._interval_seconds
                await self._publish(stopping)
            self._loop.recovered()
            await pause(stopping, POLL_SECONDS)

    async def _publish(self, stopping: asyncio.Event) -> None:
        newest = await record_head(self._database)
        for sink in self._sinks:
            try:
                await self._publish_to(sink, newest, stopping)
            except (SinkError, NoteError) as error:
                self._note_failure(sink, str(error))
            else:
                self._failures.pop(sink.label, None)
                self._failing_since.pop(sink.label, None)
                self._waiting.labels(sink.label).set(0)

    async def _publish_to(self, sink: CheckpointSink, newest: int | None, stopping: asyncio.Event) -> None:
        assert self._keys is not None, "`start` starts the loop with keys only"
        if sink.label not in self._kept:
            self._kept[sink.label] = await size_kept(sink, self._database, self._keys)
        while newest is not None and self._kept[sink.label] < newest and not stopping.is_set():
            reached = await publish_page(self._database, sink, self._keys, after=self._kept[sink.label])
            if reached == self._kept[sink.label]:
                return
            self._kept[sink.label] = reached

    def _note_failure(self, sink: CheckpointSink, failure: str) -> None:
        since = self._failing_since.setdefault(sink.label, time.monotonic())
        self._waiting.labels(sink.label).set(time.monotonic() - since)
        if self._failures.get(sink.label) != failure:
            _log.warning("checkpoint not published", place=sink.name, reason=failure)
        self._failures[sink.label] = failure
