"""Dead letters over HTTP: `/api/dead-letters` (interface.md), the same in every service that has them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from pydantic import Field

from chassis.auth.access import OPERATORS, READERS, Access
from chassis.dead_letters import queries
from chassis.dead_letters.discard import discard
from chassis.dead_letters.history import Discarding, Replaying
from chassis.dead_letters.operator import serializers
from chassis.dead_letters.operator.bulk_routes import BULK_ROUTES, REQUEST_MESSAGES_MAX, DryRun, Reason
from chassis.dead_letters.ordering import Line
from chassis.dead_letters.queries import DeadLetter, Filter, Status
from chassis.dead_letters.replay import Replayer
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX, decode_cursor, page
from chassis.http.problems import Problem
from chassis.http.request_bodies import RequestBody
from chassis.messaging.message import Apply
from chassis.postgres.database import Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres

PATH = "/api/dead-letters"
DEAD_LETTER_ACCESS: Access = {
    f"GET {PATH}": READERS,
    f"GET {PATH}/{{dead_letter_id}}": OPERATORS,
    f"POST {PATH}/{{dead_letter_id}}/replay": OPERATORS,
    f"POST {PATH}/{{dead_letter_id}}/discard": OPERATORS,
    f"POST {PATH}/replay": OPERATORS,
    f"POST {PATH}/discard": OPERATORS,
}
"""A list names no person; one message shows its body, which may."""

_UNKNOWN = {404: ["dead-letter-not-found", "not-found"], **STORED_ROW}

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]


class ReplayRequest(RequestBody):
    """Why a line is replayed, for the record."""

    reason: Reason | None = Field(None, description="for example, what was fixed")
    dry_run: DryRun = False


class DiscardRequest(RequestBody):
    """Why a message will never be applied."""

    reason: Reason
    dry_run: DryRun = False


def dead_letter_routes(consumer: str, apply: Apply) -> Router:
    """The routes of a service whose application has the dependency `database`.

    Args:
        consumer: the service's name, as its `DeadLetters` has it.
        apply: what its consumer does with a batch.
    """

    def provide_replayer(database: NamedDependency[Database]) -> Replayer:
        return Replayer(database, consumer, apply)

    return Router(
        path=PATH,
        route_handlers=[list_dead_letters, get_dead_letter, replay_line, discard_dead_letter, *BULK_ROUTES],
        dependencies={"replayer": Provide(provide_replayer, sync_to_thread=False)},
        tags=["dead letters"],
    )


@get("/", summary="Messages set aside, in the order in which they were")
async def list_dead_letters(  # noqa: PLR0917 - one parameter per filter (interface.md)
    replayer: NamedDependency[Replayer],
    status: FromQuery[Status] = "waiting",
    topic: FromQuery[str | None] = None,
    key: FromQuery[str | None] = None,
    reason: FromQuery[SetAsideReason | None] = None,
    set_aside_before: FromQuery[datetime | None] = None,
    set_aside_since: FromQuery[datetime | None] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """One page; `next_cursor` leads to the next. Bodies are shown one by one only."""
    wanted = Filter(
        status=status,
        topic=None if topic is None else sanitize_for_postgres(topic),
        key=None if key is None else key.encode(errors="replace"),
        reason=reason,
        set_aside_before=set_aside_before,
        set_aside_since=set_aside_since,
    )
    question = (PATH, wanted)
    (after,) = decode_cursor(cursor, (int,), question) or (0,)
    async with replayer.database.connection() as connection:
        found = await queries.listed(connection, replayer.consumer, wanted, after=after, rows_max=limit + 1)
    rows = page(found, limit=limit, key=_key, of=question)
    return {**rows, "items": serializers.items(rows["items"])}


def _key(letter: DeadLetter | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return letter.position if isinstance(letter, UnreadableRow) else (letter.number,)


@get(
    "/{dead_letter_id:uuid}",
    summary="One message set aside, whole, and what was done about it",
    opt=refuses(_UNKNOWN),
)
async def get_dead_letter(
    replayer: NamedDependency[Replayer], dead_letter_id: FromPath[UUID]
) -> dict[str, Any]:
    """With the body, which may hold personal data."""
    letter = await _found(replayer, dead_letter_id)
    async with replayer.database.connection() as connection:
        return serializers.detail(letter, await queries.actions(connection, letter.id))


@post(
    "/{dead_letter_id:uuid}/replay",
    summary="Replay the line that a message waits in",
    status_code=200,
    opt=refuses({**_UNKNOWN, 409: ["dead-letter-settled"]}),
)
async def replay_line(
    replayer: NamedDependency[Replayer],
    dead_letter_id: FromPath[UUID],
    actor: NamedDependency[str],
    data: JSONBody[ReplayRequest | None] = None,
) -> dict[str, Any]:
    """From the line's first message on, in order, up to the first that fails again: `failure` names it."""
    wanted = data or ReplayRequest(reason=None)
    letter = await _waiting(replayer, dead_letter_id)
    if wanted.dry_run:
        return {"lines": 1, "messages": await _waiting_in(replayer, letter.line)}
    by = Replaying(actor, wanted.reason)
    outcome = await replayer.replay(letter.line, by, messages_max=REQUEST_MESSAGES_MAX)
    return serializers.replay_answer(outcome, waiting=await _waiting_in(replayer, letter.line))


@post(
    "/{dead_letter_id:uuid}/discard",
    summary="Never apply this message",
    status_code=200,
    opt=refuses({**_UNKNOWN, 409: ["dead-letter-settled"]}),
)
async def discard_dead_letter(
    replayer: NamedDependency[Replayer],
    dead_letter_id: FromPath[UUID],
    actor: NamedDependency[str],
    data: JSONBody[DiscardRequest],
) -> dict[str, Any]:
    """Those behind it go on waiting until their line is replayed."""
    letter = await _waiting(replayer, dead_letter_id)
    if data.dry_run:
        return {"messages": 1}
    by = Discarding(actor, data.reason)
    if not await discard(replayer.database, replayer.consumer, letter, by):
        raise _settled(await _found(replayer, dead_letter_id))  # somebody was faster
    return {"discarded": 1}


async def _waiting_in(replayer: Replayer, line: Line) -> int:
    topic, key = line
    async with replayer.database.connection() as connection:
        lines = await queries.waiting_lines(connection, replayer.consumer, Filter(topic=topic, key=key))
    return sum(each.messages for each in lines)


async def _found(replayer: Replayer, dead_letter_id: UUID) -> DeadLetter:
    async with replayer.database.connection() as connection:
        letter = await queries.find(connection, replayer.consumer, dead_letter_id)
    if letter is None:
        raise Problem(404, "dead-letter-not-found", f"there is no dead letter {dead_letter_id}")
    return letter


async def _waiting(replayer: Replayer, dead_letter_id: UUID) -> DeadLetter:
    letter = await _found(replayer, dead_letter_id)
    if letter.status != "waiting":
        raise _settled(letter)
    return letter


def _settled(letter: DeadLetter) -> Problem:
    return Problem(
        409,
        "dead-letter-settled",
        f"dead letter {letter.id} was {letter.status} already; only a waiting one can be worked off",
        dead_letter_status=letter.status,
    )
