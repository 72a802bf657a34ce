"""The lines of the README that make a Checkout session name the booking, as Stripe and booking read them."""

import re
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import stripe

from booking.adapters.stripe_objects import read_intent, read_session
from contracts.ids import BookingId

PAGE = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
BOOKING_ID = BookingId("0192f0c1-2d3e-7a4b-8c5d-6e7f80910213")


class Recorder(stripe.HTTPClient):
    """Answers each call with a session and keeps what was asked for."""

    name = "recorder"

    def __init__(self) -> None:
        super().__init__()
        self.form: dict[str, list[str]] = {}

    def request(
        self, method: str, url: str, headers: Any, post_data: Any = None, **_options: Any
    ) -> tuple[str, int, dict[str, str]]:
        del method, url, headers
        self.form = parse_qs(post_data)
        return '{"id": "cs_1", "object": "checkout.session", "url": "https://checkout.example.com"}', 200, {}

    def close(self) -> None:
        pass


def test_session_of_the_readme_names_its_booking_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    (lines,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    recorder = Recorder()
    monkeypatch.setattr(stripe, "StripeClient", partial(stripe.StripeClient, http_client=recorder))
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_page")
    monkeypatch.setenv("BOOKING_ID", BOOKING_ID)
    exec(lines, {})
    (reference,) = recorder.form["client_reference_id"]
    (booking_id,) = recorder.form["payment_intent_data[metadata][booking_id]"]
    money = {"amount": 2000, "amount_received": 2000, "amount_total": 2000, "currency": "usd"}
    session = {"id": "cs_1", "payment_status": "paid", **money, "client_reference_id": reference}
    intent = {"id": "pi_1", "status": "succeeded", **money, "metadata": {"booking_id": booking_id}}
    (of_session,) = read_session(session, "checkout.session.completed", "evt_1", 1)
    (of_intent,) = read_intent(intent, "payment_intent.succeeded", "evt_2", 1)
    assert (of_session.booking_reference, of_intent.booking_reference) == (BOOKING_ID, BOOKING_ID)
