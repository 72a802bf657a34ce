"""Rules of a run, from the settings."""

from dataclasses import dataclass, replace
from datetime import timedelta

from contracts.money import minor_units


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for differences and for the time of payments.

    Attributes:
        drift_min: hundredths of the currency's unit; smaller differences do not count (REC-4).
        grace: time from confirmation to the first charge (REC-5), and from cancellation to the refund.
    """

    drift_min: int
    grace: timedelta

    def in_minor_units(self, currency: str) -> "Rules":
        """Return the rules with `drift_min` in minor units of a currency."""
        drift_min = minor_units(self.drift_min, currency)
        return self if drift_min == self.drift_min else replace(self, drift_min=drift_min)
