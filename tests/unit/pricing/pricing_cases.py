"""Requests and cards that several test files of this folder price."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from pricing import PriceRequest, rate_card
from pricing.inputs import PETS_MAX

CHICAGO = ZoneInfo("America/Chicago")
NO_HOLIDAY = date(2025, 3, 4)
CARD = rate_card("default", "2025-01")
SERVICES = sorted(CARD.services)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), CHICAGO)


def visits_of(*minutes: int, day: date = NO_HOLIDAY) -> tuple[tuple[datetime, datetime], ...]:
    starts = [at(day, 9 + 2 * index) for index in range(len(minutes))]
    return tuple(
        (start, start + timedelta(minutes=length)) for start, length in zip(starts, minutes, strict=True)
    )


def visit_request(service: str, *minutes: int, pets: int = 1, holiday: bool | None = None) -> PriceRequest:
    visits = visits_of(*minutes)
    return PriceRequest(
        service=service,
        starts_at=visits[0][0],
        ends_at=visits[-1][1],
        visits=visits,
        pets=pets,
        holiday=holiday,
    )


def stay_request(
    service: str, nights: int, pets: int = 1, *, first: date = NO_HOLIDAY, holiday: bool | None = None
) -> PriceRequest:
    return PriceRequest(
        service=service,
        starts_at=at(first, 10),
        ends_at=at(first + timedelta(days=nights), 10),
        pets=pets,
        holiday=holiday,
    )


_offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(
    datetime.fromisoformat("2020-01-01"),
    datetime.fromisoformat("2099-01-01"),
    timezones=st.one_of(st.just(UTC), _offsets),
)


@st.composite
def _slots(draw: st.DrawFn, minutes_max: int) -> tuple[datetime, datetime]:
    start = draw(_moments)
    return start, (start.astimezone(UTC) + timedelta(minutes=draw(st.integers(1, minutes_max))))


@st.composite
def requests(draw: st.DrawFn) -> PriceRequest:
    starts_at, ends_at = draw(_slots(minutes_max=40 * 24 * 60))
    return PriceRequest(
        service=draw(st.sampled_from(SERVICES)),
        starts_at=starts_at,
        ends_at=ends_at,
        visits=tuple(draw(st.lists(_slots(minutes_max=180), max_size=5))),
        pets=draw(st.integers(1, PETS_MAX)),
        holiday=draw(st.sampled_from([None, True, False])),
        time_zone=draw(
            st.sampled_from([None, "UTC", "America/New_York", "Pacific/Kiritimati", "Asia/Kolkata"])
        ),
    )
