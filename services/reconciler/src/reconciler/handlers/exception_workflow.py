"""A person's step on one exception, in the caller's transaction (REC-9)."""

from collections.abc import Callable
from datetime import datetime

from chassis.postgres import Connection
from reconciler.adapters import exception_history, exception_queries, exceptions
from reconciler.adapters.exception_queries import ExceptionWithHistory
from reconciler.domain.step_requests import StepContext, StepRequest
from reconciler.domain.steps import step
from reconciler.handlers.exception_steps import Change, write


class StaleExceptionError(Exception):
    """A step was taken since the caller read the exception."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the exception is at version {version} now: read it again, then decide")
        self.version = version


async def take_step(
    connection: Connection,
    exception_id: str,
    request: StepRequest,
    *,
    expects: Callable[[int], bool],
    now: datetime,
) -> ExceptionWithHistory | None:
    """Take a person's step and return the exception after it; None for an unknown id.

    The exception's row is locked: of two people one acts, and the other is told what happened.

    Args:
        connection: in a transaction.
        exception_id: of the exception.
        request: the step.
        expects: tells whether the caller has read this version.
        now: time of the step.

    Raises:
        StaleExceptionError: `expects` refuses the present version.
        StepRefusedError: the exception's state does not allow the step.
    """
    states = await exceptions.lock(connection, [exception_id])
    if not states:
        return None
    state = states[0]
    if not expects(state.version):
        raise StaleExceptionError(state.version)
    evidence = await exceptions.next_evidence(connection)
    last_steps = await exception_history.last_steps(connection, [exception_id])
    command = request(StepContext(state, evidence, last_steps.get(exception_id)))
    change = Change(state, step(state, command, at=now), is_persons=True)
    await write(connection, [change], at=now)
    return await exception_queries.get(connection, exception_id)
