"""Virtual time: asyncio's own loop. Its clock moves only when no task is ready."""

import asyncio
from selectors import SelectorKey, SelectSelector


class VirtualSelector(SelectSelector):
    """A selector without files: waiting advances the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        self.now += timeout or 0.0
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop with a `VirtualSelector`."""

    _selector: VirtualSelector

    def time(self) -> float:
        return self._selector.now


def new_loop() -> VirtualLoop:
    return VirtualLoop(VirtualSelector())
