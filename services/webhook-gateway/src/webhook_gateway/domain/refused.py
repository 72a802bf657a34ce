"""The one way in which a decision says no."""

from dataclasses import dataclass

from contracts.reasons import RefusalReason


@dataclass(frozen=True, slots=True)
class Refused:
    """A delivery, or a part of one, that does not pass; the reason comes from the closed list (GW-7)."""

    reason: RefusalReason
