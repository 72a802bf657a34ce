"""GW-9: N refusals per source, address and minute are published, the rest is one summary."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import NOW
from webhook_gateway.domain.refusal_budget import ADDRESSES_MAX, OTHER_ADDRESSES, RefusalBudget, Suppressed

MISMATCH, MISSING = RefusalReason.SIGNATURE_MISMATCH, RefusalReason.SIGNATURE_MISSING
MINUTE = timedelta(seconds=60)
MANY = 1_000_000


def test_refusals_beyond_the_budget_become_one_summary_when_the_window_ends() -> None:
    budget = RefusalBudget(2, MANY)
    admitted = [budget.admit("stripe", "1.2.3.4", reason, NOW) for reason in [MISMATCH] * 4 + [MISSING]]
    assert admitted == [True, True, False, False, False]
    assert budget.close_ended(NOW + MINUTE - timedelta(milliseconds=1)) == []
    summary = Suppressed("stripe", "1.2.3.4", {MISMATCH: 2, MISSING: 1}, NOW)
    assert budget.close_ended(NOW + MINUTE) == [summary]
    assert budget.close_ended(NOW + MINUTE) == []


def test_window_within_budget_ends_without_a_summary_and_a_new_one_begins() -> None:
    budget = RefusalBudget(1, MANY)
    assert budget.admit("stripe", "1.2.3.4", MISMATCH, NOW)
    assert budget.close_ended(NOW + MINUTE) == []
    assert budget.admit("stripe", "1.2.3.4", MISMATCH, NOW + MINUTE)


def test_sources_and_addresses_have_budgets_of_their_own() -> None:
    budget = RefusalBudget(1, MANY)
    pairs = [("stripe", "1.1.1.1"), ("sms", "1.1.1.1"), ("stripe", "2.2.2.2")]
    assert all(budget.admit(*pair, MISMATCH, NOW) for pair in pairs)
    assert not any(budget.admit(*pair, MISMATCH, NOW) for pair in pairs)


def test_flood_from_many_addresses_shares_one_budget_and_bounded_memory() -> None:
    budget = RefusalBudget(1, MANY)
    admitted = [budget.admit("stripe", str(n), MISMATCH, NOW) for n in range(ADDRESSES_MAX + 5_000)]
    assert sum(admitted) == ADDRESSES_MAX + 1
    assert len(budget._windows) == ADDRESSES_MAX + 1
    assert budget.close_all() == [Suppressed("stripe", OTHER_ADDRESSES, {MISMATCH: 4_999}, NOW)]


def test_flood_from_many_addresses_stays_below_the_ceiling_for_all() -> None:
    budget = RefusalBudget(60, 600)
    addresses = [f"10.0.0.{n}" for n in range(200)]
    admitted = [budget.admit("stripe", each, MISMATCH, NOW) for each in addresses for _ in range(61)]
    assert sum(admitted) == 600
    summaries = budget.close_ended(NOW + MINUTE)
    assert len(summaries) <= 11
    assert sum(each.by_reason[MISMATCH] for each in summaries) == 200 * 61 - 600
    assert budget.admit("stripe", "10.0.0.1", MISMATCH, NOW + MINUTE)


def test_ceiling_for_all_is_shared_by_all_sources_and_told_by_source() -> None:
    budget = RefusalBudget(10, 2)
    admitted = [budget.admit(source, source, MISMATCH, NOW) for source in ("a", "b", "c", "c", "d")]
    assert admitted == [True, True, False, False, False]
    assert budget.close_all() == [
        Suppressed("c", OTHER_ADDRESSES, {MISMATCH: 2}, NOW),
        Suppressed("d", OTHER_ADDRESSES, {MISMATCH: 1}, NOW),
    ]


@given(
    per_minute_max=st.integers(1, 5),
    all_per_minute_max=st.integers(1, 9),
    events=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 40)), max_size=80),
)
def test_every_refusal_is_either_published_or_counted(
    per_minute_max: int, all_per_minute_max: int, events: list[tuple[str, int]]
) -> None:
    budget, now, published, counted = RefusalBudget(per_minute_max, all_per_minute_max), NOW, 0, 0
    for address, seconds in events:
        now += timedelta(seconds=seconds)
        counted += sum(sum(each.by_reason.values()) for each in budget.close_ended(now))
        published += budget.admit("stripe", address, MISMATCH, now)
    counted += sum(sum(each.by_reason.values()) for each in budget.close_all())
    assert published + counted == len(events)
