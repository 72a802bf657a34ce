"""Sends signed deliveries, each of its own, and notes each answer: a process of its own, cheap by design.

Plain sockets and epoll, requests made beforehand, so that one gateway process is what saturates first on two
cores. A phase without a rate is a closed loop: every connection sends its next request when the last is
answered. One with a rate is open: Poisson arrivals that wait for nobody, latency from the scheduled time; an
arrival that finds no free connection waits for one, and at the end of its phase it is given up.

Standard input: a plan as one line of JSON, then a line that says go. Standard output: a line when everything
is made and connected, the number of accepted deliveries when it is over. The answers go to the file that the
plan names.
"""

import gc
import json
import random
import select
import socket
import sys
import time
from array import array
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from bench.gateway_deliveries import Deliveries

NOT_SENT = -1
"""In place of a status: given up before a connection was free."""
NO_ANSWER = 0
"""The same: the connection broke, or nobody answered in time."""
OK = range(200, 300)
SHEDDING = (429, 503)
"""Come again later."""
IDLE = -1
"""In place of a number: the connection waits for nothing."""

SETTLE_SECONDS_MAX = 6.0
"""Longer than a gateway may wait for its broker."""
CLOSED_PER_SECOND_MAX = 20_000
"""So many requests are made for each second of a closed loop; when they are all sent, it ends early."""
_RECEIVE_BYTES = 65_536
_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True)
class Phase:
    """A stretch of load.

    Attributes:
        seconds: how long requests are sent.
        rate: arrivals per second; None: closed loop.
        settles: whether all answers are waited for before the next phase begins.
        count: how many requests a closed loop sends at the most; then it ends early.
    """

    seconds: float
    rate: float | None = None
    settles: bool = True
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What one load process does.

    Attributes:
        ports: of the gateway's processes on this machine; connections take them in turn.
        secret: of the source.
        connections: how many are open from the beginning.
        deliveries: what is sent, numbered through all phases.
        phases: one after the other.
        seed: of the arrivals.
        answers: path of the file for what came of it.
    """

    ports: tuple[int, ...]
    secret: str
    connections: int
    deliveries: Deliveries
    phases: tuple[Phase, ...]
    seed: int
    answers: str

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` has written."""
        told: dict[str, Any] = json.loads(text)
        deliveries, phases = Deliveries(**told.pop("deliveries")), told.pop("phases")
        return cls(deliveries=deliveries, phases=tuple(Phase(**phase) for phase in phases), **told)


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a load; everything by delivery but for `phases`.

    Attributes:
        scheduled: seconds from the load's begin; in a closed loop, when it was sent.
        milliseconds: from then to the answer, or to when it was given up.
        statuses: of HTTP, or one of the two above.
        phases: first delivery, the one after the last that was due, and seconds until it had settled.
        sheds_without_retry_after: answers 429 or 503 that do not say when to come again.
        began: of the load, by `time.perf_counter`, which is the same in all processes of a machine.
    """

    scheduled: list[float]
    milliseconds: list[float]
    statuses: list[int]
    phases: list[tuple[int, int, float]]
    sheds_without_retry_after: int
    began: float

    @property
    def accepted(self) -> int:
        """How many were answered 2xx."""
        return sum(status in OK for status in self.statuses)


class _Line:
    """A connection, which delivery it waits for, and what has come of the answer."""

    __slots__ = ("came", "number", "port", "socket")

    def __init__(self, port: int) -> None:
        self.port = port
        self.came = b""
        self.number = IDLE
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Loader:
    """All connections and all requests of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._phases = plan.phases
        chance, secret = random.Random(plan.seed), plan.secret.encode()
        self._offsets = [_arrivals(chance, phase) for phase in plan.phases]
        count = sum(map(len, self._offsets))
        self._requests = [plan.deliveries.request(number, secret) for number in range(count)]
        self._statuses = array("h", [NOT_SENT]) * count
        self._scheduled = array("d", [0.0]) * count
        self._answered = array("d", [0.0]) * count
        self._sheds_without_retry_after = 0
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._free: deque[_Line] = deque()
        self._busy = 0
        for number in range(plan.connections):
            self._connect(plan.ports[number % len(plan.ports)])

    def run(self) -> Answers:
        """Every phase, in order; then all connections are closed."""
        whole = time.perf_counter()
        phases: list[tuple[int, int, float]] = []
        first = 0
        for phase, offsets in zip(self._phases, self._offsets, strict=True):
            began, last = time.perf_counter(), first + len(offsets)
            if phase.rate is None:
                last = self._closed(first, last, began + phase.seconds)
            else:
                self._open(first, [began + offset for offset in offsets], began + phase.seconds)
            if phase.settles:
                self._settle()
            phases.append((first, last, time.perf_counter() - began))
            first += len(offsets)
        self._settle()
        self._close()
        return Answers(
            [moment - whole for moment in self._scheduled],
            [(b - a) * 1e3 for a, b in zip(self._scheduled, self._answered, strict=True)],
            list(self._statuses),
            phases,
            self._sheds_without_retry_after,
            whole,
        )

    def _closed(self, first: int, last: int, end: float) -> int:
        """As fast as answers come; the number after the last that was sent."""
        number = first
        while time.perf_counter() < end:
            while self._free and number < last:
                self._send(number, time.perf_counter())
                number += 1
            if not self._busy:
                break  # all requests are used up
            self._receive(end)
        return number

    def _open(self, first: int, moments: list[float], end: float) -> None:
        """At these moments, or as soon after them as a connection is free."""
        due, last = 0, len(moments)
        while (now := time.perf_counter()) < end:
            due = self._send_due(first, moments, due, now)
            self._receive(min(end, moments[due]) if due < last and self._free else end)
        due = self._send_due(first, moments, due, end)
        for late in range(due, last):
            self._scheduled[first + late], self._answered[first + late] = moments[late], end

    def _send_due(self, first: int, moments: list[float], due: int, now: float) -> int:
        """Send what is due as far as connections are free. Return the number of the next delivery."""
        while due < len(moments) and moments[due] <= now and self._free:
            self._send(first + due, moments[due])
            due += 1
        return due

    def _settle(self) -> None:
        """Wait for the answers that are under way; those that do not come are given up."""
        end = time.perf_counter() + SETTLE_SECONDS_MAX
        while self._busy and time.perf_counter() < end:
            self._receive(end)
        for line in [line for line in self._lines.values() if line.number != IDLE]:
            self._broken(line)

    def _send(self, number: int, scheduled: float) -> None:
        line = self._free.popleft()
        self._busy += 1
        line.number = number
        self._scheduled[number] = scheduled
        self._statuses[number] = NO_ANSWER
        try:
            line.socket.sendall(self._requests[number])
        except OSError:
            self._broken(line)

    def _receive(self, until: float) -> None:
        """Wait for answers until then, and take those that are there.

        `select` on the poll's own descriptor, because it knows microseconds and epoll only milliseconds.
        """
        select.select([self._epoll], [], [], max(0.0, until - time.perf_counter()))
        for descriptor, _ in self._epoll.poll(0):
            line = self._lines[descriptor]
            try:
                came = line.socket.recv(_RECEIVE_BYTES)
            except OSError:
                came = b""
            if not came:
                self._broken(line)
                continue
            line.came = line.came + came if line.came else came
            head, body = _split(line.came)
            if body is not None and len(body) >= _length(head):
                self._take(line, head)

    def _take(self, line: _Line, head: bytes) -> None:
        """One whole answer."""
        status = int(head[9:12])
        self._statuses[line.number] = status
        self._answered[line.number] = time.perf_counter()
        self._sheds_without_retry_after += status in SHEDDING and b"\r\nretry-after:" not in head.lower()
        line.number, line.came = IDLE, b""
        self._busy -= 1
        self._free.append(line)

    def _broken(self, line: _Line) -> None:
        """Put a new connection in the place of one that ended."""
        if line.number == IDLE:
            self._free.remove(line)
        else:
            self._answered[line.number] = time.perf_counter()
            self._busy -= 1
        self._epoll.unregister(line.socket.fileno())
        del self._lines[line.socket.fileno()]
        line.socket.close()
        self._connect(line.port)

    def _close(self) -> None:
        for line in self._lines.values():
            line.socket.close()
        self._epoll.close()

    def _connect(self, port: int) -> None:
        line = _Line(port)
        self._lines[line.socket.fileno()] = line
        self._epoll.register(line.socket.fileno(), select.EPOLLIN)
        self._free.append(line)


