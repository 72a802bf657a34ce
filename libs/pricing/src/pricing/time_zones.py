"""IANA time zones by name."""

from zoneinfo import ZoneInfo


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of this IANA name, or None where there is none.

    The standard library reports a bad name in three ways, by what the name happens to hit on disk.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
