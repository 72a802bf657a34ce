"""Route of the live stream: new entries as server-sent events, each once and in order (AU-5)."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter
from litestar.response import Stream

from audit.api.problems import too_many_streams
from audit.api.responses import entry_items
from audit.domain.filters import EntryFilter, FilterError, Position
from audit.handlers.live_entries import STREAMS_MAX, LiveEntries, Step, TooManyStreamsError
from audit.handlers.search import position_of
from chassis.http.openapi.problems import refuses
from chassis.http.problems import InvalidRequestError
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import DATABASE_ERRORS
from chassis.postgres.read_pool import ReadTooLongError, TooManyReadsError
from chassis.process.terminal import json_line

EVENT_STREAM = "text/event-stream"
BEAT_SECONDS = 15.0
STREAM_SECONDS_MAX = 3600.0
"""Then the stream ends, and its client connects again with a token that is still valid."""
_RETRY = b"retry: 2000\n"

_LAST_EVENT_ID = "Last-Event-ID"
_FORM = re.compile(r"([0-9]{1,18})-([0-9]{1,19})")
_LastEventId = Annotated[
    str | None,
    HeaderParameter(name=_LAST_EVENT_ID, description="`id` of the last event: the stream goes on behind it"),
]
_STREAMED = {
    200: ResponseSpec(
        str,
        media_type=EVENT_STREAM,
        generate_examples=False,
        description="Events whose `data` is an item of the list; a comment every 15 s without one",
    )
}

_log = get_logger(__name__)


@get(
    "/api/event-log/stream",
    summary="New entries as server-sent events, oldest first",
    tags=["log"],
    media_type=EVENT_STREAM,
    responses=_STREAMED,
    opt=refuses({503: ["temporarily-unavailable", "too-many-streams"]}),
)
async def event_stream(
    live: NamedDependency[LiveEntries],
    streamed: NamedDependency[EntryFilter],
    last_event_id: _LastEventId = None,
) -> Stream:
    """Stream the entries behind `Last-Event-ID`; without it from `from` on, else the entries from now on."""
    after = None if last_event_id is None else parse_event_id(last_event_id)
    if after is None and streamed.recorded_from is not None:
        after = Position(streamed.recorded_from, 0)
    steps = live.follow(streamed, after, beat_seconds=BEAT_SECONDS)
    try:
        first = await anext(steps)  # an error before the first event is still answered as a problem
    except TooManyStreamsError:
        raise too_many_streams(STREAMS_MAX) from None
    return Stream(_events(first, steps), media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})


async def _events(first: Step, steps: AsyncGenerator[Step]) -> AsyncGenerator[bytes]:
    ends_at = asyncio.get_running_loop().time() + STREAM_SECONDS_MAX
    async with aclosing(steps):
        yield _RETRY + _beat(first.position)
        try:
            async for step in steps:
                yield _lines(step)
                if asyncio.get_running_loop().time() > ends_at:
                    return
        except (*DATABASE_ERRORS, TooManyReadsError, ReadTooLongError) as error:
            # The client connects again and says what it had.
            _log.info("a stream ends", error=loggable(error))


def _lines(step: Step) -> bytes:
    events = [
        b"data: " + json_line(item) + (b"\n" if position is None else _id(position))
        for item, entry in zip(entry_items(step.entries), step.entries, strict=True)
        for position in [position_of(entry)]
    ]
    return b"".join([*events, _beat(step.position)])


def _beat(position: Position) -> bytes:
    # An event without data changes the last id only: a client that comes back skips what it need not read.
    return b": complete\n" + _id(position)


def _id(position: Position) -> bytes:
    return b"id: %d-%d\n\n" % position.to_key()


def parse_event_id(text: str) -> Position:
    """Return the position of an event's id.

    Raises:
        InvalidRequestError: no event has this id.
    """
    match = _FORM.fullmatch(text)
    if match is not None:
        microseconds, entry_id = map(int, match.groups())
        with suppress(FilterError):
            position = Position.from_key(microseconds, entry_id or 1)
            return position if entry_id else Position(position.recorded_at, 0)
    raise InvalidRequestError(_LAST_EVENT_ID, "not the id of an event; omit it to begin now")