def _arrivals(chance: random.Random, phase: Phase) -> list[float]:
    """Seconds from the phase's begin; of a closed loop, as many as it may need."""
    if phase.rate is None:
        return [0.0] * (phase.count or int(phase.seconds * CLOSED_PER_SECOND_MAX))
    offsets: list[float] = []
    at = chance.expovariate(phase.rate)
    while at < phase.seconds:
        offsets.append(at)
        at += chance.expovariate(phase.rate)
    return offsets


def _split(answer: bytes) -> tuple[bytes, bytes | None]:
    """Head and body; no body as long as the head is not complete."""
    head, ended, body = answer.partition(b"\r\n\r\n")
    return head, body if ended else None


def _length(head: bytes) -> int:
    """Bytes of the body; none of the sides sends one in chunks."""
    stated = head.lower().partition(_LENGTH)[2]
    return int(stated.partition(b"\r\n")[0])


def main() -> None:
    """Make, say so, wait for the word, send, say so, write."""
    plan = Plan.from_json(sys.stdin.readline())
    loader = Loader(plan)
    gc.collect()
    gc.disable()
    _say("ready")
    answers = loader.run()
    _say(f"{answers.accepted}")
    Path(plan.answers).write_text(json.dumps(asdict(answers)), encoding="utf-8")


def _say(what: str) -> None:
    """Tell whoever started this, and wait for the word."""
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()
    sys.stdin.readline()


if __name__ == "__main__":
    main()
