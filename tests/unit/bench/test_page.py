import re
from dataclasses import replace

import pytest

from bench.__main__ import wanted
from bench.document import to_document
from bench.judging import Reading, Sample, Samples
from bench.page import render
from bench.row import Row, Size
from bench.rows import ROWS
from bench.running import Result, find_obstacles
from bench.yardsticks import YARDSTICKS

ROW = ROWS["B3"]
ROUNDS = 5


def result(row: Row, *, others: float = 0.01, after: float = 100.0) -> Result:
    samples = Samples(
        [
            Sample(
                experiment.name,
                side.name,
                round_,
                {figure: 1_000.0 * (len(row.sides) - number) for figure in experiment.figures},
                {"sender": 12.0, "postgres": 34.0},
                others,
            )
            for experiment in row.experiments
            for round_ in range(1, ROUNDS + 1)
            for number, side in enumerate(row.sides)
        ]
    )
    readings = [Reading(name, YARDSTICKS[name].unit, 100.0, after) for name in row.yardsticks]
    findings = [samples.find(comparison) for comparison in row.comparisons]
    obstacles = find_obstacles(row, samples, readings, ROUNDS)
    machine, versions = {"cpu": "2 x CPU"}, {"kafka": "4"}
    return Result(
        row, Size.FULL, ROUNDS, "2026-11-24", machine, versions, readings, samples, findings, obstacles
    )


def test_sound_run_stands_on_the_page_with_target_durability_and_cpu() -> None:
    page = render([to_document(result(ROW))])
    assert "| drain, ÷ tutorial | 1.5 (1.5 to 1.5) | ≥ 3 |" in page
    assert "| CPU-µs/op postgres | 34 | 34 | 34 |" in page
    assert "| rounds that count | 5 of 5 | 5 of 5 | 5 of 5 |" in page
    assert all(side.description in page and side.survives in page for side in ROW.sides)
    assert "no number:" not in page


def test_void_rounds_and_moved_yardsticks_leave_indications_only() -> None:
    crowded = render([to_document(result(ROW, others=0.5))])
    assert "| drain, ÷ tutorial | [1.5 (1.5 to 1.5)] | ≥ 3 |" in crowded
    assert "* no number: drain: 0 of 5 rounds count" in crowded
    moved = render([to_document(result(ROW, after=200.0))])
    assert "* no number: yardstick raw COPY moved by 100%" in moved
    assert "| drain, ÷ tutorial | [1.5 (1.5 to 1.5)] | ≥ 3 |" in moved


def test_rows_without_a_new_result_keep_their_sections() -> None:
    others = render([to_document(result(ROWS[name])) for name in ("B4", "A1")])
    page = render([to_document(result(ROW))], others)
    assert re.findall(r"^## (\w+) ·", page, re.MULTILINE) == ["A1", "B3", "B4"]
    assert render([to_document(result(ROWS["B4"]))], page) == page


def test_incorrect_sample_is_named() -> None:
    wrong = result(ROW)
    wrong.samples.taken[0] = replace(wrong.samples.taken[0], violations=("3 lost",))
    first = find_obstacles(ROW, wrong.samples, [], ROUNDS)[0]
    assert first == f"drain, {ROW.sides[0].name}, round 1 is not correct: 3 lost"


def test_what_is_asked_for_is_understood() -> None:
    assert wanted({}) == (list(ROWS.values()), 5, Size.FULL)
    assert wanted({"ROW": "b3", "QUICK": "1"}) == ([ROW], 2, Size.QUICK)
    assert wanted({"ROUNDS": "7"})[1] == 7


@pytest.mark.parametrize("environ", [{"ROW": "B99"}, {"ROUNDS": "0"}, {"ROUNDS": "-1"}, {"ROUNDS": "many"}])
def test_what_cannot_be_done_is_refused_with_its_name(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(environ))}="):
        wanted(environ)
