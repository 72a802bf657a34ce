"""Facts about money: what one event says about one object (BK-7). Facts are kept and never changed.

Everything about money is derived from the set of facts (`booking.domain.derivation`). Neither the order in
which facts arrive nor the number of copies matters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from contracts.money import Money


class Kind(StrEnum):
    """Kind of object.

    `INVOICE_PAYMENT` only links an invoice to an intent. `ENTRY` is money that a person of the business
    entered (BK-16).
    """

    INTENT = "payment_intent"
    SESSION = "checkout.session"
    INVOICE = "invoice"
    INVOICE_PAYMENT = "invoice_payment"
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    ENTRY = "entry"


class State(StrEnum):
    """State of an object at the moment of the event, the same words for all kinds.

    `NOTHING_DUE`: completed without a payment. `OUT_OF_BAND`: paid without the provider. `INQUIRY` and
    `INQUIRY_CLOSED`: a dispute that never took money (`warning_*`). `OPEN`, `WON`, `LOST`: a dispute.
    `REVERSED`: an entry that a counter-entry has undone.
    """

    PENDING = "pending"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    NOTHING_DUE = "nothing_due"
    SUCCEEDED = "succeeded"
    OUT_OF_BAND = "out_of_band"
    INQUIRY = "inquiry"
    INQUIRY_CLOSED = "inquiry_closed"
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    REVERSED = "reversed"


# States of each kind, earliest first; states in one group are alternatives. An object only moves forward, so
# that the furthest state among its facts is its state, whatever the order of arrival.
STATES: Mapping[Kind, tuple[tuple[State, ...], ...]] = MappingProxyType(
    {
        Kind.INTENT: ((State.PENDING,), (State.FAILED,), (State.CANCELED,), (State.SUCCEEDED,)),
        Kind.SESSION: (
            (State.PENDING,),
            (State.FAILED, State.EXPIRED),
            (State.NOTHING_DUE,),
            (State.SUCCEEDED,),
        ),
        Kind.INVOICE: ((State.PENDING,), (State.FAILED,), (State.SUCCEEDED, State.OUT_OF_BAND)),
        Kind.INVOICE_PAYMENT: ((State.PENDING,), (State.CANCELED,), (State.SUCCEEDED,)),
        Kind.CHARGE: ((State.PENDING,), (State.FAILED,), (State.SUCCEEDED,)),
        Kind.REFUND: ((State.PENDING,), (State.SUCCEEDED,), (State.FAILED, State.CANCELED)),
        Kind.DISPUTE: ((State.INQUIRY,), (State.INQUIRY_CLOSED,), (State.OPEN,), (State.WON, State.LOST)),
        Kind.ENTRY: ((State.SUCCEEDED,), (State.REVERSED,)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Ids of other objects that an object names."""

    intents: tuple[str, ...] = ()
    charge: str | None = None
    invoice: str | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        return (*self.intents, *(link for link in (self.charge, self.invoice) if link is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What one event says about one object.

    Attributes:
        provider: `stripe`, or `office` for an entry.
        event_id: the event; with kind and object id it identifies the fact.
        occurred_at: seconds since the epoch at which the event happened, by the provider's clock.
        object_id: the provider's id.
        object_created_at: seconds since the epoch at which the object was created; None if not stated.
        state: of the object.
        amount: captured amount (intent, session, invoice, charge, entry), or the amount of the refund or
            dispute; None if not stated.
        refunded: sum of the refunds of a charge so far, in minor units of `amount`'s currency.
        links: other objects that the object names.
        booking_reference: the booking that the object names, known or not; None without a name.
        reason: the provider's code for a failure or a dispute; None without one.
        position: order of arrival. It decides only between facts of one second that contradict each other.
    """

    provider: str
    event_id: str
    occurred_at: int
    kind: Kind
    object_id: str
    object_created_at: int | None = None
    state: State
    amount: Money | None = None
    refunded: int | None = None
    links: Links = field(default_factory=Links)
    booking_reference: str | None = None
    reason: str | None = None
    position: int = field(default=0, compare=False)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids of the object and of all objects that it names."""
        return (self.object_id, *self.links.ids)

    @property
    def rank(self) -> int:
        """Return how far the object has come among the states of its kind."""
        return next(rank for rank, group in enumerate(STATES[self.kind]) if self.state in group)
