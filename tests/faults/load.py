"""The load generator: carries a plan out through the front doors, and writes down what it was told."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count

import httpx

from chassis import clock
from faults.bodies import NOBODY, Made, booking_request, delivery_body
from faults.history import History, Line, Outcome
from faults.plan import API, CHANGES, Op, Operation
from plumbline import signing

WORKERS = 24
REQUEST_SECONDS_MAX = 15.0
BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
GIVE_UP_SECONDS = 180.0
"""A sender tries again as long as nobody promised or refused; providers do so for days."""

_FORGED_SECRET = "whsec_" + "0" * 32
_TRY_AGAIN = 503


class Load:
    """One run of a plan.

    Args:
        plan: what to do.
        gateway, booking: base URLs on this machine.
        secrets: as a stack has them: stripe, sms_legacy, sms.
        workers: how many operations are under way at most.
    """

    def __init__(
        self,
        plan: Sequence[Operation],
        *,
        gateway: str,
        booking: str,
        secrets: Mapping[str, str],
        workers: int = WORKERS,
    ) -> None:
        self._plan = plan
        self._gateway = gateway
        self._booking = booking
        self._secrets = secrets
        self._workers = workers
        self._lines: list[Line] = []
        self._made: dict[int, asyncio.Future[Made | None]] = {}
        self._ended = 0
        self._moved = asyncio.Condition()
        self._began = time.monotonic()

    @property
    def history(self) -> History:
        """So far."""
        return History(tuple(self._lines))

    @property
    def elapsed(self) -> float:
        """Seconds since the load began: the history's `t`."""
        return time.monotonic() - self._began

    @property
    def running(self) -> bool:
        """Whether there is something left to do."""
        return self._ended < len(self._plan)

    async def reached(self, share: float) -> None:
        """Wait until that share of the plan is done."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._ended >= share * len(self._plan))

    async def run(self) -> None:
        """Carry all of it out."""
        self._began = time.monotonic()
        loop = asyncio.get_running_loop()
        self._made = {
            each.booking: loop.create_future()
            for each in self._plan
            if each.op is Op.CREATE and each.booking is not None
        }
        todo = iter(self._plan)
        limits = httpx.Limits(max_connections=self._workers, max_keepalive_connections=self._workers)
        async with (
            httpx.AsyncClient(timeout=REQUEST_SECONDS_MAX, trust_env=False, limits=limits) as http,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(self._workers):
                group.create_task(self._work(http, todo))

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator["Load"]:
        """The plan is carried out beside the block, which ends when both have."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run())
            yield self

    async def _work(self, http: httpx.AsyncClient, todo: Iterator[Operation]) -> None:
        for operation in todo:
            await self._carry_out(http, operation)
            async with self._moved:
                self._ended += 1
                self._moved.notify_all()

    async def _carry_out(self, http: httpx.AsyncClient, operation: Operation) -> None:
        made = NOBODY
        if operation.op is not Op.CREATE and operation.booking is not None:
            found = await self._made[operation.booking]
            if found is None:
                return
            made = found
        answer = await self._insist(http, operation, made)
        if operation.op is Op.CREATE and operation.booking is not None:
            self._made[operation.booking].set_result(_made(answer))

    async def _insist(
        self, http: httpx.AsyncClient, operation: Operation, made: Made
    ) -> httpx.Response | None:
        """Try until somebody promises or refuses."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        for attempt in count():
            outcome, answer = await self._attempt(http, operation, made)
            settled = outcome is Outcome.OK or (
                answer is not None and 400 <= answer.status_code < 500  # a refusal
            )
            if settled or time.monotonic() > give_up_at:
                return answer if outcome is Outcome.OK else None
            await asyncio.sleep(BACK_OFF_SECONDS[min(attempt, len(BACK_OFF_SECONDS) - 1)])
        raise AssertionError("unreachable")

    async def _attempt(
        self, http: httpx.AsyncClient, operation: Operation, made: Made
    ) -> tuple[Outcome, httpx.Response | None]:
        began, answer, outcome = self.elapsed, None, Outcome.INFO
        try:
            answer = await self._send(http, operation, made)
            outcome = _outcome(answer.status_code)
        except httpx.ConnectError:
            outcome = Outcome.FAIL  # nothing was sent
        except httpx.TransportError:
            outcome = Outcome.INFO
        finally:  # also of a load that was called off
            status = None if answer is None else answer.status_code
            self._lines.append(
                Line(self.elapsed, began, operation.op, operation.id, operation.key, outcome, status)
            )
        return outcome, answer

    async def _send(self, http: httpx.AsyncClient, operation: Operation, made: Made) -> httpx.Response:
        if operation.op is Op.CREATE:
            return await http.post(
                f"{self._booking}/api/bookings",
                json=booking_request(operation.booking or 0),
                headers={"Idempotency-Key": operation.id},
            )
        if operation.op in API:
            return await self._change(http, operation, made)
        return await self._deliver(http, operation, delivery_body(operation, made))

    async def _change(self, http: httpx.AsyncClient, operation: Operation, made: Made) -> httpx.Response:
        """Read the booking, and change exactly what was read."""
        url = f"{self._booking}/api/bookings/{made.id}"
        seen = await http.get(url)
        if not seen.is_success:
            return seen
        wish = {"status": CHANGES[operation.op], "reason": operation.id}
        return await http.patch(url, json=wish, headers={"If-Match": seen.headers["etag"]})

    async def _deliver(self, http: httpx.AsyncClient, operation: Operation, body: bytes) -> httpx.Response:
        now, secrets = clock.now(), self._secrets
        match operation.op:
            case Op.SMS_LEGACY:
                source, headers = "sms", signing.sign_sms_legacy(body, secrets["sms_legacy"], now)
            case Op.SMS:
                source, headers = "sms", signing.sign_quo(body, secrets["sms"], now, operation.id)
            case Op.FORGED:
                source, headers = "stripe", signing.sign_stripe(body, _FORGED_SECRET, now)
            case _:
                source, headers = "stripe", signing.sign_stripe(body, secrets["stripe"], now)
        return await http.post(
            f"{self._gateway}/webhooks/{source}",
            content=body,
            headers={"content-type": "application/json", **headers},
        )


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.OK
    return Outcome.FAIL if status < 500 or status == _TRY_AGAIN else Outcome.INFO


def _made(answer: httpx.Response | None) -> Made | None:
    if answer is None:
        return None
    body = answer.json()
    return Made(body["id"], body["total"]["amount"], body["total"]["currency"])
