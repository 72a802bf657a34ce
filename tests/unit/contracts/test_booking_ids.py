"""A booking id is one id to gateway, booking and audit, however a provider's object spells it (GW-12a)."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audit.domain.events import Event
from audit.domain.facts import facts_of
from booking.adapters.stripe_events import read_facts
from booking.domain.booking import parse_booking_id
from contracts.ids import booking_id_of, booking_reference
from contracts.stripe_events import StripeEvent
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
from webhook_gateway.domain.source import STRIPE_IDENTITY
from webhook_gateway.domain.strict_json import Document

ID = "0198c5a0-0000-7000-8000-00000000000a"
BLANKS = [
    "",
    " ",
    "\n",
    "\r\n",
    "\t",
    "\u00a0",
    "\u2003",
    "\u2028",
    "\u3000",
    "\u200b",
    "\ufeff",
    " \u200b\n\ufeff",
]

texts = (
    st.text(max_size=300)
    | st.builds(
        "{}{}{}".format, st.sampled_from(BLANKS), st.sampled_from([ID, ID.upper()]), st.sampled_from(BLANKS)
    )
    | st.builds("{}{}{}".format, st.text(max_size=3), st.just(ID), st.text(max_size=3))
)
metadata = st.dictionaries(st.sampled_from(["booking_id", "bookingId"]), texts | st.none() | st.integers())


def at_the_gateway(body: dict[str, Any]) -> EventIdentity:
    found = identify(Document(body), b"x", STRIPE_IDENTITY, "stripe", SignedFacts())
    assert isinstance(found, EventIdentity)
    return found


def in_booking(body: dict[str, Any]) -> str | None:
    """The id of the booking that the payment is applied to."""
    [fact] = read_facts("stripe.payment_intent.succeeded", StripeEvent(body), event_id="evt_1")
    reference = fact.booking_reference
    return None if reference is None else parse_booking_id(reference)


def in_audit(subject: str | None) -> str | None:
    event = Event("evt_1", "/webhooks/stripe", "stripe.x", None, subject, None, None, None, "verified", b"")
    return facts_of(event).booking_id


@given(metadata)
@example({"booking_id": f"{ID}\n"})
@example({"booking_id": "no id", "bookingId": ID})
def test_gateway_booking_and_audit_read_the_same_booking(members: dict[str, Any]) -> None:
    intent = {"id": "pi_1", "amount": 1, "currency": "usd", "metadata": members}
    body = {"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": intent}}
    identity = at_the_gateway(body)
    effect = in_booking(body)
    assert in_audit(identity.booking_id or identity.object_id) == effect
    if effect is not None:
        assert (identity.booking_id, identity.key) == (effect, effect)


@pytest.mark.parametrize("before", BLANKS)
@pytest.mark.parametrize("after", BLANKS)
def test_blanks_around_an_id_and_its_case_are_no_part_of_it(before: str, after: str) -> None:
    assert booking_id_of(f"{before}{ID.upper()}{after}") == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ID[:-1],
        f"{ID}a",
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        ID.replace("-", ""),
        ID.replace("0", "\u0660"),
    ],
)
def test_what_is_not_in_canonical_form_is_no_booking_id(text: str) -> None:
    assert booking_id_of(text) is None


@pytest.mark.parametrize(
    ("values", "reference"),
    [
        ([f" {ID.upper()}"], ID),
        ([None, 17, ID], ID),
        (["B-17", ID], ID),
        ([" B-17\n", "other"], "B-17"),
        ([" ", "\ufeff"], None),
        ([], None),
    ],
)
def test_first_booking_id_is_named_else_the_first_text(values: list[object], reference: str | None) -> None:
    assert booking_reference(values) == reference
