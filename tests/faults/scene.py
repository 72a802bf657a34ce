"""What every row of the fault table has at hand: a stack of its own, a load, faults, and the check of G."""

import os
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from faults.checkers import check_all
from faults.history import History
from faults.load import WORKERS, Load
from faults.moves import MovableInfra
from faults.plan import Size, make_plan
from faults.snapshot import missing, take_snapshot
from harness import Running, Stack, eventually

SETTLE_SECONDS_MAX = 60.0
"""From the last fault to an empty outbox (G)."""

SETTLE_DELIVERIES_PER_SECOND_MIN = 40.0
"""A backlog has the time that this rate needs, on top: the last fault may come before most of the load."""

POINTS = str(Path(__file__).parent / "points")


@dataclass
class Scene:
    """One run of one row.

    Attributes:
        infra: the servers, which a row may take away.
        stack: webhook-gateway, booking and audit of this run alone.
        size, seed: of the plan.
        stay: what the row entered for as long as its stack runs.
        planted: places (`topic/partition/offset`) of records that the row wants booking to set aside.
        notes: what the row measured, for the verdict.
        history: what the load was told, once it is over.
    """

    infra: MovableInfra
    stack: Stack
    size: Size
    seed: int
    stay: AsyncExitStack
    planted: set[str] = field(default_factory=set[str])
    notes: dict[str, object] = field(default_factory=dict[str, object])
    history: History = field(default_factory=lambda: History(()))

    @asynccontextmanager
    async def load(
        self, *, booking: Running | None = None, gateway: str = "", workers: int = WORKERS
    ) -> AsyncGenerator[Load]:
        """The plan is carried out beside the block; after it all has been sent.

        `gateway` is a base URL other than the service's own.
        """
        load = Load(
            make_plan(self.seed, self.size),
            gateway=gateway or self.stack.url("webhook-gateway"),
            booking=booking.url if booking else self.stack.url("booking"),
            secrets=self.stack.secrets,
            workers=workers,
        )
        try:
            async with load.under_way():
                yield load
        finally:
            self.history = load.history

    async def booking(self, *duties: str, points: str = "", life: int = 0, ready: bool = True) -> Running:
        """One more booking process with some of its duties, and faults at some of its points."""
        return await self.stack.start(
            "booking",
            env=fault_points(points, f"{self.seed}/{life}") if points else {},
            arguments=("--only", ",".join(duties)),
            ready=ready,
        )

    async def settled(self) -> None:
        """Wait until all that was promised has arrived, in bounded time."""

        async def all_there() -> None:
            short = await missing(self.stack, self.history)
            assert not short, short

        async def is_settled() -> bool:
            await all_there()
            return True

        began = time.monotonic()
        backlog = self.size.deliveries / SETTLE_DELIVERIES_PER_SECOND_MIN
        await eventually(is_settled, seconds=SETTLE_SECONDS_MAX + backlog, what="all that was promised")
        self.notes["settled after, seconds"] = round(time.monotonic() - began, 1)

    async def violations(self) -> list[str]:
        """Return what is wrong after the settling time: whether it settled, then row G."""
        late: list[str] = []
        try:
            await self.settled()
        except AssertionError as error:
            late = [str(error)]
        held = await take_snapshot(self.stack)
        missed = self.planted - {row.place for row in held.set_aside}
        others = tuple(row for row in held.set_aside if row.place not in self.planted)
        return [
            *late,
            *([f"planted and not set aside: {sorted(missed)}"] if missed else []),
            *check_all(self.history, replace(held, set_aside=others)),
            *(await self._verify_log() if held.log.leaves else []),
        ]

    async def _verify_log(self) -> list[str]:
        """Return what audit's own command finds, also by the signatures of checkpoints kept outside."""
        done = await self.stack.run("audit", "verify", "--json")
        return [] if done.exit_code == 0 else [f"audit verify: {done.stdout}{done.stderr}".strip()]


def fault_points(points: str, seed: str) -> Mapping[str, str]:
    """The variables that give a process fault points; see points/sitecustomize.py."""
    return {"PYTHONPATH": POINTS, "FAULT_POINTS": points, "FAULT_SEED": seed}


def stretched(seconds: float) -> float:
    """A bound on time, stretched as far as this machine is overloaded now."""
    return seconds * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
