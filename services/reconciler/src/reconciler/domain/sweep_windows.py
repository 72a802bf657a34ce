"""Which part of Stripe's lists a sweep reads (REC-13)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

HORIZON = timedelta(days=30)
"""Stripe's event list goes back this far (docs.stripe.com/api/events)."""

OVERLAP = timedelta(hours=1)
"""Objects appear in a list some time after the second of their creation; two sweeps overlap by this time."""

PENDING = timedelta(days=3)
"""Stripe tries to deliver an event for this time (docs.stripe.com/webhooks). A younger one is pending."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far the last finished sweep has come.

    Attributes:
        until: it read events up to this time.
        pending_since: time of the oldest event that was pending then; None without one.
        objects_until: it compared objects up to this time.
    """

    until: datetime
    pending_since: datetime | None
    objects_until: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Times of a sweep. Events from `events_since` on, objects from `objects_since` to `objects_until`."""

    events_since: datetime
    objects_since: datetime
    objects_until: datetime
    until: datetime


def window(last: Coverage | None, *, since: datetime | None, grace: timedelta, now: datetime) -> Window:
    """Return the window of a sweep that starts now.

    An event that was pending in the last sweep is read again, however old it is by now: otherwise an event
    would never become missed.

    Args:
        last: the last finished sweep; None before the first one.
        since: asked for; None for everything that the last sweep has not judged.
        grace: objects younger than this are not compared.
        now: start of the sweep.
    """
    horizon = now - HORIZON
    if since is not None:
        events_since = objects_since = since
    elif last is None:
        events_since = objects_since = horizon
    else:
        events_since = min(last.until, last.pending_since or last.until) - OVERLAP
        objects_since = last.objects_until - OVERLAP
    objects_until = now - grace
    return Window(
        max(events_since, horizon),
        min(max(objects_since, horizon), objects_until),
        objects_until,
        now,
    )
