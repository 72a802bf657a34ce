"""The load generator: carries a plan out through the front doors, and writes down what it was told."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count

import httpx

from chassis import clock
from chassis.http.problems import PROBLEM_JSON
from faults.bodies import CREATED, NOBODY, Made, booking_request, delivery_body
from faults.history import History, Line, Outcome
from faults.plan import API, CHANGES, Op, Operation
from plumbline import signing as providers

WORKERS = 24
REQUEST_SECONDS_MAX = 15.0
BACK_OFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)
GIVE_UP_SECONDS = 180.0
"""A sender tries again as long as nobody promised or refused; providers do so for days."""

_FORGED_SECRET = "whsec_" + "0" * 32
_TRY_AGAIN = 503

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[httpx.Response]]
"""URL, body and headers in, the answer out; it raises what httpx does."""


@dataclass(frozen=True, slots=True)
class Signing:
    """With what a sender signs one delivery.

    Attributes:
        secrets: as a stack has them: stripe, sms_legacy, sms.
        at: what its clock says.
        label: kept with the attempt, for a row that has signed in several ways.
    """

    secrets: Mapping[str, str]
    at: datetime
    label: str = ""


class Load:
    """One run of a plan.

    Args:
        plan: what to do.
        gateway, booking: base URLs on this machine.
        secrets: as a stack has them: stripe, sms_legacy, sms.
        workers: how many operations are under way at most.

    Attributes:
        signing: how each attempt of a delivery is signed; at first with `secrets`, now.
        created: `created` of Stripe's events.
        per_second_max: how many operations may begin in a second; None: as many as the workers manage.
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
        self.signing: Callable[[Operation], Signing] = lambda _operation: Signing(secrets, clock.now())
        self.created = CREATED
        self.per_second_max: float | None = None
        self._next_at = 0.0
        self._workers = workers
        self._todo: Iterator[Operation] = iter(plan)
        # As many connections as there are operations under way: a burst is not to wait for its own sender.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=workers)
        self._http = httpx.AsyncClient(timeout=REQUEST_SECONDS_MAX, trust_env=False, limits=limits)
        self._lines: list[Line] = []
        self._made: dict[int, asyncio.Future[Made | None]] = {}
        self._ended = 0
        self._moved = asyncio.Condition()
        self._began = time.monotonic()

    @property
    def history(self) -> History:
        """Return the history so far."""
        return History(tuple(self._lines))

    @property
    def elapsed(self) -> float:
        """Seconds since the load began: the history's `t`."""
        return time.monotonic() - self._began

    @property
    def running(self) -> bool:
        """Return whether deliveries or calls are left."""
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
        async with self._http:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._workers):
                    group.create_task(self._work())
            await self.reached(1.0)  # what was taken is carried out by others, with the same client

    def take(self, deliveries: int) -> list[Operation]:
        """The next operations of the plan with so many deliveries among them, or all that are left.

        Whoever takes them has them carried out, by `together`.
        """
        taken: list[Operation] = []
        while deliveries > 0 and (operation := next(self._todo, None)) is not None:
            taken.append(operation)
            deliveries -= operation.op not in API
        return taken

    async def together(self, operations: Sequence[Operation], post: Post) -> None:
        """Carry these out all at once, the deliveries by way of `post`."""
        async with asyncio.TaskGroup() as group:
            for operation in operations:
                group.create_task(self._see_through(operation, post))

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator["Load"]:
        """The plan is carried out beside the block, which ends when both have."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.run())
            yield self

    async def _work(self) -> None:
        for operation in self._todo:
            await self._turn()
            await self._see_through(operation, self._post)

    async def _turn(self) -> None:
        """Wait until one more operation may begin."""
        if self.per_second_max is None:
            return
        at = max(self._next_at, time.monotonic())
        self._next_at = at + 1 / self.per_second_max
        await asyncio.sleep(at - time.monotonic())

    async def _see_through(self, operation: Operation, post: Post) -> None:
        await self._carry_out(operation, post)
        async with self._moved:
            self._ended += 1
            self._moved.notify_all()

    async def _carry_out(self, operation: Operation, post: Post) -> None:
        made = NOBODY
        if operation.op is not Op.CREATE and operation.booking is not None:
            found = await self._made[operation.booking]
            if found is None:
                return
            made = found
        answer = await self._insist(operation, made, post)
        if operation.op is Op.CREATE and operation.booking is not None:
            self._made[operation.booking].set_result(_made(answer))

    async def _insist(self, operation: Operation, made: Made, post: Post) -> httpx.Response | None:
        """Try until somebody promises or refuses."""
        give_up_at = time.monotonic() + GIVE_UP_SECONDS
        for attempt in count():
            outcome, answer = await self._attempt(operation, made, post)
            settled = outcome is Outcome.OK or (
                answer is not None and 400 <= answer.status_code < 500  # a refusal
            )
            if settled or time.monotonic() > give_up_at:
                return answer if outcome is Outcome.OK else None
            await asyncio.sleep(BACK_OFF_SECONDS[min(attempt, len(BACK_OFF_SECONDS) - 1)])
        raise AssertionError("unreachable")

    async def _attempt(
        self, operation: Operation, made: Made, post: Post
    ) -> tuple[Outcome, httpx.Response | None]:
        began, answer, outcome = self.elapsed, None, Outcome.INFO
        signing = self.signing(operation)
        try:
            answer = await self._send(operation, made, signing, post)
            outcome = _outcome(answer.status_code)
        except httpx.ConnectError:
            outcome = Outcome.FAIL  # nothing was sent
        except httpx.TransportError:
            outcome = Outcome.INFO
        finally:  # also of a load that was called off
            self._lines.append(
                Line(
                    t=self.elapsed,
                    began=began,
                    op=operation.op,
                    id=operation.id,
                    key=operation.key,
                    outcome=outcome,
                    status=None if answer is None else answer.status_code,
                    reason=_reason(answer),
                    signed=signing.label,
                )
            )
        return outcome, answer

    async def _send(self, operation: Operation, made: Made, signing: Signing, post: Post) -> httpx.Response:
        if operation.op is Op.CREATE:
            return await self._http.post(
                f"{self._booking}/api/bookings",
                json=booking_request(operation.booking or 0),
                headers={"Idempotency-Key": operation.id},
            )
        if operation.op in API:
            return await self._change(operation, made)
        body = delivery_body(operation, made, created=self.created)
        source, headers = _signed(operation, body, signing)
        url = f"{self._gateway}/webhooks/{source}"
        return await post(url, body, {"content-type": "application/json", **headers})

    async def _change(self, operation: Operation, made: Made) -> httpx.Response:
        """Read the booking, and change exactly what was read."""
        url = f"{self._booking}/api/bookings/{made.id}"
        seen = await self._http.get(url)
        if not seen.is_success:
            return seen
        wish = {"status": CHANGES[operation.op], "reason": operation.id}
        return await self._http.patch(url, json=wish, headers={"If-Match": seen.headers["etag"]})

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        return await self._http.post(url, content=body, headers=headers)


def _signed(operation: Operation, body: bytes, signing: Signing) -> tuple[str, providers.Headers]:
    """Which source's URL a delivery goes to, and the headers that vouch for it."""
    secrets, at = signing.secrets, signing.at
    match operation.op:
        case Op.SMS_LEGACY:
            return "sms", providers.sign_sms_legacy(body, secrets["sms_legacy"], at)
        case Op.SMS:
            return "sms", providers.sign_quo(body, secrets["sms"], at, operation.id)
        case Op.FORGED:
            return "stripe", providers.sign_stripe(body, _FORGED_SECRET, at)
        case _:
            return "stripe", providers.sign_stripe(body, secrets["stripe"], at)


def _outcome(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.OK
    return Outcome.FAIL if status < 500 or status == _TRY_AGAIN else Outcome.INFO


def _reason(answer: httpx.Response | None) -> str | None:
    """Why, where the answer is a refusal that says so (RFC 9457 with our `reason`)."""
    if answer is None or answer.headers.get("content-type") != PROBLEM_JSON:
        return None
    return answer.json().get("reason")


def _made(answer: httpx.Response | None) -> Made | None:
    if answer is None:
        return None
    body = answer.json()
    return Made(body["id"], body["total"]["amount"], body["total"]["currency"])
