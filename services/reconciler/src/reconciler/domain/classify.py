"""The three-way comparison of REC-5 and the severity of REC-4, on bare numbers of minor units."""

from typing import Literal

from contracts.currencies import MINOR_DIGITS
from contracts.money import minor_units

DriftClass = Literal["engine_drift", "charge_mismatch", "snapshot_corrupt", "all_differ"]
Severity = Literal["high", "medium", "low"]

SEVERITIES: tuple[Severity, ...] = ("high", "medium", "low")
"""Most urgent first."""

# Limits of severity, in hundredths of the currency's unit: 10.00 USD, 10 JPY, 10.000 KWD.
HIGH_ABOVE_HUNDREDTHS = 1000
MEDIUM_ABOVE_HUNDREDTHS = 100


def severity_of(size: int, currency: str) -> Severity:
    """Return high above 10.00, medium above 1.00, else low; `size` in minor units, its sign does not matter.

    A currency that ISO 4217 does not know is high: the value is unknown.
    """
    if currency not in MINOR_DIGITS or abs(size) > minor_units(HIGH_ABOVE_HUNDREDTHS, currency):
        return "high"
    return "medium" if abs(size) > minor_units(MEDIUM_ABOVE_HUNDREDTHS, currency) else "low"


def drift_class(
    stored: int, recomputed: int, charged: int | None, *, coherent: bool, drift_min: int
) -> DriftClass | None:
    """Return which of the three amounts differs from the others; None if all agree.

    Two amounts agree when they are less than `drift_min` apart. If nothing was charged, there is no third
    amount, and coherence of the stored price decides: contradictory stored amounts were changed after the
    engine wrote them.

    Args:
        stored: A, of the snapshot.
        recomputed: B.
        charged: C, captured minus refunded; None if nothing was charged in this currency.
        coherent: True if all stored amounts agree with each other.
        drift_min: smallest difference in minor units that counts.
    """

    def differ(one: int, other: int) -> bool:
        return abs(one - other) >= drift_min

    price_drifted = differ(stored, recomputed)
    if charged is None:
        return None if not price_drifted else "engine_drift" if coherent else "snapshot_corrupt"
    if not price_drifted:
        return "charge_mismatch" if differ(recomputed, charged) else None
    if not differ(stored, charged):
        return "engine_drift"
    return "all_differ" if differ(recomputed, charged) else "snapshot_corrupt"
