"""Read a payload: who read it is recorded before anything of it leaves (AU-6, AU-10)."""

from datetime import datetime

from audit.adapters import event_log, event_payloads, payload_retention
from audit.adapters.event_payloads import PayloadRecord
from audit.domain.own_entries import payload_read
from audit.domain.payload_states import PayloadState, payload_state
from chassis import clock
from chassis.postgres import Database

_BIGINT_MAX = 2**63 - 1


class PayloadGoneError(Exception):
    """The payload is no longer kept. The entry is.

    Attributes:
        state: what became of the payload.
        oldest_retained: payloads are kept since then; None: since the beginning.
    """

    def __init__(self, state: PayloadState, oldest_retained: datetime | None) -> None:
        super().__init__(state)
        self.state: PayloadState = state
        self.oldest_retained = oldest_retained


async def read_payload(database: Database, entry_id: int, *, actor: str) -> PayloadRecord | None:
    """Return the payload of an entry, and append an entry that says so; None for an unknown entry.

    Nothing is recorded for a payload that is gone: nobody has read it.

    Raises:
        PayloadGoneError: the payload was erased, or has expired.
    """
    if not 0 < entry_id <= _BIGINT_MAX:
        return None
    async with database.transaction() as connection:
        payload = await event_payloads.by_entry(connection, entry_id)
        if payload is None:
            return None
        if payload.body is None:
            retained_from = await payload_retention.oldest_retained(connection)
            state = payload_state(is_kept=False, recorded_at=payload.recorded_at, retained_from=retained_from)
            raise PayloadGoneError(state, retained_from)
        entry = payload_read(clock.new_id(), actor=actor, entry_id=entry_id, booking_id=payload.booking_id)
        await event_log.append(connection, [entry])
    return payload
