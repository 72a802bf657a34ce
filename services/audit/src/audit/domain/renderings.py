"""Comparison of two bodies of one event: two renderings, or a contradiction (BK-10a)."""

from audit.domain.entries import Entry
from contracts.statements import agree, stripe_statement
from contracts.topics import WEBHOOKS_STRIPE


def has_statement(entry: Entry) -> bool:
    """Return True if the body is compared by its statement; other bodies are compared byte by byte."""
    return entry.origin.topic == WEBHOOKS_STRIPE.name and entry.source == "stripe"


def is_rendering(first: bytes, second: bytes) -> bool:
    """Return True if both bodies make the same statement."""
    first_statement, second_statement = stripe_statement(first), stripe_statement(second)
    return (
        first_statement is not None
        and second_statement is not None
        and agree(first_statement, second_statement)
    )
