"""Two bodies of one event: the same written otherwise, or a contradiction (BK-10a)."""

from audit.domain.entries import Entry
from contracts.statements import agree, stripe_statement
from contracts.topics import WEBHOOKS_STRIPE


def has_statement(entry: Entry) -> bool:
    """Tell whether the entry's body can be compared by what it says; others are compared by their bytes."""
    return entry.origin.topic == WEBHOOKS_STRIPE.name and entry.source == "stripe"


def is_rendering(first: bytes, second: bytes) -> bool:
    """Tell whether both bodies say the same."""
    first_statement, second_statement = stripe_statement(first), stripe_statement(second)
    return (
        first_statement is not None
        and second_statement is not None
        and agree(first_statement, second_statement)
    )
