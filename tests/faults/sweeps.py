"""Stripe's lists break while deliveries come: F36."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx

from chassis import clock
from faults.load import Load
from faults.plan import SHORT, Op
from faults.scene import Scene
from harness import Stack, eventually
from harness.stack import http_client
from harness.stripe_api import API_KEY, Failure, StripeApi, stripe_api

EVENTS = "/v1/events"
LISTS = (EVENTS, "/v1/payment_intents", "/v1/charges", "/v1/refunds")

AGE_SECONDS = 4 * 24 * 3600
"""Old enough that Stripe no longer tries to deliver it."""
LATE_SECONDS = 1.5
LATE_EVERY = 4
"""One delivery in so many comes this long after its event is in the list."""
PER_SECOND_SHORT_MAX = 40.0
SWEEP_SECONDS_MAX = 120.0

FAILURES = (
    Failure(429, {"Retry-After": "1"}),
    Failure(),
    Failure(repeats=True),
    Failure(seconds=1.0),
    Failure(500),
    Failure(repeats=True),
)


async def lists_break(scene: Scene) -> None:
    """F36: Stripe's list has each event, rendered otherwise, before its delivery, and answers badly."""
    with stripe_api() as stripe:
        stripe.lists.update({path: [] for path in LISTS})
        env = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": stripe.url}
        await scene.stack.start("reconciler", env)
        sweeps: list[dict[str, Any]] = []
        async with scene.load() as load, http_client() as http:
            if scene.size == SHORT:
                load.per_second_max = PER_SECOND_SHORT_MAX
            load.created = int(clock.now().timestamp()) - AGE_SECONDS
            _list_before_delivery(load, stripe)
            while load.running:
                stripe.failures[EVENTS] = list(FAILURES)
                sweeps.append(await _sweep(scene.stack, http))
        await scene.settled()
        stripe.failures.clear()
        async with http_client() as http:
            last = await _sweep(scene.stack, http)
    assert all(each["status"] == "completed" or each["error"] for each in sweeps), sweeps
    assert (last["status"], last["missed"]) == ("completed", 0), last
    swept = await _swept(scene.stack)
    scene.notes |= {"sweeps": len(sweeps), "events in the list": last["seen"], "swept copies": swept}
    assert swept, "no sweep came before a delivery"
    conflicts = await scene.stack.database("audit").fetchval(
        "SELECT count(*) FROM event_log WHERE event_type LIKE '%identity-conflict'"
    )
    assert conflicts == 0, f"{conflicts} identity conflicts"


def _list_before_delivery(load: Load, stripe: StripeApi) -> None:
    """Put each event that Stripe would have into its list before the delivery is sent."""
    # Nobody at Stripe has made these.
    foreign = {operation.id for operation in load._plan if operation.op in (Op.FORGED, Op.POISON)}
    send, listed = load._post, set[str]()

    async def post(url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        event: dict[str, Any] = json.loads(body)
        if url.endswith("/stripe") and event["id"] not in foreign and event["id"] not in listed:
            listed.add(event["id"])
            stripe.lists[EVENTS].append({**event, "api_version": "2019-02-11", "pending_webhooks": 1})
            if len(listed) % LATE_EVERY == 0:
                await asyncio.sleep(LATE_SECONDS)
        return await send(url, body, headers)

    load._post = post


async def _sweep(stack: Stack, http: httpx.AsyncClient) -> dict[str, Any]:
    url = f"{stack.url('reconciler')}/api/sweeps"
    asked = await http.post(url, json={"since": "2026-01-01T00:00:00Z"})
    assert asked.status_code == 202, asked.text

    async def ended() -> dict[str, Any] | None:
        sweep = (await http.get(f"{url}/{asked.json()['id']}")).json()
        return sweep if sweep["status"] in {"completed", "failed"} else None

    sweep = await eventually(ended, seconds=SWEEP_SECONDS_MAX, what="the sweep has ended")
    assert sweep is not None
    return sweep


async def _swept(stack: Stack) -> int:
    records = await stack.topic("webhooks.stripe.v1").records()
    return sum(record.header("plumbline-origin") == "sweep" for record in records)
