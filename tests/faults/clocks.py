"""Clocks that are wrong, and change: F24."""

import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import permutations
from pathlib import Path

from chassis import clock
from faults.history import Line, Outcome
from faults.load import WORKERS, Load, Signing
from faults.plan import SHORT, Operation
from faults.scene import Scene, fault_points
from plumbline import atomic, waiting

SERVICES = ("webhook-gateway", "booking", "audit")
WINDOW_SECONDS = 300.0
"""Of every scheme in the load (GW-5), stated anew: the row trusts no code under test."""

AHEAD_SECONDS = {0.0: 60, 280.0: 10, -280.0: 10, 600.0: 10, -600.0: 10}
"""How far senders' clocks are ahead, and how many in a hundred. No difference is near the window's edge."""

JUMPS = ((0.15, 600.0), (0.3, 0.0), (0.45, -600.0), (0.6, 0.0), (0.7, 280.0), (0.8, -280.0), (0.9, 0.0))
"""From which part of the load on the services' clocks are ahead by how much."""


WORKERS_SHORT = 8
"""What is under way during a jump may be judged either way: of a short load that shall be little."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The services' clocks are set, between two moments of the load.

    Attributes:
        ahead: by how many seconds from now on.
        begun, done: some time between these.
    """

    ahead: float
    begun: float
    done: float


async def jumping(scene: Scene) -> None:
    """F24: senders' clocks are off by up to ten minutes; those of the services jump by as much, both ways."""
    with tempfile.TemporaryDirectory(prefix="plumbline-clock-") as name:
        file = Path(name) / "ahead"
        _set(file, 0.0)
        points = fault_points(f"clock:ahead={file}", str(scene.seed))
        await waiting.gather_or_cancel(*(scene.stack.start(service, points) for service in SERVICES))
        jumps = [Jump(0.0, 0.0, 0.0)]
        async with scene.load(workers=WORKERS_SHORT if scene.size == SHORT else WORKERS) as load:
            load.signing = lambda operation: _signing(scene, operation)
            for share, ahead in JUMPS:
                await load.reached(share)
                jumps.append(_jump(file, load, ahead))
        await scene.settled()
        await waiting.gather_or_cancel(*(scene.stack.services(service)[0].stop() for service in SERVICES))
    await _check(scene, jumps)


async def _check(scene: Scene, jumps: list[Jump]) -> None:
    genuine = scene.history.genuine
    lines = [line for line in genuine if line.is_refusal or line.outcome is Outcome.OK]
    counts = _counts(lines, jumps)
    scene.notes |= {**counts, "sent during a jump": sum(len(_in_force(jumps, line)) > 1 for line in lines)}
    logged = await scene.stack.database("audit").fetch(_LOGGED)
    wrong = [
        *misjudged(lines, jumps),
        *overtaken(genuine, "the topic", {row["event_id"]: row["record_offset"] for row in logged}),
        *overtaken(genuine, "the EventLog", {row["event_id"]: row["entry_id"] for row in logged}),
    ]
    assert not wrong, "; ".join(wrong)
    assert all(counts.values()), f"clocks were not off both inside the window and outside: {counts}"


def misjudged(lines: Iterable[Line], jumps: Sequence[Jump]) -> list[str]:
    """Deliveries that were not judged by the window alone. What was sent during a jump may be either.

    Args:
        lines: of genuine deliveries that were accepted or refused.
        jumps: all there were, the first one at the beginning.
    """
    wrong: Counter[str] = Counter()
    for line in lines:
        accepted, apart = line.outcome is Outcome.OK, _seconds_apart(jumps, line)
        if accepted not in {seconds <= WINDOW_SECONDS for seconds in apart}:
            verdict = "accepted" if accepted else f"refused as {line.reason}"
            least = min(apart) if accepted else max(apart)
            wrong[f"{verdict} with clocks {least:.0f} s apart"] += 1
        elif not accepted and line.reason != "timestamp_outside_window":
            wrong[f"outside the window, and refused as {line.reason}"] += 1
    return [f"{what}: {times}" for what, times in sorted(wrong.items())]


def overtaken(lines: Sequence[Line], where: str, places: Mapping[str, int]) -> list[str]:
    """Keys of which something that was sent after another had been promised stands before it.

    Args:
        lines: all of genuine deliveries, in order of `t`.
        where: they stand.
        places: of event ids; those of one key can be compared.
    """
    began: dict[tuple[str, str], float] = {}
    promised: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for line in lines:
        began[line.key, line.id] = min(line.began, began.get((line.key, line.id), line.began))
        if line.outcome is Outcome.OK and line.id in places:
            promised[line.key].setdefault(line.id, line.t)
    keys = {
        key
        for key, times in promised.items()
        for earlier, later in permutations(times, 2)
        if times[earlier] < began[key, later] and places[earlier] > places[later]
    }
    return [f"keys out of order in {where}: {len(keys)}, as {min(keys)}"] if keys else []


def _seconds_apart(jumps: Sequence[Jump], line: Line) -> set[float]:
    return {abs(float(line.signed) - ahead) for ahead in _in_force(jumps, line)}


def _in_force(jumps: Sequence[Jump], line: Line) -> set[float]:
    """How far the services' clocks may have been ahead while an attempt was under way."""
    ends = [*(jump.done for jump in jumps[1:]), float("inf")]
    return {
        jump.ahead
        for jump, end in zip(jumps, ends, strict=True)
        if jump.begun <= line.t and line.began <= end
    }


def _counts(lines: Sequence[Line], jumps: Sequence[Jump]) -> dict[str, int]:
    accepted = [line for line in lines if line.outcome is Outcome.OK]
    return {
        "accepted, clocks apart": sum(min(_seconds_apart(jumps, line)) > 0 for line in accepted),
        "refused": len(lines) - len(accepted),
    }


def _signing(scene: Scene, operation: Operation) -> Signing:
    """Each operation has a sender of its own, whose clock stays as wrong as it is."""
    dice = random.Random(f"{scene.seed}/{operation.id}")
    ahead = dice.choices(list(AHEAD_SECONDS), weights=list(AHEAD_SECONDS.values()))[0]
    return Signing(scene.stack.secrets, clock.now() + timedelta(seconds=ahead), str(ahead))


def _jump(file: Path, load: Load, ahead: float) -> Jump:
    begun = load.elapsed
    _set(file, ahead)
    return Jump(ahead, begun, load.elapsed)


def _set(file: Path, ahead: float) -> None:
    atomic.write_text(file, str(ahead), mode=atomic.PRIVATE)


_LOGGED = "SELECT event_id, record_offset, entry_id FROM event_log WHERE topic LIKE 'webhooks.%'"
