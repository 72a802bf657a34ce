"""Actor names of machines in histories (BK-4).

No person may have such a name: a token with the subject "stripe" could forge the provider's entries.
"""

RESERVED_ACTORS = frozenset(
    {"system", "stripe", "cli", "schedule", "webhook-gateway", "booking", "audit", "reconciler"}
)
# `sms:<name>` answered a text message; `/webhooks/<source>` is a message's CloudEvents source.
RESERVED_PREFIXES = ("sms:", "/webhooks/")


def is_reserved(actor: str) -> bool:
    """Return True if the name is a machine's, in any case and with any spaces around it."""
    name = actor.strip().lower()
    return name in RESERVED_ACTORS or name.startswith(RESERVED_PREFIXES)
