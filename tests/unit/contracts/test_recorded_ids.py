"""The form of ids, and the stored form of texts without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import digest_of, has_id_form, is_digest, recorded_id


@pytest.mark.parametrize(
    "text",
    [
        "0199a000-0000-7000-8000-000000000001",
        "00000000-0000-0000-0000-000000000000",
        "pi_3Nk1cZ2eZvKYlo2C",
        "evt_1",
        "evt_12345678",
        "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W",
        "stripe.payment_intent.succeeded",
        "shopify.orders/create",
        "/webhooks/reconciler",
        "google-oauth2|103547991597142817347",
        "auth0|5f7c8ec7c33c6c004bbafe82",
        "sms:agent-7",
        "operator-1",
        "2026-11-23T12:30:00Z",
        "42",
    ],
)
def test_id_is_recorded_as_it_is(text: str) -> None:
    assert recorded_id(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "+13125550100",
        "13125550100",
        "312-555-0100",
        "312.555.0100",
        "sms:13125550100",
        "tel:312-555-0100",
        "+1 312 555 0100 Jane Roe",
        "Jane Roe",
        "jane@example.com",
        "jane.roe@example.com",
        "Zoë",
        "evt_1\n",
        " evt_1",
        "\U0001f436",
        "\ud83d",
        "\0",
        "4111-1111-1111-1111",
        "078-05-1120",
        "",
    ],
)
def test_what_may_name_a_person_gives_way_to_its_digest(text: str) -> None:
    assert not has_id_form(text)
    assert is_digest(recorded_id(text))


@given(st.text(max_size=300))
def test_what_is_recorded_is_recorded_again_as_it_is(text: str) -> None:
    once = recorded_id(text)
    assert recorded_id(once) == once
    assert once == text or once.startswith("sha256")


def test_digest_has_the_form_of_an_id() -> None:
    assert has_id_form(digest_of("Jane Roe"))
