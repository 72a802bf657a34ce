"""The one way in which a decision says no."""

import msgspec

from contracts.reasons import RefusalReason


class Refused(msgspec.Struct, frozen=True):
    """A delivery, or a part of one, that does not pass; the reason comes from the closed list (GW-7)."""

    reason: RefusalReason
