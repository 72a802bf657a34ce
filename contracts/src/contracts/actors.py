"""Names that stand for a machine wherever a history says who did something (BK-4).

No person may bear one: a token whose subject were "stripe" could forge the provider's entries.
"""

RESERVED_ACTORS = frozenset(
    {"system", "stripe", "cli", "schedule", "webhook-gateway", "booking", "audit", "reconciler"}
)
RESERVED_PREFIXES = ("sms:", "/webhooks/")
"""`sms:<who>` answered a text message; `/webhooks/<source>` is a message's CloudEvents source."""


def is_reserved(actor: str) -> bool:
    """Whether the name is a machine's, in whatever case and with whatever spaces around it."""
    name = actor.strip().lower()
    return name in RESERVED_ACTORS or name.startswith(RESERVED_PREFIXES)
