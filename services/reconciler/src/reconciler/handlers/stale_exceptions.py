"""Resolve exceptions of bookings that a run no longer evaluates."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from chassis import clock
from chassis.postgres import Connection, Database
from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import statuses_of_unevaluated
from reconciler.domain.findings import RUN_TYPES, RunType
from reconciler.handlers.exception_queue import CANCELLED, Passing, resolve_unseen

BOOKINGS_PER_TRANSACTION_MAX = 1_000

MONEY_IS_GONE = Passing("fixed", "the booking holds no money any more")
_BY_STATUS = {
    "cancelled": CANCELLED,
    "pending": Passing("not_evaluated", "no longer evaluated: the booking is pending again"),
    None: Passing("not_evaluated", "no longer evaluated: there is no such booking any more"),
}
_PRICE_TYPES: tuple[RunType, ...] = tuple(kind for kind in RUN_TYPES if kind != "cancelled_but_paid")


async def resolve_stale(
    connection: Connection, bookings: Database, run_id: str, *, only: str | None = None
) -> None:
    """Resolve exceptions of bookings that the view no longer has, each with the reason.

    A booking that this run evaluated, or could not evaluate, keeps its exceptions.

    Args:
        connection: of the reconciler; not in a transaction.
        bookings: booking's database as the SELECT-only role.
        run_id: a run that has read every page.
        only: the run's only booking; None for a run of all bookings.
    """
    after = ""
    while booking_ids := await exceptions.bookings_not_seen(
        connection, run_id, after=after, rows_max=BOOKINGS_PER_TRANSACTION_MAX, only=only
    ):
        after = booking_ids[-1]
        evidence = await exceptions.next_evidence(connection)
        by_status: defaultdict[str | None, list[str]] = defaultdict(list)
        for booking_id, status in (await statuses_of_unevaluated(bookings, booking_ids)).items():
            by_status[status].append(booking_id)
        async with connection.transaction():
            for status, stale in by_status.items():
                for passing, types in _passings(status):
                    await resolve_unseen(
                        connection,
                        stale,
                        passing,
                        run_id=run_id,
                        evidence=evidence,
                        now=clock.now(),
                        types=types,
                    )


def _passings(status: str | None) -> Iterable[tuple[Passing, Sequence[RunType]]]:
    if status == "cancelled":
        return ((MONEY_IS_GONE, ("cancelled_but_paid",)), (CANCELLED, _PRICE_TYPES))
    return ((_BY_STATUS[status], RUN_TYPES),)
