"""Holds the configured sources, which a reload replaces."""

from collections.abc import Collection, KeysView, Mapping

from webhook_gateway.domain.source import Source


class Sources:
    """Sources by name. A delivery in flight keeps the source it began with."""

    def __init__(self, sources: Mapping[str, Source]) -> None:
        self._by_name = sources

    def get(self, name: str) -> Source | None:
        return self._by_name.get(name)

    def names(self) -> KeysView[str]:
        return KeysView(self._by_name)

    def all(self) -> Collection[Source]:
        return self._by_name.values()

    def replace(self, sources: Mapping[str, Source]) -> None:
        """Replace all sources at once, from the next delivery on."""
        self._by_name = sources
