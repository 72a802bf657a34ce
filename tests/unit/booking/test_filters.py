"""Filters of the list of bookings."""

from booking.domain.filters import BookingFilter
from booking.domain.statuses import Status


def test_filter_without_an_index_is_a_search() -> None:
    assert BookingFilter(client="ada").is_search
    assert not BookingFilter(status=Status.PENDING, phone="+13125550100").is_search
