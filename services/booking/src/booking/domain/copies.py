"""Copies of a fact under other event ids: nothing is derived for those that change no payment (BK-7)."""

from booking.domain.facts import Fact, Kind, State
from contracts.ids import booking_id_of

# Kinds that have one last state, with it.
_LAST_STATES = frozenset(
    {
        (Kind.INTENT, State.SUCCEEDED),
        (Kind.SESSION, State.SUCCEEDED),
        (Kind.CHARGE, State.SUCCEEDED),
        (Kind.INVOICE_PAYMENT, State.SUCCEEDED),
    }
)


def can_be_copied(fact: Fact) -> bool:
    """Return whether a later fact that says the same changes no payment, whatever other facts there are.

    The object is in its last state, so that the later fact does not bring an overtaken state back. Of equal
    facts in this state the derivation takes the earliest. Only refunds of a charge go by the latest report.
    """
    return (
        (fact.kind, fact.state) in _LAST_STATES
        and not fact.refunded
        and (fact.booking_reference is None or booking_id_of(fact.booking_reference) is not None)
    )
