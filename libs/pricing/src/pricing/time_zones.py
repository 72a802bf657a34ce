"""IANA time zones by name."""

from zoneinfo import ZoneInfo


def find_time_zone(name: str) -> ZoneInfo | None:
    """Return the zone of this IANA name, or None."""
    # The standard library raises one of three errors for a bad name: the file system decides which.
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
