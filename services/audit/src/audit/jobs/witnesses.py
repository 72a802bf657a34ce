"""Asks witnesses for cosignatures of the newest checkpoint (AU-8).

One process asks. All witnesses are asked for the same checkpoint, so that cosignatures meet on one; then
follows the next. A witness that does not cosign is asked again later and later, and keeps nobody waiting.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audit.adapters import log_cosignatures
from audit.adapters.log_cosignatures import Submission
from audit.adapters.witness_client import WitnessClient
from audit.domain.log.checkpoints import read_checkpoint
from audit.domain.log.policies import NO_QUORUM, Policy
from audit.domain.log.witness_answers import NotCosigned, Outcome, retry_seconds
from audit.handlers.cosigning import WitnessSite, ask, needs_cosignature, newest_cosigned, sites_of
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database, Session
from chassis.postgres.advisory_locks import AUDIT_WITNESSES
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import Check

_log = get_logger(__name__)

# The server ends a silent session after this time; longer than the requests of a round.
SILENT_SECONDS_MAX = 60
_TRY_LOCK = "SELECT pg_try_advisory_lock($1)"


class WitnessMeters:
    """Metrics of witnesses; each exists at 0."""

    def __init__(self, metrics: Metrics, witnesses: Iterable[str]) -> None:
        self.requests = metrics.counter("log_witness_requests")
        for witness in witnesses:
            for outcome in Outcome:
                self.requests.labels(witness, outcome)
        self.age = metrics.gauge("log_cosigned_age_seconds")
        self.uncosigned = metrics.gauge("log_uncosigned_seconds")


@dataclass(slots=True)
class _Course:
    """How requests to one witness went."""

    site: WitnessSite
    failures: int = 0
    error: str = ""
    again_at: float = 0.0


class WitnessRounds:
    """Asks every witness of the policy, round after round. Never makes the service unready.

    Args:
        database: of audit.
        policy: witnesses and quorum; None if there is no policy: nobody is asked.
        metrics: `log_witness_requests`, `log_cosigned_age_seconds`, `log_uncosigned_seconds`.
        seconds: from one round to the next.
    """

    name = "witnesses"

    def __init__(
        self, database: Database, policy: Policy | None, metrics: Metrics, *, seconds: float
    ) -> None:
        self._database = database
        self._policy = policy
        self._seconds = seconds
        self._courses = [_Course(site) for site in sites_of(policy)] if policy else []
        self._meters = WitnessMeters(metrics, [course.site.name for course in self._courses])
        self._loop = BackgroundLoop(self.name, self._run)
        self._is_owner = False
        self._cosigned_size = 0

    async def start(self) -> None:
        if self._policy is not None:
            await self._loop.start()

    async def stop(self) -> None:
        """Finish the current round."""
        if self._policy is not None:
            await self._loop.stop()

    async def check(self) -> Check:
        """Return a check that always passes; its detail says what the witnesses do."""
        if self._policy is None:
            return Check(ok=True, detail="off: AUDIT_WITNESS_POLICY_FILE is not set")
        failure = (await self._loop.check()).detail
        role = "owner" if self._is_owner else "standby"
        failing = [f"{course.site.name}: {course.error}" for course in self._courses if course.error]
        newest = f"quorum at {self._cosigned_size} entries" if self._cosigned_size else "no quorum yet"
        return Check(ok=True, detail="; ".join([role, newest, *failing, *filter(None, [failure])]))

    async def _run(self, stopping: asyncio.Event) -> None:
        session = await self._database.dedicated(idle_session_timeout=f"{SILENT_SECONDS_MAX}s")
        client = WitnessClient()
        try:
            while not stopping.is_set():
                began = time.monotonic()
                await self._round(session, client)
                self._loop.recovered()
                await pause(stopping, max(0.0, began + self._seconds - time.monotonic()))
        finally:
            self._is_owner = False
            session.terminate()
            await client.close()

    async def _round(self, session: Session, client: WitnessClient) -> None:
        if not self._is_owner:
            self._is_owner = await session.fetchval(_TRY_LOCK, AUDIT_WITNESSES)
        # Of this session, so that the server sees that it is not silent.
        head = await log_cosignatures.read_head(session)
        if head is not None and self._is_owner:
            await self._ask_all(client, await self._due(session, head), head)
        await self._measure(session)

    async def _due(self, session: Session, head: Submission) -> Sequence[_Course]:
        now = time.monotonic()
        return [
            course
            for course in self._courses
            if course.again_at <= now and await needs_cosignature(session, course.site, head.size)
        ]

    async def _ask_all(self, client: WitnessClient, due: Sequence[_Course], head: Submission) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for course in due:
                    group.create_task(self._ask(client, course, head))
        except ExceptionGroup as errors:
            # Of the database: a witness raises none. The group would hide it in the log.
            raise errors.exceptions[0] from None

    async def _ask(self, client: WitnessClient, course: _Course, head: Submission) -> None:
        answer = await ask(self._database, client, course.site, head)
        witness = course.site.name
        if not isinstance(answer, NotCosigned):
            self._meters.requests.labels(witness, Outcome.COSIGNED).inc()
            if course.error:
                _log.info("witness cosigns again", witness=witness, tree_size=head.size)
            course.failures, course.error, course.again_at = 0, "", 0.0
            return
        self._meters.requests.labels(witness, answer.outcome).inc()
        course.failures += 1
        course.again_at = time.monotonic() + retry_seconds(course.failures, interval=self._seconds)
        if answer.sentence != course.error:
            _log.warning(
                "witness did not cosign",
                witness=witness,
                outcome=answer.outcome,
                error=answer.sentence,
                tree_size=head.size,
            )
        course.error = answer.sentence

    async def _measure(self, session: Session) -> None:
        if self._policy is None:
            return
        newest = await newest_cosigned(session, self._policy, above=self._cosigned_size)
        if newest is not None:
            self._cosigned_size = read_checkpoint(newest).size
        self._meters.age.set(await log_cosignatures.age_seconds(session, self._cosigned_size))
        waiting = await log_cosignatures.waiting_seconds(session, self._cosigned_size)
        self._meters.uncosigned.set(0 if self._policy.quorum == NO_QUORUM else waiting)
