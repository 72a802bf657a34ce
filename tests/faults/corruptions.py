"""Twenty kinds of wrong money and more, each with what a run must say about it (F31, REC-3 to REC-6).

A corruption is hand-written SQL, as somebody with rights on the tables would write it. In it `d` is a
difference in cents that the row draws for each booking. The finding is named by its class, its type or its
obstacle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Grade = Literal["low", "medium", "high"]
Card = Literal["default", "example"]

# Limits of REC-4, stated anew: the row trusts no code under test.
MEDIUM_FROM, HIGH_FROM = 101, 1001


def by_difference(difference: int) -> Grade:
    """Return the severity of a difference in cents: above 10.00 high, above 1.00 medium."""
    size = abs(difference)
    return "high" if size >= HIGH_FROM else "medium" if size >= MEDIUM_FROM else "low"


def high(_difference: int) -> Grade:
    """Return high: a whole line, a whole price, or nobody knows what is at stake."""
    return "high"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of corruption.

    Attributes:
        name: what is wrong, for a reader.
        changes: SET clauses of `booking`, or whole statements; `d` is the difference, `id` the booking.
        finding: class, type or obstacle that a run must report, and nothing else.
        severity: of the finding, for a difference.
        card: rate card of the bookings; only `example` has a discount, a fee and a tax.
        sign: of the differences, where only one makes sense; 0 for both.
    """

    name: str
    changes: tuple[str, ...]
    finding: str
    severity: Callable[[int], Grade] = by_difference
    card: Card = "default"
    sign: Literal[-1, 0, 1] = 0


def _raised(path: str) -> str:
    """Return the SET clause that adds `d` to a number of the snapshot."""
    return f"pricing = jsonb_set(pricing, '{{{path}}}', to_jsonb((pricing #>> '{{{path}}}')::bigint + d))"


def _set(path: str, value: str) -> str:
    return f"pricing = jsonb_set(pricing, '{{{path}}}', '{value}')"


def _payment(change: str) -> str:
    return f"UPDATE payment SET {change} FROM damage WHERE booking_id = id"


def _paid(difference: str) -> tuple[str, str]:
    """Return the changes of a payment that booking itself knows of."""
    return (
        _payment(f"captured = captured + ({difference})"),
        f"captured = captured + ({difference})",
    )


_SECOND_PAYMENT = """
INSERT INTO payment (booking_id, provider, provider_payment_id, event_id, captured, currency)
SELECT booking_id, provider, provider_payment_id || '_2', event_id || '_2', captured, currency
FROM payment JOIN damage ON booking_id = id
"""

# Lines of a default booking: two visits, one long visit, extra pets, holiday.
VISIT, LONG_VISIT = "line_items,0", "line_items,1"
# Lines of an example booking: visits, extra pets, holiday, discount, fee, tax.
DISCOUNT, FEE, TAX = "line_items,3", "line_items,4", "line_items,5"

