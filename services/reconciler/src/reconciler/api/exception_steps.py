"""Routes of people's steps on one exception (REC-9). Each answers the exception after the step."""

from collections.abc import Sequence
from uuid import UUID

from litestar import Response, Router, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, JSONBody
from litestar.types import ControllerRouterHandler

from chassis import clock
from chassis.http.conditional_requests import IfMatch, tagged
from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.postgres import Connection, Database
from reconciler.api.problems import STEP_EXCEPTION_HANDLERS, unknown_exception
from reconciler.api.requests import (
    AcknowledgeBody,
    AssignBody,
    CommentBody,
    ReopenBody,
    ResolveBody,
    RevertBody,
    SuppressBody,
    to_size,
)
from reconciler.api.responses import ExceptionDetail, exception_detail
from reconciler.domain import step_requests
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.step_requests import StepRequest
from reconciler.handlers.exception_workflow import take_step

PATH = "/api/exceptions/{exception_id:uuid}"
_OPT = refuses(
    {
        404: ["exception-not-found", "not-found"],
        409: ["illegal-step", "second-person-required"],
        412: ["stale-version"],
        **STORED_ROW,
    }
)

Answer = Response[ExceptionDetail]


class StepTaker:
    """Takes the steps of one request, once per Idempotency-Key, if If-Match allows it."""

    def __init__(
        self,
        database: NamedDependency[Database],
        idempotency: NamedDependency[Idempotency],
        if_match: NamedDependency[IfMatch],
        targets: NamedDependency[Targets],
    ) -> None:
        self._database = database
        self._idempotency = idempotency
        self._if_match = if_match
        self._targets = targets

    async def take(self, exception_id: UUID, request: StepRequest) -> Answer:
        """Take a step and return the exception after it.

        Raises:
            Problem: 404 for an unknown id.
        """

        async def effect(connection: Connection) -> Answer:
            now = clock.now()
            taken = await take_step(
                connection, str(exception_id), request, expects=self._if_match.allows_version, now=now
            )
            if taken is None:
                raise unknown_exception(exception_id)
            detail = exception_detail(*taken, Reading(now, self._targets))
            return tagged(detail, taken[0].state.version)

        return await self._idempotency.run(self._database, effect)


def provide_step_taker(
    database: NamedDependency[Database],
    idempotency: NamedDependency[Idempotency],
    if_match: NamedDependency[IfMatch],
    targets: NamedDependency[Targets],
) -> StepTaker:
    """Provide the dependency `steps`."""
    return StepTaker(database, idempotency, if_match, targets)


@post(PATH + "/acknowledge", status_code=200, summary="Take an open exception on", opt=_OPT)
async def acknowledge(
    exception_id: FromPath[UUID],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
    data: JSONBody[AcknowledgeBody | None] = None,
) -> Answer:
    """Acknowledge an open exception; the caller becomes its assignee."""
    del data  # only checked: an unknown member is refused
    return await steps.take(exception_id, step_requests.acknowledging(actor))


@post(PATH + "/assign", status_code=200, summary="Give an exception to a person", opt=_OPT)
async def assign(
    exception_id: FromPath[UUID],
    data: JSONBody[AssignBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
) -> Answer:
    """Set the assignee. The status stays as it is."""
    return await steps.take(exception_id, step_requests.assigning(actor, data.assignee))


@post(PATH + "/resolve", status_code=200, summary="Resolve an exception, or propose it", opt=_OPT)
async def resolve(
    exception_id: FromPath[UUID],
    data: JSONBody[ResolveBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
    second_person_above: NamedDependency[int | None],
) -> Answer:
    """Resolve an exception. Above RECONCILER_SECOND_PERSON_ABOVE the first person proposes, another confirms.

    `fixed` comes back when a later run sees the problem; the others hold up to `up_to`.
    """
    request = step_requests.resolving(
        actor,
        data.resolution,
        data.reason,
        up_to=to_size(data.up_to),
        second_person_above=second_person_above,
    )
    return await steps.take(exception_id, request)


@post(PATH + "/reopen", status_code=200, summary="Open an exception again", opt=_OPT)
async def reopen(
    exception_id: FromPath[UUID],
    data: JSONBody[ReopenBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
) -> Answer:
    """Open an acknowledged, suppressed or resolved exception. The assignee stays."""
    return await steps.take(exception_id, step_requests.reopening(actor, data.reason))


@post(PATH + "/suppress", status_code=200, summary="Let an exception rest", opt=_OPT)
async def suppress(
    exception_id: FromPath[UUID],
    data: JSONBody[SuppressBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
) -> Answer:
    """Suppress an exception until the first of: a time, a larger difference, more occurrences."""
    request = step_requests.suppressing(
        actor, data.reason, until=data.until, beyond=to_size(data.beyond), occurrences=data.occurrences
    )
    return await steps.take(exception_id, request)


@post(PATH + "/comment", status_code=200, summary="Comment on an exception", opt=_OPT)
async def comment(
    exception_id: FromPath[UUID],
    data: JSONBody[CommentBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
) -> Answer:
    """Write a text into the exception's history."""
    return await steps.take(exception_id, step_requests.commenting(actor, data.text))


@post(PATH + "/revert", status_code=200, summary="Take a person's last step back", opt=_OPT)
async def revert(
    exception_id: FromPath[UUID],
    data: JSONBody[RevertBody],
    actor: NamedDependency[str],
    steps: NamedDependency[StepTaker],
) -> Answer:
    """Restore status, assignee and suppression as before the last step, which must be a person's."""
    return await steps.take(exception_id, step_requests.taking_back(actor, data.reason))


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path="/",
        route_handlers=[acknowledge, assign, resolve, reopen, suppress, comment, revert],
        exception_handlers=STEP_EXCEPTION_HANDLERS,
        dependencies={"steps": Provide(provide_step_taker, sync_to_thread=False)},
    ),
)
