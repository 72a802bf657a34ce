"""One trace from the webhook to the EventLog, and nothing told holds a secret or a person (ALL-5)."""

import base64
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import httpx
import pytest

from chassis import clock
from harness import Infra, Record, Stack, eventually, start_services
from harness.collector import CollectedSpan, Collector, collecting
from integration.booking.booking_calls import STRIPE, BookingApi, request, webhook_record

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
PHONE, TEXT, MAIL, NAME = "+13125554711", "canary-text-4712", "canary4713@example.com", "Canary Fourthousand"
NOTES, TOKEN, KEY = "canary-notes-4714", "canary-token-4715", "canary-key-4716"


@pytest.fixture(scope="module")
def collector() -> Generator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="module")
async def own(infra: Infra, collector: Collector) -> AsyncGenerator[Stack]:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "LOG_LEVEL": "DEBUG",
        "ENABLE_WEBHOOK_VALIDATION": "true",
    }
    async with start_services(infra, "webhook-gateway", "booking", "audit", "reconciler", env=env) as stack:
        yield stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


def payment(booking_id: str, **members: Any) -> dict[str, Any]:
    intent = {
        "id": f"pi_{clock.new_id()}",
        "object": "payment_intent",
        "amount": 13200,
        "amount_received": 13200,
        "currency": "usd",
        "metadata": {"booking_id": booking_id},
        **members,
    }
    return {
        "id": f"evt_{clock.new_id()}",
        "type": "payment_intent.succeeded",
        "created": int(clock.now().timestamp()),
        "data": {"object": intent},
    }


async def entries(own: Stack, http: httpx.AsyncClient, **params: str) -> list[dict[str, Any]]:
    answer = await http.get(f"{own.url('audit')}/api/event-log", params=params)
    return answer.json()["items"]


def _way_in(span: CollectedSpan, spans: list[CollectedSpan]) -> list[str]:
    """The spans above one, up to the one whose parent no service of ours has."""
    by_id = {each.span_id: each for each in spans}
    above: list[str] = []
    while parent := by_id.get(span.parent_id):
        span = parent
        above.append(f"{span.service}: {span.name}")
    return [*above, span.parent_id]


WAY_IN = [
    "booking: send bookings.events.v1",
    "booking: process webhooks.stripe.v1",
    "webhook-gateway: send webhooks.stripe.v1",
    "webhook-gateway: POST /webhooks",
    CALLER,
]


async def test_webhook_and_what_it_causes_up_to_the_event_log_are_one_trace(
    own: Stack, api: BookingApi, http: httpx.AsyncClient, collector: Collector
) -> None:
    booking = await api.create()
    given = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
    assert (await own.deliver.stripe(payment(booking["id"]), headers=given)).status_code == 200
    await api.when_paid(booking["id"])

    async def recorded() -> bool:
        found = await entries(own, http, booking_id=booking["id"])
        told = {item["event_type"] for item in found if item["metadata"].get("trace_id") == TRACE}
        return told >= {"stripe.payment_intent.succeeded", "booking.status-changed"}

    await eventually(recorded, seconds=30)

    def connected() -> bool:
        spans = collector.spans(TRACE)
        ends = [s for s in spans if (s.service, s.name) == ("audit", "process bookings.events.v1")]
        assert ends
        assert all(_way_in(end, spans) == WAY_IN for end in ends)
        return True

    await eventually(connected, seconds=30)


async def test_each_message_is_one_line_and_the_consumer_is_measured(
    own: Stack, api: BookingApi, http: httpx.AsyncClient
) -> None:
    booking = await api.create()
    await own.deliver.stripe(payment(booking["id"]))
    await api.when_paid(booking["id"])
    lines = [json.loads(line) for line in own.services("booking")[0].log().splitlines()]
    handled = [line for line in lines if line["event"] == "message handled"]
    assert "applied" in {line["outcome"] for line in handled}
    places = [(line["topic"], line["partition"], line["offset"]) for line in handled]
    assert len(places) == len(set(places))
    metrics = (await http.get(f"{own.url('booking')}/metrics")).text
    for name in ("lag_messages", "oldest_unhandled_seconds", "since_sent_seconds_count"):
        assert f"booking_{name}{{" in metrics


async def test_request_to_an_api_and_the_event_it_causes_are_one_trace(
    own: Stack, api: BookingApi, collector: Collector
) -> None:
    trace_id = "5cf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-{CALLER}-01"}
    booking = (await api.call("POST", body=request(), headers=headers)).json()
    (created,) = await api.events(booking["id"], 1)
    assert (created.header("traceparent") or "").startswith(f"00-{trace_id}-")

    def both() -> set[tuple[str, str]]:
        found = {(span.service, span.name) for span in collector.spans(trace_id)}
        assert found >= {("booking", "POST /api/bookings"), ("booking", "send bookings.events.v1")}
        return found

    await eventually(both, seconds=30)


