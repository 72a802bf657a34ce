"""What became of an entry's payload (AU-6, AU-10)."""

from datetime import datetime
from typing import Literal

PayloadState = Literal["kept", "erased", "expired"]


def payload_state(*, is_kept: bool, recorded_at: datetime, retained_from: datetime | None) -> PayloadState:
    """Return what became of a payload.

    A missing payload that retention would have dropped by now has expired, also if it was erased before.

    Args:
        is_kept: the payload is there.
        recorded_at: of its entry.
        retained_from: payloads are kept since then; None: since the beginning.
    """
    if is_kept:
        return "kept"
    return "expired" if retained_from is not None and recorded_at < retained_from else "erased"
