"""Money is read and shown with ISO 4217's own number of digits (BK-7a)."""

import pytest
from iso4217 import Currency

from contracts.currencies import MINOR_DIGITS
from contracts.money import Money, minor_units


def test_digits_are_those_of_the_published_list() -> None:
    published = {code.code: code.exponent for code in Currency if code.exponent is not None}
    assert {code: MINOR_DIGITS.get(code) for code in published} == published
    assert not MINOR_DIGITS.keys() & {code.code for code in Currency if code.exponent is None}


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (13200, "USD", "132.00 USD"),
        (-5, "USD", "-0.05 USD"),
        (0, "EUR", "0.00 EUR"),
        (3200, "JPY", "3200 JPY"),
        (-1, "JPY", "-1 JPY"),
        (32000, "KWD", "32.000 KWD"),
        (7, "BHD", "0.007 BHD"),
        (12345, "CLF", "1.2345 CLF"),
        (100, "HRK", "1.00 HRK"),
        (500, "QQQ", "500 minor units of QQQ"),
    ],
)
def test_amount_is_shown_with_its_currencys_digits(amount: int, currency: str, text: str) -> None:
    assert str(Money(amount, currency)) == text


@pytest.mark.parametrize(
    ("hundredths", "currency", "expected"),
    [(2, "USD", 2), (2, "KWD", 20), (2, "JPY", 1), (1000, "JPY", 10), (1000, "KWD", 10_000), (150, "JPY", 2)],
)
def test_limit_is_one_of_units_and_not_of_minor_units(hundredths: int, currency: str, expected: int) -> None:
    assert minor_units(hundredths, currency) == expected
