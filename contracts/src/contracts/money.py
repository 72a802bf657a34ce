"""Money: an integer of minor units and an ISO 4217 currency. No float ever touches it."""

from dataclasses import dataclass

from contracts.currencies import MINOR_DIGITS

_HUNDREDTH_DIGITS = 2


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies cannot be added or compared: convert or report them apart."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units, negative where something is owed back.

    The minor unit is ISO 4217's: a cent for USD, a yen for JPY, a fils (a thousandth) for KWD. As text: units
    with exactly the currency's digits, "132.00 USD", "3200 JPY", "32.000 KWD".

    Attributes:
        amount: minor units.
        currency: ISO 4217 code in capitals, e.g. "USD".
    """

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError(f"money: the amount must be an integer of minor units, not {self.amount!r}")

    def __add__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same_currency(other)
        return Money(self.amount - other.amount, self.currency)

    def __str__(self) -> str:
        digits = MINOR_DIGITS.get(self.currency)
        if digits is None:
            return f"{self.amount} minor units of {self.currency}"
        sign = "-" if self.amount < 0 else ""
        units, minor = divmod(abs(self.amount), 10**digits)
        return (
            f"{sign}{units}.{minor:0{digits}d} {self.currency}"
            if digits
            else f"{sign}{units} {self.currency}"
        )

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(f"money: {self} and {other} are of different currencies")


def minor_units(hundredths: int, currency: str) -> int:
    """Return a limit given in hundredths of the currency's unit in minor units, rounded up, at least 1.

    Two hundredths are 2 for USD, 20 for KWD, and 1 for JPY, which has nothing smaller than a yen. A currency
    that ISO 4217 does not know counts as one with two digits.
    """
    digits = MINOR_DIGITS.get(currency, _HUNDREDTH_DIGITS)
    return max(1, -(-hundredths * 10**digits // 10**_HUNDREDTH_DIGITS))