async def test_nothing_that_is_told_holds_a_secret_or_a_person(
    own: Stack, api: BookingApi, http: httpx.AsyncClient, collector: Collector
) -> None:
    await _play(own, api, http)
    await eventually(lambda: len(collector.spans()) > 20, seconds=30)
    for running in [each for name in _NAMES for each in own.services(name)]:
        metrics = (await http.get(f"{running.url}/metrics")).text
        for canary in _canaries(own):
            assert canary not in running.log(), f"{canary} in the log of {running.name}"
            assert canary not in metrics, f"{canary} in the metrics of {running.name}"
    exported = b"".join(collector.bodies)
    assert not [canary for canary in _canaries(own) if canary.encode() in exported]


_NAMES = ("webhook-gateway", "booking", "audit", "reconciler")


def _canaries(own: Stack) -> list[str]:
    digits = PHONE.removeprefix("+")
    return [PHONE, digits, TEXT, MAIL, NAME, NOTES, TOKEN, KEY, *own.secrets.values()]


async def _play(own: Stack, api: BookingApi, http: httpx.AsyncClient) -> None:
    """Every way that a canary could take: good, forged and malformed, over each door."""
    sms = {
        "id": f"EV{clock.new_id()}",
        "type": "message.received",
        "data": {"object": {"id": "AC1", "from": PHONE, "to": PHONE, "body": TEXT}},
    }
    await own.deliver.quo(sms)
    await own.deliver.sms_legacy({**sms, "id": f"EV{clock.new_id()}"})
    await own.deliver.quo(sms, secret="whsec_" + base64.b64encode(TOKEN.encode()).decode())
    await own.deliver.stripe(
        sms, headers={"stripe-signature": f"t=1,v1={TOKEN}", "authorization": f"Bearer {TOKEN}"}
    )
    await own.deliver.stripe(f'{{"phone": "{PHONE}'.encode())
    await own.deliver.stripe({"id": MAIL, "type": PHONE, "data": {"object": {"id": NAME}}})
    await own.deliver.stripe(b"{}", path=f"/webhooks/{MAIL}")
    await own.deliver.stripe(b"{}", path=f"/webhooks/stripe?phone={PHONE}")
    person = {"name": NAME, "phone": PHONE, "email": MAIL}
    booking = (await api.call("POST", body=request(client=person, notes=NOTES))).json()
    await api.call("POST", body=request(client={**person, "phone": f"x{PHONE}"}, notes=NOTES))
    await api.call("POST", body=request(service=TEXT, client=person))
    await api.call(
        "POST", body=request(notes=NOTES, visits=MAIL), headers={"authorization": f"Bearer {TOKEN}"}
    )
    await api.call("PATCH", f"/{booking['id']}", {"status": "cancelled", "reason": f"{NOTES} {PHONE}"})
    await api.call("GET", f"/{PHONE}", headers={"traceparent": PHONE, "x-person": MAIL})
    for service in _NAMES:
        await http.get(f"{own.url(service)}/{PHONE}/{MAIL}", params={"q": TEXT})
        await http.request("BREW", f"{own.url(service)}/api/{TEXT}")
    await http.get(f"{own.url('audit')}/api/event-log", params={"q": PHONE, "status": MAIL})
    await _poison(own, api)


async def _poison(own: Stack, api: BookingApi) -> None:
    quoting = payment(MAIL, amount_received=PHONE, currency=TEXT)
    await api.publish(
        webhook_record(f'{{"text": "{PHONE}"'.encode(), key=KEY),
        webhook_record(json.dumps(quoting).encode(), key=KEY),
        webhook_record(json.dumps({**quoting, "id": f"evt_{clock.new_id()}"}).encode(), key=KEY),
        Record(TEXT.encode(), KEY.encode(), [("ce_id", PHONE.encode()), ("ce_type", MAIL.encode())]),
        Record(TEXT.encode(), KEY.encode(), [("ce_id", b"\xff"), ("ce_time", PHONE.encode())]),
    )
    for name in ("reconciliation.commands.v1", "bookings.events.v1"):
        headers = [("ce_id", clock.new_id().encode()), ("ce_source", MAIL.encode())]
        kinds = ("reconciliation.run-requested", "booking.payment-anomaly", PHONE)
        await own.topic(name).publish_all(
            [
                Record(json.dumps({"run_id": PHONE, "booking_id": MAIL}).encode(), KEY.encode(),
                       [*headers, ("ce_type", kind.encode())])
                for kind in kinds
            ]
        )  # fmt: skip
    ends = await _last(own)

    async def handled() -> bool:
        return await own.database("audit").fetchval(
            "SELECT count(*) > 0 FROM event_log WHERE topic = $1 AND record_offset >= $2", STRIPE, ends
        )

    await eventually(handled, seconds=30)
    await eventually(lambda: _set_aside(own), seconds=30)


async def _last(own: Stack) -> int:
    return max(record.offset for record in await own.topic(STRIPE).records())


async def _set_aside(own: Stack) -> bool:
    return await own.database("booking").fetchval("SELECT count(*) >= 3 FROM dead_letter")