KINDS: tuple[Kind, ...] = (
    # The stored price was changed after it was computed.
    Kind("total of the booking", ("total = total + d",), "snapshot_corrupt"),
    Kind("total in the snapshot", (_raised("total"),), "snapshot_corrupt"),
    Kind(
        "both totals and a line, alike",
        ("total = total + d", _raised("total"), _raised(f"{VISIT},amount")),
        "snapshot_corrupt",
    ),
    Kind("amount of a line, so that the sum is wrong", (_raised(f"{VISIT},amount"),), "snapshot_corrupt"),
    Kind("unit amount of a line", (_raised(f"{LONG_VISIT},unit_amount"),), "snapshot_corrupt"),
    Kind("quantity of a line", (_set(f"{LONG_VISIT},quantity", "2"),), "snapshot_corrupt", high),
    Kind("negative quantity", (_set(f"{LONG_VISIT},quantity", "-1"),), "snapshot_corrupt", high),
    Kind(
        "two lines that make up for each other",
        (_raised(f"{VISIT},amount"), _raised(f"{LONG_VISIT},amount").replace("+ d", "- d")),
        "snapshot_corrupt",
    ),
    Kind("a line left out", (f"pricing = pricing #- '{{{LONG_VISIT}}}'",), "snapshot_corrupt", high),
    Kind(
        "a line twice",
        (f"pricing = jsonb_insert(pricing, '{{{VISIT}}}', pricing #> '{{{VISIT}}}')",),
        "snapshot_corrupt",
        high,
    ),
    Kind("discount", (_raised(f"{DISCOUNT},amount"),), "snapshot_corrupt", card="example"),
    Kind("fee", (_raised(f"{FEE},amount"),), "snapshot_corrupt", card="example"),
    Kind("tax", (_raised(f"{TAX},amount"),), "snapshot_corrupt", card="example"),
    # An input was changed: stored and charged price agree, the engine says something else.
    Kind("number of pets in the inputs", (_set("inputs,pets", "4"),), "engine_drift", high),
    Kind("holiday in the inputs", (_set("inputs,holiday", "false"),), "engine_drift", high),
    # Currencies.
    Kind("currency of the booking", ("currency = 'EUR'",), "currency_mismatch", high),
    Kind("currency of the snapshot", (_set("currency", '"EUR"'),), "currency_mismatch", high),
    Kind(
        "charged in another currency",
        (
            _payment("currency = 'EUR', anomaly = 'currency_mismatch'"),
            "captured = 0",
        ),
        "currency_mismatch",
        high,
    ),
    # Nothing follows from the stored values.
    Kind("snapshot set to NULL", ("pricing = NULL",), "snapshot_missing", high),
    Kind("snapshot that is no object", ("pricing = '\"132.00\"'",), "snapshot_unreadable", high),
    Kind("amount beyond 2^63", (_set("total", str(2**63)),), "snapshot_unreadable", high),
    Kind("unknown engine", (_set("engine_version", "99"),), "version_unknown", high),
    Kind("unknown rate card", (_set("rate_card,version", '"1999-13"'),), "version_unknown", high),
    Kind("status set to pending", ("status = 'pending'",), "history_disagrees", high),
    Kind("status set to cancelled", ("status = 'cancelled'",), "history_disagrees", high),
    Kind("sum of captured money", ("captured = captured + abs(d)",), "sums_disagree", high),
    Kind("sum of refunded money", ("refunded = refunded + abs(d)",), "sums_disagree", high),
    Kind("payment status", ("payment_status = 'unpaid'",), "payment_status_disagrees", high),
    Kind(
        "payment refunded beyond what was captured",
        (_payment("refunded = captured + 1"),),
        "payments_impossible",
        high,
    ),
    Kind("confirmed in a year", ("confirmed_at = now() + interval '1 year'",), "time_impossible", high),
    # The charge is not the price.
    Kind("charged more", _paid("d"), "charge_mismatch", sign=1),
    Kind("charged less", _paid("d"), "charge_mismatch", sign=-1),
    Kind("price raised and less charged", ("total = total + d", *_paid("-d")), "all_differ", sign=1),
    Kind(
        "charged twice",
        (
            _SECOND_PAYMENT,
            "captured = captured * 2",
        ),
        "duplicate_charge",
        high,
    ),
    Kind(
        "charge missing",
        ("DELETE FROM payment USING damage WHERE booking_id = id", "captured = 0"),
        "not_charged",
        high,
    ),
)

# One cent is rounding, wherever it is.
EDGES: tuple[Kind, ...] = (
    Kind("one cent in the booking's total", ("total = total + sign(d)::integer",), ""),
    Kind("one cent in a line", (_raised(f"{VISIT},amount").replace("+ d", "+ sign(d)::integer"),), ""),
    Kind(
        "one cent in the tax",
        (_raised(f"{TAX},amount").replace("+ d", "+ sign(d)::integer"),),
        "",
        card="example",
    ),
    Kind("one cent more charged", _paid("sign(d)::integer"), ""),
)
