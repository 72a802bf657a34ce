"""The report of today's prices, read through booking's view page by page."""

from collections.abc import Callable
from zoneinfo import ZoneInfo

from chassis.postgres import Database
from reconciler.adapters.booking_view import estimate_bookings, read_page
from reconciler.domain.card_report import CardReport
from reconciler.domain.scopes import ALL


async def fill(
    report: CardReport, bookings: Database, zone: ZoneInfo, show: Callable[[int, int], None]
) -> CardReport:
    """Add every booking of the view to the report. Nothing is written anywhere.

    Args:
        report: without bookings.
        bookings: booking's database as the SELECT-only role.
        zone: of the business.
        show: called after each page with the number of bookings read and an estimate of all.
    """
    estimate, read, reached = await estimate_bookings(bookings, ALL), 0, None
    while True:
        passed = await read_page(bookings, ALL, zone, after_booking_id=reached, take=report.add)
        reached = passed.last_booking_id
        if reached is None:
            return report
        read += passed.bookings
        show(read, max(read, estimate))
