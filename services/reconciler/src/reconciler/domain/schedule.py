"""When the nightly run is due (REC-1).

A schedule is read on the wall clock of its zone. Over daylight-saving changes the rule is our own:

* a time that does not exist (clocks went forward) counts at the first moment that exists after it;
* a time that exists twice (clocks went back) counts once, at its first occurrence;
* two times that fall on the same moment so are one slot.

cronsim gives the wall-clock times alone: asked for a zone's, it would skip `*/30 2 * * *` on the day that
has no such hour, and count `*/30 1 * * *` twice as often on the day that has it twice.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

FIELDS = 5

MISSED_SLOT_HOURS_MAX = 24
"""A slot missed while nobody ran is made up for within this time; of several, only the latest."""


class InvalidScheduleError(ValueError):
    """Not a cron expression: write minute, hour, day of month, month and day of week, as in `0 2 * * *`."""


def check_cron(cron: str) -> str:
    """The expression as given; InvalidScheduleError where it is none, or can never be due."""
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
    """The moments at which the schedule is due, in UTC, with after < slot <= until, in order.

    Raises:
        InvalidScheduleError: `cron` is no cron expression.
    """
    check_cron(cron)
    last = after
    wall_clock = CronSim(cron, after.astimezone(zone).replace(tzinfo=None))
    for slot in takewhile(lambda moment: moment <= until, (_moment(wall, zone) for wall in wall_clock)):
        if slot > last:
            last = slot
            yield slot


def latest_due(cron: str, zone: ZoneInfo, *, since: datetime, now: datetime) -> datetime | None:
    """The slot to run now: the latest that is due since `since`, None if there is none.

    Older ones are not made up for: a run checks everything, so the latest stands for all of them.
    """
    after = max(since, now - timedelta(hours=MISSED_SLOT_HOURS_MAX))
    latest = None
    for slot in slots(cron, zone, after=after, until=now):
        latest = slot
    return latest


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    while moment.astimezone(zone).replace(tzinfo=None) != wall:
        wall = wall.replace(second=0, microsecond=0) + timedelta(minutes=1)
        moment = wall.replace(tzinfo=zone).astimezone(UTC)
    return moment
