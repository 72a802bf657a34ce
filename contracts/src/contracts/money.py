"""Money: an integer of minor units and an ISO 4217 currency. No float ever touches it."""

from dataclasses import dataclass


class CurrencyMismatchError(ValueError):
    """Two amounts of different currencies cannot be added or compared: convert or report them apart."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (cents for USD), negative where something is owed back.

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
        sign = "-" if self.amount < 0 else ""
        units, cents = divmod(abs(self.amount), 100)
        return f"{sign}{units}.{cents:02d} {self.currency}"

    def _same_currency(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatchError(f"money: {self} and {other} are of different currencies")
