"""Rows of booking's view as they travel: a plain booking in six columns, any other as JSON text.

*Plain* is a form of transport and judges nothing. The columns of a plain row follow from its total, currency
and status: the reader fills in what the database left out, and the booking is the same as from the long form.
Most bookings were paid once and exactly, and half of the time of reading a row went into columns that say so.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from reconciler.domain.bookings import StoredBooking, UnreadableBooking

# Times that the driver can decode. For others ('infinity', 4714 BC) it fails the whole page.
_DECODABLE = "BETWEEN '2000-01-01' AND '2200-01-01'"

IS_PLAIN = f"""
(
    history_status, payment_status, captured, refunded, charge_count, payment_currencies, held,
    contradictory_payments, refund_pending, disputed, lost, pending_payments, open_anomalies,
    kept_captured, kept_refunded, counted_captured, counted_refunded
) = (
    status, 'paid', total, 0, 1, ARRAY[currency], total,
    0, 0, 0, 0, 0, 0,
    total, 0, total, 0
)
AND cancelled_at IS NULL
AND coalesce(confirmed_at, created_at) {_DECODABLE}
"""
"""True if every column that is left out has the value that `read_row` fills in; else false or NULL."""

# The columns of a StoredBooking, in its order. The session's zone is UTC, which PostgreSQL writes as +00 and
# RFC 3339 as +00:00.
_LONG_FORM = """
    json_build_array(
        booking_id, status, history_status, payment_status, currency, total, pricing::text,
        captured, refunded, charge_count, payment_currencies,
        coalesce(confirmed_at, created_at)::text || ':00',
        cancelled_at::text || ':00', held::text, contradictory_payments, refund_pending::text, disputed::text,
        lost::text, pending_payments,
        CASE WHEN pending_payments > 0 THEN money_changed_at::text || ':00' END, open_anomalies,
        kept_captured, kept_refunded, counted_captured, counted_refunded
    )::text
"""
_OFFSET_MINUTES = ":00"
_COLUMNS = 6

ROW = f"""
    page.booking_id::text AS booking_id, status, currency, total,
    CASE WHEN is_plain THEN pricing::text ELSE {_LONG_FORM} END AS pricing_or_row,
    CASE WHEN is_plain THEN coalesce(confirmed_at, created_at) END AS due_at
"""
"""Columns that `read_row` reads, of rows `page` with a column `is_plain`."""

_FIELDS = StoredBooking.__struct_fields__
_OPTIONAL = frozenset({"pricing", "cancelled_at", "history_status", "money_changed_at"})
_REQUIRED = tuple(name for name in _FIELDS if name not in _OPTIONAL)
_MOMENTS = (
    ("due_at", "confirmed_at"), ("cancelled_at", "cancelled_at"), ("money_changed_at", "money_changed_at")
)  # fmt: skip
"""Fields that are times, and their columns."""
_NUMERIC = ("held", "refund_pending", "disputed", "lost")

# Not strict: numeric and times are text.
_LONG = msgspec.json.Decoder(StoredBooking, strict=False)


def read_row(row: asyncpg.Record) -> StoredBooking | UnreadableBooking:
    """Return the row's booking, or the row's error: a damaged row affects no other booking (REC-12)."""
    booking_id, status, currency, total, pricing, due_at = row[:_COLUMNS]
    if due_at is None:
        return _read_long(pricing)
    # By position, in the order of the columns: by name it takes six times as long.
    return StoredBooking(
        booking_id, status, status, "paid", currency, total, pricing,
        total, 0, 1, (currency,), due_at, None,
        total, 0, 0, 0, 0, 0, None, 0,
        total, 0, total, 0,
    )  # fmt: skip


def _read_long(text: str) -> StoredBooking | UnreadableBooking:
    try:
        return _LONG.decode(text)
    except msgspec.MsgspecError:
        # Once more column by column, for an error in our words.
        return _read_columns(dict(zip(_FIELDS, json.loads(text), strict=True)))


def _read_columns(columns: dict[str, Any]) -> StoredBooking | UnreadableBooking:
    try:
        _refuse_null(columns)
        columns["payment_currencies"] = tuple(columns["payment_currencies"])
        for name, column in _MOMENTS:
            if (text := columns[name]) is not None:
                columns[name] = _moment(column, text)
        for name in _NUMERIC:
            columns[name] = int(columns[name])
        return StoredBooking(**columns)
    except ValueError as error:
        return UnreadableBooking(columns["booking_id"], str(error))


def _refuse_null(columns: Mapping[str, Any]) -> None:
    for name in _REQUIRED:
        if columns[name] is None:
            raise ValueError(f"{name}: NULL, or a sum beyond 64 bits")
    if None in columns["payment_currencies"]:
        raise ValueError("payments: one has no currency")


def _moment(name: str, text: str) -> datetime:
    text = text.removesuffix(_OFFSET_MINUTES)
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name}: {text} is a time that no calendar here has") from error
