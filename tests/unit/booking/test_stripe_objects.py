"""Readers of Stripe's objects against frozen examples of several API versions (BK-7).

The examples are written after docs.stripe.com/api. Each file has an event and the facts that it tells of.
"""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest

from booking.adapters.stripe_events import READERS, read_facts
from booking.adapters.stripe_values import AMOUNT_MINOR_UNITS_MAX
from booking.domain.facts import Fact, Kind, Links, State
from chassis.messaging.failures import MalformedMessageError
from contracts.money import Money
from contracts.stripe_events import StripeEvent

EXAMPLES = {
    path.stem: json.loads(path.read_text())
    for path in sorted(Path(__file__).with_name("stripe_examples").glob("*.json"))
}
ODD: tuple[Any, ...] = (
    None,
    True,
    7,
    -1,
    1.5,
    10**20,
    "",
    "x\0",
    "🐕" * 300,
    [],
    {},
    [{}],
    {"id": 7},
    {"data": 7},
)


def read(event: Mapping[str, Any]) -> tuple[Fact, ...]:
    return read_facts(f"stripe.{event['type']}", StripeEvent(event), event_id=event["id"])


def expected(event: Mapping[str, Any], stated: Mapping[str, Any]) -> Fact:
    amount, links = stated["amount"], ("intents", "charge", "invoice")
    return Fact(
        provider="stripe",
        event_id=event["id"],
        occurred_at=event["created"],
        kind=Kind(stated["kind"]),
        object_id=stated["object_id"],
        object_created_at=stated.get("object_created_at"),
        state=State(stated["state"]),
        amount=None if amount is None else Money(amount, "USD"),
        refunded=stated.get("refunded"),
        links=Links(
            intents=tuple(stated.get("intents", ())),
            charge=stated.get(links[1]),
            invoice=stated.get(links[2]),
        ),
        booking_reference=stated.get("booking_reference"),
        reason=stated.get("reason"),
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_tells_of_these_facts(name: str) -> None:
    event, facts = EXAMPLES[name]["event"], EXAMPLES[name]["facts"]
    assert read(event) == tuple(expected(event, stated) for stated in facts)


def test_each_object_has_examples_of_two_api_versions() -> None:
    versions: dict[str, set[str]] = {}
    for example in EXAMPLES.values():
        event = example["event"]
        versions.setdefault(event["data"]["object"]["object"], set()).add(event["api_version"])
    assert {name for name, known in versions.items() if len(known) < 2} == set()
    assert {f"stripe.{example['event']['type']}" for example in EXAMPLES.values()} <= READERS.keys()


def damaged(value: Any) -> Iterator[Any]:
    """Yield copies of a JSON value, in each of which one member is missing or of another type."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        for name in members:
            without = deepcopy(members)
            del without[name]
            yield without
            yield from ({**members, name: other} for other in ODD)
            yield from ({**members, name: inner} for inner in damaged(members[name]))
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        for index, item in enumerate(items):
            yield from ([*items[:index], inner, *items[index + 1 :]] for inner in damaged(item))


@pytest.mark.parametrize("name", EXAMPLES)
def test_damaged_object_is_read_or_malformed_and_no_money_is_invented(name: str) -> None:
    event, stated = EXAMPLES[name]["event"], EXAMPLES[name]["facts"]
    amounts = {fact["amount"] for fact in stated} | set(_integers(event["data"]["object"])) | {7, 0}
    for subject in damaged(event["data"]["object"]):
        try:
            facts = read({**event, "data": {"object": subject}})
        except MalformedMessageError:
            continue
        for fact in facts:
            assert fact.amount is None or fact.amount.amount in amounts
            assert fact.amount is None or 0 <= fact.amount.amount <= AMOUNT_MINOR_UNITS_MAX
            assert len(fact.object_id) <= 255
            assert all(len(identifier) <= 255 and "\0" not in identifier for identifier in fact.ids)
            assert fact.reason is None or fact.reason.isascii()


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, dict):
        for inner in cast("dict[str, Any]", value).values():
            yield from _integers(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _integers(inner)
    elif type(value) is int:
        yield value


@pytest.mark.parametrize("members", [{"created": None}, {"created": "now"}, {"data": None}, {"data": {}}])
def test_damaged_envelope_is_read_or_malformed(members: dict[str, Any]) -> None:
    event = {**EXAMPLES["payment-intent-2022-11-15"]["event"], **members}
    if "created" in members:
        [fact] = read(event)
        assert fact.occurred_at == event["data"]["object"]["created"]
    else:
        with pytest.raises(MalformedMessageError, match="expected an object"):
            read(event)
