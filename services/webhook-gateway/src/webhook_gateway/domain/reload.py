"""Decides when changed configuration is loaded: pure, given the fingerprint of the files and the time."""

from dataclasses import dataclass, replace

# After a rejected load the files are tried again without a further change: a missing topic may be there now.
RETRY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class FileWatch:
    """State of the watched files.

    Attributes:
        loaded: fingerprint of what was last loaded or rejected.
        seen: fingerprint of the last poll.
        refused_at: when the last load was rejected, in seconds of any clock; None: it was not.
    """

    loaded: bytes
    seen: bytes
    refused_at: float | None = None

    def poll(self, fingerprint: bytes, now: float) -> tuple["FileWatch", bool]:
        """Return the state after a poll, and whether to load.

        A change is loaded once two polls in a row saw the same fingerprint: a file that is still being
        written would give half a secret, and every delivery signed with the whole one would be refused.
        """
        is_settled = fingerprint == self.seen
        is_due = self.refused_at is not None and now - self.refused_at >= RETRY_SECONDS
        return replace(self, seen=fingerprint), is_settled and (fingerprint != self.loaded or is_due)

    def loaded_now(self) -> "FileWatch":
        """Return the state after a successful load."""
        return FileWatch(self.seen, self.seen)

    def refused_now(self, now: float) -> "FileWatch":
        """Return the state after a rejected load."""
        return FileWatch(self.seen, self.seen, now)
