"""The negative result of every decision."""

import msgspec

from contracts.reasons import RefusalReason


class Refused(msgspec.Struct, frozen=True):
    """A delivery or a part of one that is refused, with a reason from the closed list (GW-7)."""

    reason: RefusalReason
