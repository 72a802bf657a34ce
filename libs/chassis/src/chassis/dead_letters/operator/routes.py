"""Dead letters over HTTP: `/api/dead-letters` (interface.md), the same in every service that has them."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from chassis.auth.access import OPERATORS, READERS, Access
from chassis.dead_letters.history import DiscardedBy, ReplayedBy
from chassis.dead_letters.operator import serializers
from chassis.dead_letters.operator.actions import Actions, DeadLetterNotFoundError, DeadLetterSettledError
from chassis.dead_letters.operator.request_models import (
    BulkDiscardRequest,
    BulkReplayRequest,
    DiscardRequest,
    ReplayRequest,
)
from chassis.dead_letters.operator.selection import build_filter
from chassis.dead_letters.queries import DeadLetter, Status
from chassis.http.idempotency import Idempotency, StepsEffect
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX
from chassis.http.paging import decode_cursor, page
from chassis.http.problems import Problem
from chassis.messaging.message import Apply
from chassis.postgres.database import Connection, Database
from chassis.postgres.stored_rows import KeyPart, UnreadableRow
from contracts.reasons import SetAsideReason

PATH = "/api/dead-letters"
REQUEST_MESSAGES_MAX = 1000

# The list names no person. One message shows its body, which may.
DEAD_LETTER_ACCESS: Access = {
    f"GET {PATH}": READERS,
    f"GET {PATH}/{{dead_letter_id}}": OPERATORS,
    f"POST {PATH}/{{dead_letter_id}}/replay": OPERATORS,
    f"POST {PATH}/{{dead_letter_id}}/discard": OPERATORS,
    f"POST {PATH}/replay": OPERATORS,
    f"POST {PATH}/discard": OPERATORS,
}

_UNKNOWN = {404: ["dead-letter-not-found", "not-found"], **STORED_ROW}

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]


def dead_letter_routes(consumer: str, apply: Apply) -> Router:
    """Return the routes for a service whose application has the dependency `database`.

    Args:
        consumer: the service's name, as its `DeadLetters` has it.
        apply: the handler of the service's consumer.
    """

    def provide_actions(database: NamedDependency[Database]) -> Actions:
        return Actions(database, consumer, apply)

    return Router(
        path=PATH,
        route_handlers=[
            list_dead_letters,
            get_dead_letter,
            replay_line,
            discard_dead_letter,
            replay_selected,
            discard_selected,
        ],
        dependencies={"actions": Provide(provide_actions, sync_to_thread=False)},
        tags=["dead letters"],
    )


@get("/", summary="List messages set aside, in the order in which they were")
async def list_dead_letters(  # noqa: PLR0917 - one parameter per filter (interface.md)
    actions: NamedDependency[Actions],
    status: FromQuery[Status] = "waiting",
    topic: FromQuery[str | None] = None,
    key: FromQuery[str | None] = None,
    reason: FromQuery[SetAsideReason | None] = None,
    set_aside_before: FromQuery[datetime | None] = None,
    set_aside_since: FromQuery[datetime | None] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> dict[str, Any]:
    """Return one page; `next_cursor` leads to the next. Bodies are shown with single messages only."""
    criteria = build_filter(
        status=status,
        topic=topic,
        key=None if key is None else key.encode(errors="replace"),
        reason=reason,
        set_aside_before=set_aside_before,
        set_aside_since=set_aside_since,
    )
    question = (PATH, criteria)
    (after,) = decode_cursor(cursor, (int,), question) or (0,)
    letters = await actions.list_letters(criteria, after=after, rows_max=limit + 1)
    rows = page(letters, limit=limit, key=_position, of=question)
    return {**rows, "items": serializers.items(rows["items"])}


@get(
    "/{dead_letter_id:uuid}",
    summary="Show one message set aside, whole, and the actions on it",
    opt=refuses(_UNKNOWN),
)
async def get_dead_letter(
    actions: NamedDependency[Actions], dead_letter_id: FromPath[UUID]
) -> dict[str, Any]:
    """Return the message with its body, which may hold personal data."""
    with _problems():
        return serializers.detail(*await actions.show(dead_letter_id))


@post(
    "/{dead_letter_id:uuid}/replay",
    summary="Replay the line that a message waits in",
    status_code=200,
    opt=refuses({**_UNKNOWN, 409: ["dead-letter-settled"]}),
)
async def replay_line(
    actions: NamedDependency[Actions],
    database: NamedDependency[Database],
    dead_letter_id: FromPath[UUID],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[ReplayRequest | None] = None,
) -> Response[dict[str, Any]]:
    """Replay the line from its first message on, up to the first that fails again: `failure` names it."""
    request = data or ReplayRequest(reason=None)

    async def effect() -> Response[dict[str, Any]]:
        with _problems():
            keys = await actions.waiting_keys(dead_letter_id)
        if request.dry_run:
            return Response(serializers.replay_plan(keys))
        by = ReplayedBy(actor, request.reason)
        outcome = await actions.replay(keys, by, messages_max=REQUEST_MESSAGES_MAX)
        failure = next(iter(serializers.failures(outcome)), None)
        waiting = await actions.count_waiting(keys)
        return Response({"replayed": outcome.done, "failure": failure, "waiting": waiting})

    return await _once(idempotency, database, effect, dry_run=request.dry_run)


@post(
    "/{dead_letter_id:uuid}/discard",
    summary="Never apply this message",
    status_code=200,
    opt=refuses({**_UNKNOWN, 409: ["dead-letter-settled"]}),
)
async def discard_dead_letter(
    actions: NamedDependency[Actions],
    database: NamedDependency[Database],
    dead_letter_id: FromPath[UUID],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[DiscardRequest],
) -> Response[dict[str, Any]]:
    """Discard the message. Messages behind it wait until their line is replayed."""

    async def effect(connection: Connection) -> Response[dict[str, Any]]:
        by = DiscardedBy(actor, data.reason)
        return Response({"discarded": (await actions.discard_one(connection, dead_letter_id, by)).done})

    with _problems():
        if data.dry_run:
            return Response({"messages": await actions.count(dead_letter_id)})
        return await idempotency.run(database, effect)


@post(
    "/replay",
    summary="Replay every line that holds a message of a selection",
    status_code=200,
    opt=refuses({400: ["invalid-request", "selection-empty"]}),
)
async def replay_selected(
    actions: NamedDependency[Actions],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[BulkReplayRequest],
) -> Response[dict[str, Any]]:
    """Replay each line up to its first message that fails again; `waiting` counts the rest of these lines."""
    criteria = data.selection.to_filter()

    async def effect() -> Response[dict[str, Any]]:
        keys = await actions.waiting_keys(criteria)
        if data.dry_run:
            return Response(serializers.replay_plan(keys))
        by = ReplayedBy(actor, data.reason)
        outcome = await actions.replay(keys, by, messages_max=REQUEST_MESSAGES_MAX)
        failures, waiting = serializers.failures(outcome), await actions.count_waiting(keys)
        return Response({"replayed": outcome.done, "failures": failures, "waiting": waiting})

    return await _once(idempotency, database, effect, dry_run=data.dry_run)


@post(
    "/discard",
    summary="Never apply the messages of a selection",
    status_code=200,
    opt=refuses({400: ["invalid-request", "selection-empty"]}),
)
async def discard_selected(
    actions: NamedDependency[Actions],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[BulkDiscardRequest],
) -> Response[dict[str, Any]]:
    """Discard the messages; `failures` names those whose stored row cannot be read.

    `waiting` counts the rest of the selection, failures included: while it is larger, send the request again,
    under a new Idempotency-Key.
    """
    criteria = data.selection.to_filter()

    async def effect() -> Response[dict[str, Any]]:
        if data.dry_run:
            return Response({"messages": await actions.count(criteria)})
        by = DiscardedBy(actor, data.reason)
        outcome = await actions.discard(criteria, by, messages_max=REQUEST_MESSAGES_MAX)
        failures, waiting = serializers.failures(outcome), await actions.count(criteria)
        return Response({"discarded": outcome.done, "failures": failures, "waiting": waiting})

    return await _once(idempotency, database, effect, dry_run=data.dry_run)


async def _once(
    idempotency: Idempotency,
    database: Database,
    effect: StepsEffect[dict[str, Any]],
    *,
    dry_run: bool,
) -> Response[dict[str, Any]]:
    # A dry run has no effect, so nothing of it is stored: its answer changes.
    return await (effect() if dry_run else idempotency.run_in_steps(database, effect))


def _position(letter: DeadLetter | UnreadableRow) -> tuple[KeyPart, ...] | None:
    return letter.position if isinstance(letter, UnreadableRow) else (letter.number,)


@contextmanager
def _problems() -> Generator[None]:
    """Raise the errors of the actions as problems."""
    try:
        yield
    except DeadLetterNotFoundError as error:
        raise Problem(404, "dead-letter-not-found", str(error)) from error
    except DeadLetterSettledError as error:
        raise Problem(409, "dead-letter-settled", str(error), dead_letter_status=error.status) from error
