"""Many dead letters over HTTP: what a selection means is replayed or discarded, or only counted."""

from typing import Annotated, Any

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import AfterValidator, Field, StrictBool, StringConstraints, field_validator

from chassis.dead_letters import queries
from chassis.dead_letters.discard import discard_matching
from chassis.dead_letters.history import Discarding, Replaying
from chassis.dead_letters.operator import serializers
from chassis.dead_letters.queries import Filter, WaitingLine
from chassis.dead_letters.replay import Failure, Replayer
from chassis.http.openapi.problems import refuses
from chassis.http.problems import Problem
from chassis.http.request_bodies import RequestBody
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres
from contracts.wire import UtcDatetime

REQUEST_MESSAGES_MAX = 1000
"""One request replays or discards no more; its answer says how many still wait."""
REASON_CHARACTERS_MAX = 500

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARACTERS_MAX),
    AfterValidator(sanitize_for_postgres),
]


DryRun = Annotated[StrictBool, Field(description="only count what would be done")]


class Selection(RequestBody):
    """Waiting messages, named like the filters of the list; together they narrow. At least one is given."""

    key: str | None = None
    topic: str | None = None
    reason: SetAsideReason | None = Field(None, description="why it was set aside")
    set_aside_before: UtcDatetime | None = None
    set_aside_since: UtcDatetime | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_nothing(cls, value: object) -> object:
        # A variable that a script did not set would otherwise select more than was meant.
        if value is None or (isinstance(value, str) and not value.strip()):
            raise ValueError("empty; leave it away or give it a value")
        return value

    def to_filter(self) -> Filter:
        """As the table is asked.

        Raises:
            Problem: nothing is named: that would be everything.
        """
        wanted = Filter(
            topic=None if self.topic is None else sanitize_for_postgres(self.topic),
            key=None if self.key is None else self.key.encode(errors="replace"),
            reason=self.reason,
            set_aside_before=self.set_aside_before,
            set_aside_since=self.set_aside_since,
        )
        if wanted == Filter():
            names = ", ".join(type(self).model_fields)
            raise Problem(400, "selection-empty", f"say which dead letters: give one of {names}")
        return wanted


class BulkReplayRequest(RequestBody):
    """Every line that holds a message of the selection is replayed, whole and in order."""

    selection: Selection
    reason: Reason | None = Field(None, description="for example, what was fixed")
    dry_run: DryRun = False


class BulkDiscardRequest(RequestBody):
    """The messages of the selection are discarded, and no others of their lines."""

    selection: Selection
    reason: Reason
    dry_run: DryRun = False


@post(
    "/replay",
    summary="Replay every line that holds a message of a selection",
    status_code=200,
    opt=refuses({400: ["invalid-request", "selection-empty"]}),
)
async def replay_selected(
    replayer: NamedDependency[Replayer], actor: NamedDependency[str], data: JSONBody[BulkReplayRequest]
) -> dict[str, Any]:
    """Each line up to its first message that fails again; `waiting` counts what is left of those lines."""
    wanted = data.selection.to_filter()
    lines = await _lines(replayer, wanted)
    if data.dry_run:
        return {"lines": len(lines), "messages": sum(line.messages for line in lines)}
    replayed, failures = 0, list[Failure]()
    for line in lines:
        room = REQUEST_MESSAGES_MAX - replayed - len(failures)
        if room <= 0:
            break
        outcome = await replayer.replay(line.line, Replaying(actor, data.reason), messages_max=room)
        replayed += outcome.replayed
        failures += [outcome.failure] if outcome.failure else []
    left = {
        line.line: line.messages
        for line in await _lines(replayer, Filter(topic=wanted.topic, key=wanted.key))
    }
    return {
        "replayed": replayed,
        "failures": [serializers.failure_item(failure) for failure in failures],
        "waiting": sum(left.get(line.line, 0) for line in lines),
    }


@post(
    "/discard",
    summary="Never apply the messages of a selection",
    status_code=200,
    opt=refuses({400: ["invalid-request", "selection-empty"]}),
)
async def discard_selected(
    replayer: NamedDependency[Replayer], actor: NamedDependency[str], data: JSONBody[BulkDiscardRequest]
) -> dict[str, Any]:
    """`waiting` counts what is left of the selection: send the request again while it is not 0."""
    wanted = data.selection.to_filter()
    if data.dry_run:
        return {"messages": await _count(replayer, wanted)}
    done = await discard_matching(
        replayer.database,
        replayer.consumer,
        wanted,
        Discarding(actor, data.reason),
        messages_max=REQUEST_MESSAGES_MAX,
    )
    return {"discarded": done, "waiting": await _count(replayer, wanted)}


async def _lines(replayer: Replayer, wanted: Filter) -> list[WaitingLine]:
    async with replayer.database.connection() as connection:
        return await queries.waiting_lines(connection, replayer.consumer, wanted)


async def _count(replayer: Replayer, wanted: Filter) -> int:
    async with replayer.database.connection() as connection:
        return await queries.count(connection, replayer.consumer, wanted)


BULK_ROUTES = (replay_selected, discard_selected)
