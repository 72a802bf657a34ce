"""Ending the exceptions of bookings that a run does not evaluate any more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from chassis import clock
from chassis.postgres import Connection, Database
from reconciler.adapters import exceptions
from reconciler.adapters.booking_view import statuses_of_unwatched
from reconciler.adapters.exceptions import Ending
from reconciler.domain.sightings import RUN_TYPES, RunType
from reconciler.handlers.queue import CANCELLED, end

BOOKINGS_PER_TRANSACTION_MAX = 1_000

MONEY_IS_GONE = Ending("fixed", "the booking holds no money any more")
_BY_STATUS = {
    "cancelled": CANCELLED,
    "pending": Ending("not_evaluated", "no longer evaluated: the booking is pending again"),
    None: Ending("not_evaluated", "no longer evaluated: there is no such booking any more"),
}
_PRICE_TYPES: tuple[RunType, ...] = tuple(kind for kind in RUN_TYPES if kind != "cancelled_but_paid")


async def end_unwatched(connection: Connection, bookings: Database, run_id: str) -> None:
    """Resolve what a run over all bookings cannot see again, with the reason.

    A booking that this run evaluated, or tried to, keeps its exceptions as they are.
    """
    after = ""
    while unseen := await exceptions.bookings_unseen(
        connection, run_id, after=after, rows_max=BOOKINGS_PER_TRANSACTION_MAX
    ):
        after = unseen[-1]
        by_status: defaultdict[str | None, list[str]] = defaultdict(list)
        for booking_id, status in (await statuses_of_unwatched(bookings, unseen)).items():
            by_status[status].append(booking_id)
        async with connection.transaction():
            for status, booking_ids in by_status.items():
                for ending, types in _endings(status):
                    await end(connection, booking_ids, ending, run_id=run_id, now=clock.now(), types=types)


def _endings(status: str | None) -> Iterable[tuple[Ending, Sequence[RunType]]]:
    if status == "cancelled":
        return ((MONEY_IS_GONE, ("cancelled_but_paid",)), (CANCELLED, _PRICE_TYPES))
    return ((_BY_STATUS[status], RUN_TYPES),)
