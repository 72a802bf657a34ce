"""Statements of Stripe events: equal for every rendering, different for another amount (BK-10a)."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from contracts.statements import agree, pack_statement, stripe_statement, unpack_statement

BOOKING = "0198c5a0-0000-7000-8000-000000000001"
FIRST: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "api_version": "2026-09-30",
    "created": 1_790_000_000,
    "livemode": True,
    "pending_webhooks": 2,
    "request": {"id": "req_1", "idempotency_key": None},
    "type": "payment_intent.succeeded",
    "data": {
        "object": {
            "id": "pi_1",
            "object": "payment_intent",
            "amount": 13200,
            "amount_received": 13200,
            "currency": "usd",
            "latest_charge": "ch_1",
            "status": "succeeded",
            "metadata": {"booking_id": BOOKING},
        }
    },
}

Change = Callable[[dict[str, Any]], Any]
RENDERINGS: dict[str, Change] = {
    "pending_webhooks": lambda e: e.update(pending_webhooks=0),
    "request as older versions have it": lambda e: e.update(request="req_1"),
    "api_version": lambda e: e.update(api_version="2019-02-19"),
    "without request": lambda e: e.pop("request"),
    "account told as null": lambda e: e.update(account=None),
    "charges as older versions have them": lambda e: e["data"]["object"].update(
        charges={"object": "list", "data": [{"id": "ch_1", "amount": 13200}]}
    ),
    "without a member of newer versions": lambda e: e["data"]["object"].pop("amount_received"),
    "previous attributes": lambda e: e["data"].update(previous_attributes={"status": "processing"}),
    "spelling of the booking": lambda e: e["data"]["object"]["metadata"].update(
        booking_id=f" {BOOKING.upper()}\n"
    ),
}
CONTRADICTIONS: dict[str, Change] = {
    "another amount": lambda e: e["data"]["object"].update(amount_received=1),
    "another currency": lambda e: e["data"]["object"].update(currency="eur"),
    "another booking": lambda e: e["data"]["object"]["metadata"].update(booking_id=BOOKING[:-1] + "2"),
    "no booking": lambda e: e["data"]["object"]["metadata"].clear(),
    "another object": lambda e: e["data"]["object"].update(id="pi_2"),
    "another type": lambda e: e.update(type="payment_intent.canceled"),
    "another time": lambda e: e.update(created=1),
    "another mode": lambda e: e.update(livemode=False),
    "another status": lambda e: e["data"]["object"].update(status="canceled"),
}


def written(change: Change, **members: Any) -> bytes:
    event = copy.deepcopy({**FIRST, **members})
    change(event)
    return json.dumps(event, indent=2).encode()


def same(first: bytes, second: bytes) -> bool:
    one, other = stripe_statement(first), stripe_statement(second)
    assert one is not None
    assert other is not None
    return agree(one, other)


@pytest.mark.parametrize("name", RENDERINGS)
@pytest.mark.parametrize("type_", ["payment_intent.succeeded", "a.type.that.nobody.reads"])
def test_rendering_says_the_same(name: str, type_: str) -> None:
    first = written(lambda _: None, type=type_)
    assert same(first, written(RENDERINGS[name], type=type_))
    assert same(written(RENDERINGS[name], type=type_), first)


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_contradiction_does_not(name: str) -> None:
    assert not same(written(lambda _: None), written(CONTRADICTIONS[name]))


def test_account_is_compared_where_both_tell_it() -> None:
    ours, theirs = (written(lambda _: None, account=account) for account in ("acct_1", "acct_2"))
    assert not same(ours, theirs)
    assert same(ours, written(lambda _: None))


def test_status_that_was_renamed_is_the_same() -> None:
    before = written(lambda e: e["data"]["object"].update(status="requires_source"))
    assert same(before, written(lambda e: e["data"]["object"].update(status="requires_payment_method")))


def test_byte_order_mark_is_no_part_of_what_is_said() -> None:
    assert same(written(lambda _: None), b"\xef\xbb\xbf" + written(lambda _: None))


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"id": "evt_1"}', b'{"id": 1, "type": "t"}'])
def test_what_is_no_event_has_no_statement(body: bytes) -> None:
    assert stripe_statement(body) is None


def test_statement_is_kept_small_and_names_no_person() -> None:
    told = "+1 312 555 0100 Jane Roe\0\ud83d"
    body = written(
        lambda e: e["data"]["object"].update(metadata={"booking_id": told}, client_reference_id=told)
    )
    packed = pack_statement(stripe_statement(body))
    assert packed is not None
    assert packed.isascii()
    assert "Jane" not in packed
    assert len(packed) < 700
    assert unpack_statement(packed) == stripe_statement(body)
