"""When changed configuration is loaded: pure, told the fingerprint of the files and the time."""

from dataclasses import dataclass, replace

AGAIN_SECONDS = 10.0
"""After a refused load, also without a further change: what was missing may be there now."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of the files.

    Attributes:
        loaded: fingerprint of what was last loaded or refused.
        seen: of the last look.
        refused_at: when the last load was refused, in seconds of any clock; None: it was not.
    """

    loaded: bytes
    seen: bytes
    refused_at: float | None = None

    def look(self, fingerprint: bytes, now: float) -> tuple["Watched", bool]:
        """What is known after a look, and whether to load.

        A change is loaded once two looks in a row have seen the same: a file that is still being written
        would give half a secret, and refuse every delivery signed with the whole one.
        """
        is_settled = fingerprint == self.seen
        is_due = self.refused_at is not None and now - self.refused_at >= AGAIN_SECONDS
        return replace(self, seen=fingerprint), is_settled and (fingerprint != self.loaded or is_due)

    def loaded_now(self) -> "Watched":
        """After a load that went well."""
        return Watched(self.seen, self.seen)

    def refused_now(self, now: float) -> "Watched":
        """After a load that was refused: what was loaded before stays in force."""
        return Watched(self.seen, self.seen, now)
