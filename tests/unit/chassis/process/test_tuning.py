"""Python's own runtime does what `chassis.process.tuning` says it does, in the version at hand."""

import asyncio
from asyncio import selector_events

import pytest

from chassis.process import tuning


class Pieces(asyncio.Protocol):
    """What comes in, read by read."""

    def __init__(self, until: int) -> None:
        self.sizes: list[int] = []
        self.whole = asyncio.get_running_loop().create_future()
        self._until = until

    def data_received(self, data: bytes) -> None:
        self.sizes.append(len(data))
        if sum(self.sizes) == self._until and not self.whole.done():
            self.whole.set_result(None)


async def test_reads_are_small_enough_to_need_no_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = selector_events._SelectorSocketTransport
    monkeypatch.setattr(transport, "max_size", transport.max_size)  # and put back
    assert tuning.READ_BYTES_MAX < 128 * 1024, "malloc's M_MMAP_THRESHOLD"
    tuning.read_in_pieces()
    sent = bytes(4 * 1024 * 1024)
    pieces = Pieces(len(sent))
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: pieces, "127.0.0.1", 0) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(sent)
        await asyncio.wait_for(pieces.whole, 30)
        writer.close()
    assert max(pieces.sizes) <= tuning.READ_BYTES_MAX
