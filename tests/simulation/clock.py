"""Virtual time: asyncio's own loop, whose clock moves on only when nobody has anything to do."""

import asyncio
from selectors import SelectorKey, SelectSelector


class Waiting(SelectSelector):
    """Nothing ever comes from outside: to wait is to let time pass."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self.now += timeout or 0.0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Made of a `Waiting`."""

    _selector: Waiting

    def time(self) -> float:
        return self._selector.now
