"""The broker as a part: it leaves its group whatever a batch in hand does."""

import asyncio
from typing import Any, cast

import pytest

from chassis.consuming.broker import Consumers


class Broker:
    """Knows only whether it was stopped: the group is left by that."""

    def __init__(self) -> None:
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True


class Busy:
    """A consumer whose batch outlasts every stop."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_group_is_left_though_the_batch_in_hand_outlasts_the_stop() -> None:
    broker = Broker()
    part = Consumers(cast("Any", broker), [cast("Any", Busy())])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await part.stop()
    assert broker.stopped
