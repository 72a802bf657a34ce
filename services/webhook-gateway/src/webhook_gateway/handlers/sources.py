"""The sources of this moment, shared by whoever asks for one and whoever replaces them."""

from collections.abc import Collection, KeysView, Mapping

from webhook_gateway.domain.source import Source


class Sources:
    """Sources by name. A delivery keeps the one it began with, whatever is replaced meanwhile."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._by_name = sources

    def get(self, name: str) -> Source | None:
        """The source that is configured under a name."""
        return self._by_name.get(name)

    def names(self) -> KeysView[str]:
        """Of all of them."""
        return KeysView(self._by_name)

    def all(self) -> Collection[Source]:
        """All of them."""
        return self._by_name.values()

    def replace(self, sources: Mapping[str, Source]) -> None:
        """From the next delivery on, these: all at once."""
        self._by_name = sources
