"""More at once than a gateway takes: F21."""

import asyncio
import resource
from statistics import median

from faults.gate import Gate
from faults.history import Line, Outcome
from faults.load import Load
from faults.memory import check_memory
from faults.plan import API, SHORT
from faults.scene import Scene, stretched
from harness import eventually

TIMES = 20
ORDINARY_SENDERS = 60
ORDINARY_SENDERS_SHORT = 3
IN_FLIGHT_MAX = 1_000
"""As the gateway comes."""

IN_FLIGHT_SHORT_MAX = 30
STANDING_SECONDS_MAX = 10.0
"""Until all have sent the heads of their requests."""

BODY_SECONDS_MAX = 300
"""The gateway waits so long for a body: how long they are held back hangs on this machine."""

BEGIN_SHARE = 0.85
"""All bookings are made by then: the burst is the gateway's alone."""

RECOVERED_SECONDS_MAX = 60.0
OPEN_FILES = 8_192
"""As many as all these connections need, on either side; some shells allow only 1,024."""


async def at_gateway(scene: Scene) -> None:
    """F21: twenty times as many senders as ever, all at the same moment."""
    short = scene.size == SHORT
    senders = ORDINARY_SENDERS_SHORT if short else ORDINARY_SENDERS
    bound = IN_FLIGHT_SHORT_MAX if short else IN_FLIGHT_MAX
    _allow_open_files()
    limits = {"GATEWAY_IN_FLIGHT_MAX": str(bound), "GATEWAY_BODY_SECONDS_MAX": str(BODY_SECONDS_MAX)}
    await scene.stack.start("webhook-gateway", limits)
    async with scene.load(workers=senders) as load:
        await load.reached(BEGIN_SHARE)
        began = load.elapsed
        await _burst(scene, load, senders * TIMES, bound)
        recovered = load.elapsed
    await scene.settled()
    check_memory(scene)
    _check(scene, began, recovered)


async def _burst(scene: Scene, load: Load, senders: int, bound: int) -> None:
    """It is over when everybody has a promise, which is to be in bounded time."""
    gate, operations = Gate(), load.take(senders)
    deliveries = sum(operation.op not in API for operation in operations)
    assert deliveries > bound, f"only {deliveries} deliveries were left: no burst"
    together = asyncio.create_task(load.together(operations, gate.post))
    try:
        seconds = stretched(STANDING_SECONDS_MAX)
        await eventually(lambda: gate.standing >= deliveries, seconds=seconds, what="all to stand there")
        await eventually(
            lambda: gate.turned_away >= deliveries - bound, seconds=seconds, what="back-pressure"
        )
        opened = load.elapsed
        gate.open()
        await eventually(together.done, seconds=stretched(RECOVERED_SECONDS_MAX), what="a promise to all")
        scene.notes["all promised after, seconds"] = round(load.elapsed - opened, 1)
    finally:
        scene.notes |= {"stood at the gate": gate.standing, "turned away": gate.turned_away}
        together.cancel()
        await asyncio.wait({together})
    await together


def _check(scene: Scene, began: float, recovered: float) -> None:
    """Only told to come again, and only while it lasted; what it was like before and after."""
    lines = scene.history.genuine
    refused = {f"{line.status} {line.reason}" for line in scene.history.refused}
    late = [line for line in lines if line.began > recovered and line.outcome is not Outcome.OK]
    scene.notes |= {
        "answered 503": sum(line.status == 503 for line in lines),
        "median before, ms": _median_ms([line for line in lines if line.t < began]),
        "median afterwards, ms": _median_ms([line for line in lines if line.began > recovered]),
    }
    assert not refused, f"valid deliveries refused: {sorted(refused)}"
    assert not late, f"{len(late)} deliveries were not accepted after the burst, as {late[0]}"


def _allow_open_files() -> None:
    """Here, and so in the processes that are started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < OPEN_FILES:
        wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _median_ms(lines: list[Line]) -> int | None:
    times = [line.t - line.began for line in lines if line.outcome is Outcome.OK]
    return round(median(times) * 1000) if times else None
