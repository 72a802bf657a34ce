"""Figures of a run: what is compared before it is completed, and how far it has come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.domain.counts import OutcomeSum, count_page, sum_by_outcome
from reconciler.domain.evaluate import Amounts, Evaluation
from reconciler.domain.progress import progress_of
from reconciler.domain.run_check import COUNTS, SUMS, RunFigures, figures_problem

FIGURES = RunFigures(
    pages=2,
    counts={"scanned": 10, "clean": 6, "drifted": 2, "skipped": 1, "errored": 1},
    sums={"USD": {"snapshot": 5, "recomputed": 7, "charged": 3, "drift": 2}},
)
BEGAN = datetime(2026, 1, 2, tzinfo=UTC)


def test_equal_figures_are_no_problem() -> None:
    assert figures_problem(FIGURES, replace(FIGURES), breaks=0) == ""


@pytest.mark.parametrize("name", COUNTS)
def test_every_count_is_compared(name: str) -> None:
    other = replace(FIGURES, counts={**FIGURES.counts, name: FIGURES.counts[name] + 1})
    assert f"{name} {FIGURES.counts[name]} in the run" in figures_problem(FIGURES, other, breaks=0)


@pytest.mark.parametrize("name", SUMS)
def test_every_sum_is_compared(name: str) -> None:
    other = replace(FIGURES, sums={"USD": {**FIGURES.sums["USD"], name: -1}})
    line = figures_problem(FIGURES, other, breaks=0)
    assert line == (
        f"the run's figures disagree: {name} {FIGURES.sums['USD'][name]} USD in the run, -1 over its pages"
    )


def test_currency_pages_and_order_are_compared() -> None:
    euros = replace(FIGURES, sums={**FIGURES.sums, "EUR": dict.fromkeys(SUMS, 1)})
    assert "1 EUR in the run" in figures_problem(euros, FIGURES, breaks=0)
    assert "pages 2 in the run, 3 recorded" in figures_problem(FIGURES, replace(FIGURES, pages=3), breaks=0)
    assert "1 pages do not begin where" in figures_problem(FIGURES, FIGURES, breaks=1)


def test_outcomes_that_do_not_add_up_are_told_even_if_both_ways_agree() -> None:
    odd = replace(FIGURES, counts={**FIGURES.counts, "scanned": 11})
    assert "scanned 11 in the run, its outcomes add up to 10" in figures_problem(odd, odd, breaks=0)


def test_sums_by_outcome_add_up_to_the_sums_of_the_page() -> None:
    evaluations = [
        Evaluation("a", "clean", amounts=Amounts("USD", 1, 1, 1)),
        Evaluation("b", "drifted", amounts=Amounts("USD", 10, 30, 0)),
        Evaluation("c", "drifted", amounts=Amounts("EUR", 5, 4, 5)),
        Evaluation("d", "drifted"),
    ]
    by_outcome = sum_by_outcome(evaluations)
    assert OutcomeSum("drifted", "USD", 10, 30, 0, 20) in by_outcome
    assert OutcomeSum("drifted", "EUR", 5, 4, 5, -1) in by_outcome
    for total in count_page(evaluations, []).sums:
        parts = [each for each in by_outcome if each.currency == total.currency]
        assert sum(each.recomputed for each in parts) == total.recomputed
        assert sum(each.drift for each in parts) == total.recomputed - total.snapshot


def test_progress_is_an_estimate_until_the_run_is_completed() -> None:
    def percent(status: str, passed: int, estimated: int | None) -> int | None:
        progress = progress_of(
            status=status,
            scanned=50,
            passed=passed,
            estimated=estimated,
            started_at=BEGAN,
            last_at=BEGAN + timedelta(seconds=4),
        )
        assert progress is not None
        assert progress.per_second == 12
        return progress.estimated_percent

    assert percent("running", 50, 200) == 25
    assert percent("running", 900, 200) == 99  # the estimate was too low
    assert percent("running", 900, None) is None
    assert percent("completed", 50, 200) == 100
    assert percent("failed", 50, 200) == 25
