"""Stripe's integers into ISO 4217 minor units, once (docs.stripe.com/currencies).

Stripe counts most currencies as ISO 4217 does; the exceptions are listed here. What leaves this module is in
minor units of ISO 4217.
"""

from collections.abc import Mapping

from contracts.currencies import MINOR_DIGITS
from contracts.money import Money

_CURRENCY_LETTERS = 3

_STRIPE_DIGITS: Mapping[str, int] = {
    # ISO 4217 has no minor unit any more; Stripe goes on sending two digits, which are 00.
    "ISK": 2,
    "UGX": 2,
    # A fifth of an ariary is no hundredth: ISO 4217 writes two digits, Stripe none.
    "MGA": 0,
}


class AmountError(ValueError):
    """Stripe's integer is no whole number of the currency's minor units."""


def currency_code(text: str) -> str | None:
    """Return a currency as ISO 4217 writes it; None for a text that is not three ASCII letters."""
    # Before the change of case, which makes ASCII letters of others, such as the long s.
    if len(text) == _CURRENCY_LETTERS and text.isascii() and text.isalpha():
        return text.upper()
    return None


def from_stripe(amount: int, currency: str) -> Money:
    """Return Stripe's integer as money in ISO minor units. An unknown currency's integer stays as it is.

    Raises:
        AmountError: half a krona.
    """
    digits = MINOR_DIGITS.get(currency, 0)
    surplus = _STRIPE_DIGITS.get(currency, digits) - digits
    if surplus <= 0:
        return Money(amount * 10**-surplus, currency)
    whole, rest = divmod(amount, 10**surplus)
    if rest:
        raise AmountError(f"{amount} is no whole number of {currency}, which has no minor unit")
    return Money(whole, currency)
