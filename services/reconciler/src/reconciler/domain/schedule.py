"""Slots of the nightly run (REC-1).

A schedule is in wall-clock time of its zone. Rules over daylight-saving changes:

* a time that does not exist (clocks went forward) counts at the first moment that exists after it;
* a time that exists twice (clocks went back) counts once, at its first occurrence;
* two times that fall on the same moment are one slot.

cronsim computes wall-clock times only: with a zone it would skip `*/30 2 * * *` on the day without that hour,
and run `*/30 1 * * *` twice as often on the day with that hour twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = 5


class InvalidScheduleError(ValueError):
    """Not a cron expression: write minute, hour, day of month, month and day of week, as in `0 2 * * *`."""


def check_cron(cron: str) -> str:
    """Return the expression unchanged.

    Raises:
        InvalidScheduleError: the expression is invalid, or never due.
    """
    if len(cron.split()) != FIELDS:
        raise InvalidScheduleError(f"{cron!r} has not {FIELDS} fields: minute hour day month weekday")
    try:
        never = next(CronSim(cron, datetime(2000, 1, 1)), None) is None  # noqa: DTZ001 - wall clock
    except CronSimError as error:
        raise InvalidScheduleError(f"{cron!r} is no cron expression: {error}") from error
    if never:
        raise InvalidScheduleError(f"{cron!r} is never due")
    return cron


def slots(cron: str, zone: ZoneInfo, *, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the times in UTC at which the schedule is due, in order, with after < slot <= until.

    Raises:
        InvalidScheduleError: `cron` is invalid.
    """
    check_cron(cron)
    last = after
    wall_clock = CronSim(cron, after.astimezone(zone).replace(tzinfo=None))
    for slot in takewhile(lambda moment: moment <= until, (_moment(wall, zone) for wall in wall_clock)):
        if slot > last:
            last = slot
            yield slot


@dataclass(frozen=True, slots=True)
class DueSlots:
    """Slots that are due.

    Attributes:
        latest: the slot to request now; None if all were missed too long ago, or none is due.
        skipped: the ones before it, in order.
    """

    latest: datetime | None
    skipped: tuple[datetime, ...] = ()


def due_slots(cron: str, zone: ZoneInfo, *, since: datetime, now: datetime, lateness: timedelta) -> DueSlots:
    """Return the slots that are due since `since`.

    A slot that no process requested is made up for within `lateness`; of several, only the latest: a run
    checks every booking, so one run is enough.
    """
    due = tuple(slots(cron, zone, after=since, until=now))
    if due and due[-1] > now - lateness:
        return DueSlots(due[-1], due[:-1])
    return DueSlots(None, due)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) != wall:
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
    return moment
