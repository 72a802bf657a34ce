"""Seals the EventLog: one process of the whole deployment at a time.

It holds a session advisory lock on a connection of its own, and writes on that connection alone: a process
that lost the lock cannot write. The server ends the session of a silent process.
"""

import asyncio
import time
from collections.abc import Sequence

from audit.adapters.checkpoint_sinks import CheckpointSink
from audit.domain.log.key_ring import KeyRing
from audit.handlers.opening import OpenLog, SealingRefusedError, open_log
from audit.handlers.sealing import Sealed, seal, waiting_entries
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database, Session
from chassis.postgres.advisory_locks import AUDIT_SEALER
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check

_log = get_logger(__name__)

POLL_SECONDS = 0.5
SEAL_SECONDS = 1.0
"""Longest pause between two rounds while entries wait."""
SOON_ENTRIES = 1_000
"""So many entries do not wait for the second to end."""
REFUSED_SECONDS = 2.0
"""Pause before a refused log is looked at again."""
# With POLL_SECONDS of the next sealer less than 5 s. The longest pause of a living sealer is REFUSED_SECONDS.
SILENT_MILLISECONDS_MAX = 3_500
"""After this time without a statement the server ends the session of a sealer."""

_TRY_LOCK = "SELECT pg_try_advisory_lock($1)"


class Sealer(LoopComponent):
    """Seals entries while it is the leader, and waits to become the leader otherwise.

    Args:
        database: of audit.
        keys: of the log; None seals nothing, and readiness says so.
        outside: places whose newest checkpoint must be part of the log.
        metrics: `audit_seal_lag_seconds`, `audit_seal_refusals_total`, `audit_sealing_refused`.
    """

    name = "sealer"

    def __init__(
        self, database: Database, keys: KeyRing | None, outside: Sequence[CheckpointSink], metrics: Metrics
    ) -> None:
        self._database = database
        self._keys = keys
        self._outside = outside
        self._lag = metrics.seconds("seal_lag_seconds")
        self._refusals = metrics.counter("seal_refusals")
        self._refused = metrics.gauge("sealing_refused")
        self._refusal = ""
        self._opened: OpenLog | None = None
        self._is_leader = False

    @property
    def has_open_log(self) -> bool:
        """Return whether this process is the leader and has found the log to be in order."""
        return self._opened is not None

    async def start(self) -> None:
        if self._keys is None:
            _log.warning("AUDIT_SIGNING_KEY is not set: entries are recorded and not sealed")
            return
        for key in self._keys.verifiers:
            _log.info(
                "key of the log",
                origin=key.name,
                key_id=key.id.hex(),
                key=str(key),
                signs=self._keys.signs(key),
            )
        await self._loop.start()

    async def check(self) -> Check:
        """Return a bad check while sealing fails or is refused. Appending goes on all the same."""
        if self._keys is None:
            return Check(ok=True, detail="nothing is sealed: AUDIT_SIGNING_KEY is not set")
        if self._refusal:
            return Check(ok=False, detail=f"sealing refused: {self._refusal}")
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail=self._detail())

    def _detail(self) -> str:
        if self._opened is None:
            return "opens the log" if self._is_leader else "stands by, another process seals"
        return f"leads, {self._opened.head.size} entries sealed"

    async def _run(self, stopping: asyncio.Event) -> None:
        milliseconds = f"{SILENT_MILLISECONDS_MAX}ms"
        session = await self._database.dedicated(
            idle_session_timeout=milliseconds, idle_in_transaction_session_timeout=milliseconds
        )
        try:
            while not stopping.is_set():
                self._is_leader = self._is_leader or await session.fetchval(_TRY_LOCK, AUDIT_SEALER)
                if self._is_leader:
                    await self._open_and_seal(session, stopping)
                    continue
                self._loop.recovered()
                await pause(stopping, POLL_SECONDS)
        finally:
            self._is_leader, self._opened = False, None
            session.terminate()

    async def _open_and_seal(self, session: Session, stopping: asyncio.Event) -> None:
        assert self._keys is not None, "`start` starts the loop with keys only"
        try:
            self._opened = await open_log(session, self._keys, self._outside)
            self._accept()
            await self._seal_until_stopped(session, self._opened, self._keys, stopping)
        except SealingRefusedError as error:
            self._opened = None
            self._refuse(str(error))
            await pause(stopping, REFUSED_SECONDS)

    async def _seal_until_stopped(
        self, session: Session, log: OpenLog, keys: KeyRing, stopping: asyncio.Event
    ) -> None:
        due_at = 0.0
        while not stopping.is_set():
            sealed = Sealed()
            waiting = await waiting_entries(session, log)
            if waiting >= SOON_ENTRIES or (waiting and time.monotonic() >= due_at):
                due_at = time.monotonic() + SEAL_SECONDS
                sealed = await seal(session, log, keys)
                if sealed.entries:
                    self._lag.observe(sealed.lag.total_seconds())
            self._loop.recovered()
            if not sealed.is_full:
                await pause(stopping, POLL_SECONDS)

    def _accept(self) -> None:
        assert self._opened is not None
        if self._refusal:
            _log.warning("sealing goes on", refused_before=self._refusal)
        else:
            _log.info("sealer leads", entries=self._opened.head.size)
        self._refusal = ""
        self._refused.set(0)

    def _refuse(self, refusal: str) -> None:
        self._refusals.inc()
        self._refused.set(1)
        if refusal != self._refusal:
            _log.error("sealing refused", reason=refusal)
        self._refusal = refusal
        self._loop.recovered()
