"""Conversion of Stripe's integers into minor units of ISO 4217 (docs.stripe.com/currencies).

Stripe uses the digits of ISO 4217 for most currencies; the exceptions are listed here.
"""

from collections.abc import Mapping

from contracts.currencies import MINOR_DIGITS
from contracts.money import Money

_CURRENCY_LETTERS = 3

_STRIPE_DIGITS: Mapping[str, int] = {
    # ISO 4217 has no minor unit any more. Stripe still sends two digits, which are 00.
    "ISK": 2,
    "UGX": 2,
    # ISO 4217 writes two digits although the minor unit is a fifth of an ariary. Stripe sends none.
    "MGA": 0,
}


class AmountError(ValueError):
    """Stripe's integer is no whole number of the currency's minor units."""


def currency_code(text: str) -> str | None:
    """Return a currency code in upper case; None for a text that is not three ASCII letters."""
    # Checked before the change of case: upper() turns some other letters, such as the long s, into ASCII.
    if len(text) == _CURRENCY_LETTERS and text.isascii() and text.isalpha():
        return text.upper()
    return None


def from_stripe(amount: int, currency: str) -> Money:
    """Return Stripe's integer as money in ISO minor units; an unknown currency's integer is unchanged.

    Raises:
        AmountError: the amount is a fraction of the currency's smallest unit, such as half a krona.
    """
    digits = MINOR_DIGITS.get(currency, 0)
    surplus = _STRIPE_DIGITS.get(currency, digits) - digits
    if surplus <= 0:
        return Money(amount * 10**-surplus, currency)
    whole, rest = divmod(amount, 10**surplus)
    if rest:
        raise AmountError(f"{amount} is no whole number of {currency}, which has no minor unit")
    return Money(whole, currency)
