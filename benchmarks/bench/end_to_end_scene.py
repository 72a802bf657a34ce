"""A system of E1 with pending bookings: started, warm, loaded, seen from its EventLog, checked."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.end_to_end_systems import SYSTEMS, Running, System
from bench.gateway_deliveries import booking_id
from bench.gateway_driver import Load, Outcome, run_load
from bench.gateway_load import NO_ANSWER, OK, Phase
from bench.row import Size
from harness import Stack, start_services
from harness.databases import Connection
from harness.embedded import EmbeddedInfra
from plumbline import waiting

WARM_UP = {Size.FULL: 500, Size.QUICK: 200}
WARM_UP_SECONDS_MAX = 30.0
STILL_SECONDS_MAX = 20.0
"""Without a new entry for so long, what is missing is lost."""
WAIT_SECONDS = 0.02


@dataclass(slots=True)
class Watch:
    """Sees from outside when the entries of transitions are committed.

    Attributes:
        connection: to the database of the log.
        changes: the query of `System.changes`.
        committed: booking → when its entry became visible, by `time.perf_counter`.
    """

    connection: Connection
    changes: str
    committed: dict[str, float] = field(default_factory=dict[str, float])
    _last_id: int = 0

    @asynccontextmanager
    async def looking(self, pause_seconds: float) -> AsyncGenerator[None]:
        """Look again and again until the block ends."""
        task = asyncio.create_task(self._look_on(pause_seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def until(self, count: int) -> None:
        """Return when so many bookings have an entry, or no new one came for too long."""
        seen, since = 0, time.monotonic()
        while len(self.committed) < count and time.monotonic() - since < STILL_SECONDS_MAX:
            if len(self.committed) > seen:
                seen, since = len(self.committed), time.monotonic()
            await asyncio.sleep(WAIT_SECONDS)

    async def _look_on(self, pause_seconds: float) -> None:
        while True:
            await self._look()
            await asyncio.sleep(pause_seconds)

    async def _look(self) -> None:
        rows = await self.connection.fetch(self.changes, self._last_id)
        now = time.perf_counter()
        for row in rows:
            self.committed.setdefault(row["booking"], now)
        self._last_id = rows[-1]["id"] if rows else self._last_id


@dataclass(slots=True)
class Scene:
    """A system that takes deliveries; `outcomes` are all its loads so far, the warm-up too."""

    system: System
    running: Running
    stack: Stack
    infra: EmbeddedInfra
    watch: Watch
    directory: Path
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    async def run(
        self, phase: Phase, *, keys: int, connections: int, pause_seconds: float, seed: int = 0
    ) -> Outcome:
        """Send deliveries, each for a booking of its own, until each transition has its entry."""
        load = Load((phase,), keys=keys, connections=connections, seed=seed, first_key=self.sent)
        before = self.accepted

        async def recorded(accepted: int) -> None:
            await self.watch.until(before + accepted)

        secret, trees = self.stack.secrets["stripe"], self._trees()
        async with self.watch.looking(pause_seconds):
            outcome = await run_load(load, [self.running.port], secret, trees, self.directory, until=recorded)
        self.outcomes.append(outcome)
        return outcome

    @property
    def sent(self) -> int:
        """Return how many deliveries there were, and so how many bookings have one."""
        return sum(len(outcome.answers.statuses) for outcome in self.outcomes)

    @property
    def accepted(self) -> int:
        """Return how many of them were answered 2xx."""
        return sum(outcome.answers.accepted for outcome in self.outcomes)

    def cpu_microseconds(self, outcome: Outcome) -> dict[str, float]:
        """Per accepted delivery, by what the processes do."""
        spent, count = outcome.usage.cpu_seconds, max(1, outcome.answers.accepted)
        names = [*self.running.trees, "postgres", "kafka", "load"]
        return {
            name: sum(seconds for tree, seconds in spent.items() if tree.partition("/")[0] == name)
            / count
            * 1e6
            for name in names
        }

    def _trees(self) -> dict[str, int]:
        own = {f"{name}/{pid}": pid for name, pids in self.running.trees.items() for pid in pids}
        return {**own, "postgres": self.infra.postgres.pid, "kafka": self.infra.kafka.pid}

    async def violations(self) -> list[str]:
        """Return what is lost or doubled of everything that was ever sent here."""
        statuses = [status for outcome in self.outcomes for status in outcome.answers.statuses]
        found: dict[str, int] = {}

        async def complete() -> bool:
            # Entries of deliveries may come after those of the transitions that they cause.
            for service, query in self.system.counts.items():
                row = await self.stack.database(service).fetchrow(query)
                found.update(dict(row or {}))
            return not find_violations(statuses, found)

        await waiting.until(complete, seconds_max=STILL_SECONDS_MAX)
        return find_violations(statuses, found)


def find_violations(statuses: Sequence[int], found: Mapping[str, int]) -> list[str]:
    """Return the violations of what every system must keep, one line each.

    Args:
        statuses: of all deliveries, each for a booking of its own. One without an answer may be there or not.
        found: how many deliveries left each of the traces that all must leave.
    """
    accepted = sum(status in OK for status in statuses)
    possible = accepted + statuses.count(NO_ANSWER)
    return [
        f"{count} {what} after {accepted} accepted deliveries"
        for what, count in found.items()
        if not accepted <= count <= possible
    ]


@asynccontextmanager
async def scene(side: str, infra: EmbeddedInfra, size: Size, bookings: int) -> AsyncGenerator[Scene]:
    """Databases, topics and processes of one sample, after its warm-up and a checkpoint.

    Args:
        side: of the row.
        infra: both servers.
        size: of the warm-up.
        bookings: how many are pending after it.
    """
    system = SYSTEMS[side]
    async with AsyncExitStack() as stay:
        stack = await stay.enter_async_context(start_services(infra))
        ids = [booking_id(number) for number in range(WARM_UP[size] + bookings)]
        running = await system.start(stack, ids, stay)
        connection = await stay.enter_async_context(stack.database("audit").connect())
        directory = Path(stay.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-bench-")))
        made = Scene(system, running, stack, infra, Watch(connection, system.changes), directory)
        warm_up = Phase(WARM_UP_SECONDS_MAX, count=WARM_UP[size])
        await made.run(warm_up, keys=WARM_UP[size], connections=8, pause_seconds=0.05)
        await connection.execute("CHECKPOINT")
        yield made
