"""Route of a booking's status history."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from audit.api.problems import unknown_booking
from audit.api.responses import BookingHistory, shown_time, transition_items
from audit.domain.identifiers import booking_identifier
from audit.handlers import queries
from chassis.http.openapi.problems import refuses
from chassis.postgres import Database


@get(
    "/api/bookings/{booking_id:str}/history",
    summary="Status history",
    tags=["bookings"],
    opt=refuses({404: ["not-found"]}),
)
async def status_history(booking_id: FromPath[str], database: NamedDependency[Database]) -> BookingHistory:
    history = await queries.get_status_history(database, booking_identifier(booking_id))
    if history is None:
        raise unknown_booking()
    response: BookingHistory = {
        "booking_id": booking_identifier(booking_id),
        "history": transition_items(history.transitions),
        "oldest_retained": shown_time(history.oldest_retained),
        "complete": history.is_complete,
    }
    if history.missing_versions:
        response["missing_versions"] = history.missing_versions
        response["waiting_versions"] = history.waiting_versions
    return response
