"""Explanations of findings: JSON for a person, with lines and totals for programs (REC-6)."""

from typing import Any

from contracts.text import sanitize_for_postgres
from reconciler.domain.cancelled import HeldMoney
from reconciler.domain.causes import Waiting
from reconciler.domain.meanings import MEANINGS, suggestion
from reconciler.domain.obstacles import Obstacle
from reconciler.domain.price_findings import PriceFinding
from reconciler.domain.sentences import sentence

Explanation = dict[str, Any]


def explain_price(price: PriceFinding) -> Explanation:
    """Return the explanation of a price; the differences of its lines add up to `drift`.

    `drift` and the stored total are null where the stored price is in another currency.
    """
    is_comparable = price.price_currencies is None
    return {
        "sentence": sentence(price),
        **_advice(price.kind, price.waiting),
        "currency": price.currency,
        "totals": _totals(price.snapshot if is_comparable else None, price.recomputed, price.charged),
        "drift": price.drift if is_comparable else None,
        "charge_difference": price.charge_difference if is_comparable else None,
        "lines": [
            {
                "code": line.code,
                "snapshot": line.snapshot_amount,
                "recomputed": line.recomputed_amount,
                "difference": line.difference,
            }
            for line in price.lines
        ],
        "rate_card": price.rate_card,
        "engine_version": price.engine,
        "refund_pending": price.charge.refund_pending,
        "disputed": price.charge.disputed,
        "lost": price.charge.lost,
        "remarks": list(price.remarks),
    }


def explain_held(money: HeldMoney) -> Explanation:
    """Return the explanation of a cancelled booking's money."""
    return {
        "sentence": sanitize_for_postgres(money.sentence),
        **_advice("cancelled_but_paid", money.waiting),
        "currency": sanitize_for_postgres(money.currency),
        "totals": _totals(None, None, money.captured - money.refunded),
        "lines": [],
        "held": money.held,
        "captured": money.captured,
        "refunded": money.refunded,
        "refund_pending": money.refund_pending,
        "disputed": money.disputed,
        "cancelled_at": money.cancelled_at.isoformat(),
        "remarks": [sanitize_for_postgres(remark) for remark in money.remarks],
    }


def explain_obstacle(error: str, obstacle: Obstacle) -> Explanation:
    """Return the explanation of a booking that could not be evaluated; `error` says what disagrees."""
    problem = error if obstacle == "unexpected_error" else f"Its {error}"
    return {
        "sentence": f"The booking cannot be compared. {problem}.",
        **_advice(obstacle, None),
        "obstacle": obstacle,
        "totals": _totals(None, None, None),
        "lines": [],
        "remarks": [error],
    }


def explain_reported(
    kind: str, what: str, details: Explanation, *, charged: int | None, remark: str
) -> Explanation:
    """Return the explanation of a problem that another service reported."""
    return {
        "sentence": what,
        **_advice(kind, None),
        "totals": _totals(None, None, charged),
        "lines": [],
        **details,
        "remarks": [remark],
    }


def _advice(kind: str, waiting: Waiting | None) -> Explanation:
    return {"meaning": MEANINGS[kind].meaning, "suggestion": suggestion(kind, waiting)}


def _totals(snapshot: int | None, recomputed: int | None, charged: int | None) -> dict[str, int | None]:
    return {"snapshot": snapshot, "recomputed": recomputed, "charged": charged}
