"""What findings have in common, and what they wait for (REC-8, REC-9a)."""

from dataclasses import dataclass
from typing import Literal

Waiting = Literal["first_charge", "refund", "money"]
"""What a finding waits for: it may pass by itself, so nobody needs to act yet (REC-8).

first_charge: the time for a first charge has not passed. refund: a refund is on its way, or has its grace
time. money: a payment is not settled, or has changed within minutes.
"""


@dataclass(frozen=True, slots=True)
class Cause:
    """What findings of one root cause share, besides type, class and sign of the difference (REC-9a).

    Attributes:
        line: code of the line with the largest difference.
        rate_card, engine: versions that the snapshot names.
    """

    line: str | None = None
    rate_card: str | None = None
    engine: str | None = None


NO_CAUSE = Cause()
