"""Conversion of requests to inputs: only this module asks the time zone database and the holiday calendar."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from pricing.errors import InvalidPriceRequestError, excerpt
from pricing.holiday_calendar import holidays_among
from pricing.inputs import Inputs
from pricing.price_requests import PriceRequest, Slot
from pricing.rate_card import RateCard
from pricing.time_zones import find_time_zone


def resolve(request: PriceRequest, card: RateCard) -> Inputs:
    """Return the inputs of this request by the time zones and holidays known today.

    Raises:
        InvalidPriceRequestError: a field cannot be priced.
        UnknownServiceError: the card does not have the service.
    """
    service = card.service(request.service)
    name = request.time_zone or card.time_zone
    zone = find_time_zone(name)
    if zone is None:
        raise InvalidPriceRequestError(f"time_zone: {excerpt(name)} is no IANA time zone")
    inputs = Inputs(
        service=request.service,
        pets=request.pets,
        time_zone=name,
        stay=_local_slot((request.starts_at, request.ends_at), zone, ""),
        visits=tuple(
            _local_slot(visit, zone, f"visits.{index}.") for index, visit in enumerate(request.visits)
        ),
        holiday=request.holiday,
        holiday_dates=(),
    )
    if request.holiday is not None:
        return inputs
    return replace(inputs, holiday_dates=holidays_among(inputs.unit_dates(service.unit), card.holidays))


def _local_slot(slot: Slot, zone: ZoneInfo, where: str) -> Slot:
    starts, ends = slot
    return _local(starts, zone, f"{where}starts_at"), _local(ends, zone, f"{where}ends_at")


def _local(moment: datetime, zone: ZoneInfo, field: str) -> datetime:
    if moment.utcoffset() is None:
        raise InvalidPriceRequestError(f"{field}: {moment.isoformat()} has no offset from UTC")
    try:
        local = moment.astimezone(zone)
    except OverflowError as error:
        raise InvalidPriceRequestError(f"{field}: {moment.isoformat()} is out of range") from error
    offset = local.utcoffset()
    assert offset is not None, "a moment in a zone has an offset"
    return local.replace(tzinfo=timezone(offset), fold=0)
