"""The broker component leaves its group although a batch in flight does not end."""

import asyncio
from typing import Any, cast

import pytest

from chassis.consuming.broker import Consumers


class Broker:
    """Records whether it was stopped, and so has left the group."""

    def __init__(self) -> None:
        self.stopped = False

    async def stop(self) -> None:
        self.stopped = True


class Busy:
    """A consumer whose batch never ends."""

    async def stop(self) -> None:
        await asyncio.Event().wait()


async def test_group_is_left_though_the_batch_in_flight_never_ends() -> None:
    broker = Broker()
    component = Consumers(cast("Any", broker), [cast("Any", Busy())])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await component.stop()
    assert broker.stopped
