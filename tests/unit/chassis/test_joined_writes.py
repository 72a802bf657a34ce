"""Writes of one turn leave as one; nothing is lost, reordered or kept back."""

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from chassis.joined_writes import WAITING_BYTES_MAX, JoiningTransport


class Wire:
    """The connection's end: what was written to it, write by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed_after: int | None = None

    def write(self, data: bytes) -> None:
        assert self.closed_after is None
        self.writes.append(data)

    def close(self) -> None:
        self.closed_after = len(self.writes)

    def is_closing(self) -> bool:
        return self.closed_after is not None


def joined(wire: Wire) -> JoiningTransport:
    return JoiningTransport(cast("Any", wire), asyncio.get_running_loop())


async def test_head_and_body_of_an_answer_are_one_write() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"head")
    transport.write(b"body")
    assert wire.writes == []
    await asyncio.sleep(0)
    transport.write(b"next")
    await asyncio.sleep(0)
    assert wire.writes == [b"headbody", b"next"]


async def test_what_waits_is_written_before_the_connection_closes() -> None:
    wire = Wire()
    transport = joined(wire)
    transport.write(b"answer")
    assert not transport.is_closing()
    transport.close()
    assert (wire.writes, wire.closed_after, transport.is_closing()) == ([b"answer"], 1, True)
    await asyncio.sleep(0)
    assert wire.writes == [b"answer"]


@given(st.lists(st.lists(st.binary(max_size=WAITING_BYTES_MAX + 9), max_size=4), max_size=5))
def test_every_byte_leaves_in_order_and_little_is_kept_back(turns: list[list[bytes]]) -> None:
    async def run() -> None:
        wire, written = Wire(), b""
        transport = joined(wire)
        for turn in turns:
            for piece in turn:
                transport.write(piece)
                written += piece
                assert len(written) - len(b"".join(wire.writes)) <= WAITING_BYTES_MAX
            await asyncio.sleep(0)
            assert b"".join(wire.writes) == written
        transport.close()
        assert b"".join(wire.writes) == written

    asyncio.run(run())
