"""The flag table of GW-8, cell by cell, over HTTP and down to what stands on the topics."""

import hashlib
import json
from collections.abc import AsyncGenerator
from datetime import timedelta

import httpx
import pytest

from chassis import clock
from harness import Infra, Record, Running, Stack, start_services

ENDED = ";until=2020-01-01T00:00:00Z"
"""After a secret: it counts no more, which is the same to a delivery as having none."""

FORGED = {"stripe": "whsec_" + "0" * 32, "sms_legacy": "A" * 44, "quo": "whsec_" + "A" * 44}
CASES = ("missing", "wrong", "stale", "from the future")


def event(kind: str) -> bytes:
    """A body that no other test sends."""
    unique = clock.new_id()
    part = {"stripe": "object", "sms_legacy": "object", "quo": "resource"}[kind]
    return json.dumps({"id": f"evt_{unique}", "type": "some.event", "data": {part: {"id": unique}}}).encode()


class Door:
    """A stack with one gateway that has its secrets, and one whose secrets have ended."""

    def __init__(self, stack: Stack, keyless: Running) -> None:
        self.stack = stack
        self.keyless = keyless

    async def deliver(self, kind: str, case: str, body: bytes) -> httpx.Response:
        options = {
            "good": {},
            "missing": {
                "headers": {"stripe-signature": None, "openphone-signature": None, "webhook-signature": None}
            },
            "wrong": {"secret": FORGED[kind]},
            "stale": {"at": clock.now() - timedelta(seconds=310)},
            "from the future": {"at": clock.now() + timedelta(seconds=310)},
            "our secret not configured": {"gateway": self.keyless.url},
        }[case]
        return await getattr(self.stack.deliver, kind)(body, **options)

    async def accepted(self, kind: str, body: bytes) -> Record:
        """The record of a delivery that was answered 200: it is there already, exactly once."""
        topic = self.stack.topic("webhooks.stripe.v1" if kind == "stripe" else "webhooks.sms.v1")
        (record,) = [record for record in await topic.records() if record.value == body]
        return record

    async def refusal(self, body: bytes) -> dict[str, object]:
        """Return the record of a refused delivery."""
        digest = hashlib.sha256(body).hexdigest()
        topic = self.stack.topic("webhooks.rejected.v1")
        records = await topic.read_until(lambda found: digest in str([record.value for record in found]))
        (payload,) = [
            value for record in records if (value := json.loads(record.value))["body_sha256"] == digest
        ]
        (record,) = [record for record in records if json.loads(record.value) == payload]
        assert record.header("ce_type") == "webhook.validation.failed"
        assert record.header("ce_source") == "webhook-gateway"
        assert record.key == str(payload["source"]).encode()
        return payload


async def _open(infra: Infra, flag: str) -> AsyncGenerator[Door]:
    env = {
        "ENABLE_WEBHOOK_VALIDATION": flag,
        "GATEWAY_REFUSALS_PER_MINUTE_MAX": "1000",
        "GATEWAY_REFUSALS_ALL_PER_MINUTE_MAX": "1000",
    }
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        given = stack.environment()
        names = ("STRIPE_WEBHOOK_SECRET", "OPENPHONE_WEBHOOK_SECRET", "QUO_WEBHOOK_SECRET")
        keyless = await stack.start("webhook-gateway", env={name: given[name] + ENDED for name in names})
        yield Door(stack, keyless)


@pytest.fixture(scope="module")
async def flag_on(infra: Infra) -> AsyncGenerator[Door]:
    async for door in _open(infra, "true"):
        yield door


@pytest.fixture(scope="module")
async def flag_off(infra: Infra) -> AsyncGenerator[Door]:
    async for door in _open(infra, "false"):
        yield door


each_kind = pytest.mark.parametrize("kind", ["stripe", "sms_legacy", "quo"])
each_sms = pytest.mark.parametrize("kind", ["sms_legacy", "quo"])
REASONS = {
    "missing": "signature_missing",
    "wrong": "signature_mismatch",
    "stale": "timestamp_outside_window",
    "from the future": "timestamp_outside_window",
    "our secret not configured": "secret_not_configured",
}


@each_kind
@pytest.mark.parametrize("flag", ["on", "off"])
async def test_good_delivery_answers_200_and_is_stored_verified(
    kind: str, flag: str, flag_on: Door, flag_off: Door
) -> None:
    opened = flag_on if flag == "on" else flag_off
    body = event(kind)
    response = await opened.deliver(kind, "good", body)
    assert (response.status_code, response.json()) == (200, {"received": True})
    assert (await opened.accepted(kind, body)).header("plumbline-verification") == "verified"


@each_kind
@pytest.mark.parametrize(
    ("case", "status"), [*((case, 401) for case in CASES), ("our secret not configured", 500)]
)
async def test_refused_with_the_flag_on_is_answered_and_on_record(
    flag_on: Door, kind: str, case: str, status: int
) -> None:
    body = event(kind)
    response = await flag_on.deliver(kind, case, body)
    assert (response.status_code, response.json()["reason"]) == (status, REASONS[case])
    refusal = await flag_on.refusal(body)
    assert refusal["reason"] == REASONS[case]
    assert refusal["source"] == ("stripe" if kind == "stripe" else "sms")
    assert refusal["body_bytes"] == len(body)


@each_sms
@pytest.mark.parametrize("case", [*CASES, "our secret not configured"])
async def test_sms_that_cannot_be_verified_with_the_flag_off_is_stored_unverified(
    flag_off: Door, kind: str, case: str
) -> None:
    body = event(kind)
    response = await flag_off.deliver(kind, case, body)
    assert (response.status_code, response.json()) == (200, {"received": True})
    assert (await flag_off.accepted(kind, body)).header("plumbline-verification") == "unverified"


@pytest.mark.parametrize(
    ("case", "status"), [*((case, 400) for case in CASES), ("our secret not configured", 500)]
)
async def test_stripe_that_cannot_be_verified_with_the_flag_off_is_still_refused(
    flag_off: Door, case: str, status: int
) -> None:
    response = await flag_off.deliver("stripe", case, event("stripe"))
    assert (response.status_code, response.json()["reason"]) == (status, REASONS[case])


async def test_nothing_refused_is_stored_and_with_the_flag_off_nothing_is_on_record(infra: Infra) -> None:
    async for door in _open(infra, "false"):
        for case in (*CASES, "our secret not configured"):
            assert (await door.deliver("stripe", case, event("stripe"))).status_code >= 400
        assert (await door.stack.deliver.sms_legacy(b"not json")).status_code == 400
        for gateway in door.stack.services("webhook-gateway"):
            await gateway.stop()  # which publishes whatever it still holds
        assert await door.stack.topic("webhooks.rejected.v1").records() == []
        assert await door.stack.topic("webhooks.stripe.v1").records() == []
        assert await door.stack.topic("webhooks.sms.v1").records() == []
