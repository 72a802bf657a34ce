"""Runs one load in a process of its own, and meters what it cost whom."""

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.gateway_deliveries import KEYS, Deliveries
from bench.gateway_load import OK, Answers, Phase, Plan
from bench.judging import percentile
from bench.measuring import Meter, Usage
from chassis import clock

CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked of a gateway.

    Attributes:
        phases: one after the other, all by the same load process.
        keys: how many bookings the events are about.
        genuine_every: one delivery in so many is genuine; 0: none.
        connections: how many are open from the beginning.
        seed: of the arrivals.
        first_key: the number of the first of these bookings.
    """

    phases: tuple[Phase, ...]
    keys: int = KEYS
    genuine_every: int = 1
    connections: int = CONNECTIONS
    seed: int = 0
    first_key: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """A load, its answers and what it cost."""

    deliveries: Deliveries
    answers: Answers
    usage: Usage

    @property
    def answered(self) -> int:
        """How many deliveries have an answer, whichever."""
        return sum(status > 0 for status in self.answers.statuses)

    def phase(self, number: int = 0) -> "PhaseOutcome":
        """One phase of it."""
        first, last, seconds = self.answers.phases[number]
        return PhaseOutcome(self, range(first, last), seconds)


@dataclass(frozen=True, slots=True)
class PhaseOutcome:
    """One phase of a load."""

    whole: Outcome
    numbers: range
    seconds: float

    @property
    def good(self) -> int:
        """How many were answered 2xx."""
        return sum(self.whole.answers.statuses[number] in OK for number in self.numbers)

    @property
    def statuses(self) -> list[int]:
        """Return the status of each answer."""
        return [self.whole.answers.statuses[number] for number in self.numbers]

    @property
    def accepted_share(self) -> float:
        """Of the genuine ones, answered 2xx."""
        return self.good / sum(map(self.whole.deliveries.is_genuine, self.numbers))

    def seconds_until_good(self, milliseconds_max: float) -> float:
        """From its begin until everything that was due later was answered 2xx in that time."""
        answers = self.whole.answers
        begin, late = answers.scheduled[self.numbers[0]], 0.0
        for number in self.numbers:
            if answers.statuses[number] not in OK or answers.milliseconds[number] > milliseconds_max:
                late = answers.scheduled[number] - begin
        return late

    def milliseconds(self, percent: int) -> float:
        """Percentile of the latency of genuine deliveries; one that was given up counts until then."""
        deliveries, waits = self.whole.deliveries, self.whole.answers.milliseconds
        return percentile(
            [waits[number] for number in self.numbers if deliveries.is_genuine(number)], percent
        )


async def run_load(
    load: Load,
    ports: Sequence[int],
    secret: str,
    trees: Mapping[str, int],
    directory: Path,
    *,
    until: Callable[[int], Awaitable[object]] | None = None,
) -> Outcome:
    """Run it to its end.

    Args:
        load: what is sent.
        ports: of the gateway's processes.
        secret: of the source.
        trees: whose cost is metered, beside the load's own.
        directory: for the answers.
        until: returns when what follows from so many accepted deliveries is over; then the meter is read.
    """
    created = int(clock.now().timestamp())
    deliveries = Deliveries(
        secrets.token_hex(4), created, load.keys, load.genuine_every, first_key=load.first_key
    )
    path = directory / f"{deliveries.tag}.json"
    plan = Plan(tuple(ports), secret, load.connections, deliveries, load.phases, load.seed, str(path))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    program = (sys.executable, "-m", "bench.gateway_load")
    process = await asyncio.create_subprocess_exec(*program, stdin=PIPE, stdout=PIPE, env=environment)
    try:
        await _exchange(process, plan.to_json())
        meter = Meter({**trees, "load": process.pid})
        accepted = int(await _exchange(process, "go"))
        if until:
            await until(accepted)
        usage = meter.read()
        await _exchange(process, "write")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return Outcome(deliveries, Answers(**json.loads(path.read_text(encoding="utf-8"))), usage)


async def _exchange(process: Process, line: str) -> str:
    """Say something to the load process, wait until it has something to say, or ends, and return that."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{line}\n".encode())
    await process.stdin.drain()
    told = await process.stdout.readline()
    if not told and await process.wait():
        raise RuntimeError("the load process failed; its error is above")
    return told.decode().strip()
