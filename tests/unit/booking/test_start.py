"""A rate card that cannot be used stops the start of the services that price, not their first request."""

import importlib

import pytest

from contract_tools.openapi import compose
from pricing import InvalidRateCardError


@pytest.mark.parametrize("service", ["booking", "reconciler"])
def test_wrong_rate_card_stops_the_start(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise InvalidRateCardError("default-2027-01.toml: currency: missing")

    monkeypatch.setattr(importlib.import_module(f"{service}.main"), "published_cards", refuse)
    with pytest.raises(InvalidRateCardError):
        compose(service)
