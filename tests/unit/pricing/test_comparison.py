"""Differences between a stored and a recomputed price add up, whatever was stored."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.money import CurrencyMismatchError
from pricing import (
    UNEXPLAINED_CODE,
    Line,
    LineDifference,
    Snapshot,
    agrees,
    compare,
    recompute,
    snapshot,
    with_override,
)
from pricing.quotes import AMOUNT_MINOR_UNITS_MAX
from unit.pricing.pricing_cases import CARD, stay_request, visit_request

STAY = snapshot(stay_request("housesitting", 2, 3, holiday=True), CARD)
VISITS = snapshot(visit_request("drop-in", 30, 60, 30, pets=3, holiday=True), CARD)
LONGER_STAY = snapshot(stay_request("housesitting", 3), CARD).inputs.stay


def with_line(stored: Snapshot, index: int, **changes: int | str) -> Snapshot:
    lines = [*stored.lines]
    lines[index] = replace(lines[index], **changes)
    return replace(stored, lines=tuple(lines))


def test_sound_snapshot_agrees_and_every_line_differs_by_nothing() -> None:
    assert agrees(STAY, recompute(STAY))
    assert compare(STAY, recompute(STAY)) == (
        LineDifference("night", 16000, 16000, 0),
        LineDifference("extra_pet", 4000, 4000, 0),
        LineDifference("holiday", 5000, 5000, 0),
    )


def test_total_changed_alone_is_a_line_of_its_own() -> None:
    damaged = replace(STAY, total=25001)
    assert compare(damaged, recompute(damaged))[-1] == LineDifference(UNEXPLAINED_CODE, 1, 0, -1)


def test_line_and_total_changed_together_show_at_the_line() -> None:
    damaged = replace(with_line(STAY, 1, amount=3000), total=24000)
    found = [line for line in compare(damaged, recompute(damaged)) if line.difference]
    assert found == [LineDifference("extra_pet", 3000, 4000, 1000)]


def test_line_lost_and_line_invented_both_show() -> None:
    invented = Line("gratuity", "Gratuity", 1, 700, 700)
    damaged = replace(STAY, lines=(STAY.lines[0], STAY.lines[1], invented), total=20700)
    found = [line for line in compare(damaged, recompute(damaged)) if line.difference]
    assert found == [LineDifference("gratuity", 700, 0, -700), LineDifference("holiday", 0, 5000, 5000)]


def test_line_stored_twice_shows_at_that_line() -> None:
    damaged = replace(STAY, lines=(*STAY.lines, STAY.lines[2]), total=30000)
    found = [line for line in compare(damaged, recompute(damaged)) if line.difference]
    assert found == [LineDifference("holiday", 10000, 5000, -5000)]


DAMAGES: dict[str, Callable[[Snapshot], Snapshot]] = {
    "total": lambda stored: replace(stored, total=stored.total + 1),
    "sign": lambda stored: replace(stored, total=-stored.total),
    "major units": lambda stored: replace(stored, total=stored.total // 100),
    "amount": lambda stored: with_line(stored, 0, amount=stored.lines[0].amount - 1),
    "quantity": lambda stored: with_line(stored, 0, quantity=stored.lines[0].quantity + 1),
    "unit amount": lambda stored: with_line(stored, 1, unit_amount=1),
    "code": lambda stored: with_line(stored, 1, code="extra-pet"),
    "line lost": lambda stored: replace(stored, lines=stored.lines[1:]),
    "line twice": lambda stored: replace(stored, lines=(*stored.lines, stored.lines[0])),
    "lines swapped": lambda stored: with_line(with_line(stored, 0, amount=4000), 1, amount=16000),
    "currency": lambda stored: replace(stored, currency="EUR"),
    "pets": lambda stored: replace(stored, inputs=replace(stored.inputs, pets=2)),
    "service": lambda stored: replace(stored, inputs=replace(stored.inputs, service="24-7-care")),
    "holiday": lambda stored: replace(stored, inputs=replace(stored.inputs, holiday=False)),
    "visits": lambda stored: replace(
        stored, inputs=replace(stored.inputs, service="drop-in", visits=(stored.inputs.stay,))
    ),
    "stay": lambda stored: replace(stored, inputs=replace(stored.inputs, stay=LONGER_STAY)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_any_single_damage_is_seen(damage: Callable[[Snapshot], Snapshot]) -> None:
    damaged = damage(STAY)
    assert not agrees(damaged, recompute(damaged))


def test_overridden_price_that_was_changed_is_seen() -> None:
    agreed = with_override(STAY, after=20000, reason="agreed", actor="ana")
    assert agreed.override is not None
    damaged = replace(agreed, override=replace(agreed.override, after=2000))
    assert compare(damaged, recompute(damaged))[-1] == LineDifference("override", -5000, -23000, -18000)


def test_other_currency_has_no_difference() -> None:
    with pytest.raises(CurrencyMismatchError, match=r"EUR.*USD"):
        compare(replace(STAY, currency="EUR"), recompute(STAY))


amounts = st.integers(-AMOUNT_MINOR_UNITS_MAX, AMOUNT_MINOR_UNITS_MAX)
codes = st.sampled_from(["visit", "night", "extra_pet", "holiday", "override", UNEXPLAINED_CODE]) | st.text()
stored_lines = st.builds(Line, codes, st.text(), amounts, amounts, amounts)


@given(st.sampled_from([STAY, VISITS]), st.lists(stored_lines, max_size=8), amounts)
def test_differences_always_add_up_to_that_of_the_totals(
    stored: Snapshot, lines: list[Line], total: int
) -> None:
    damaged = replace(stored, lines=tuple(lines), total=total)
    recomputed = recompute(damaged)
    differences = compare(damaged, recomputed)
    assert sum(line.difference for line in differences) == recomputed.total - total
    assert all(line.difference == line.recomputed_amount - line.snapshot_amount for line in differences)
    assert sum(line.snapshot_amount for line in differences) == total
    assert len({line.code for line in differences}) == len(differences)
