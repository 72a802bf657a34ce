"""Services and rates of a card, as forms that make bookings need them."""

from datetime import UTC, datetime

from booking.api.services import services_response
from contracts.money import Money
from pricing import rate_card


def test_every_rate_of_a_card_is_shown() -> None:
    shown = services_response(rate_card("example", "2026-01"))
    assert (shown["engine_version"], shown["effective_from"]) == (2, datetime(2026, 1, 1, 6, tzinfo=UTC))
    by_name = {service["service"]: service for service in shown["items"]}
    assert {name: service["unit"] for name, service in by_name.items()} == {
        "drop-in": "visit",
        "housesitting": "night",
        "training": "hour",
        "consultation": "fixed",
    }
    assert (by_name["drop-in"]["pets_included"], by_name["training"]["long_visit"]) == (2, None)
    assert [
        (rate["kind"], rate["code"], rate["percent"], rate["amount"], rate["from_units"], rate["per"])
        for rate in shown["adjustments"]
    ] == [
        ("discount", "week", "10", None, 7, "booking"),
        ("discount", "five_visits", None, Money(750, "USD"), 5, "booking"),
        ("fee", "travel", None, Money(125, "USD"), 1, "unit"),
        ("fee", "insurance", "1.5", None, 1, "booking"),
        ("tax", "sales", "7.25", None, 1, "booking"),
    ]
