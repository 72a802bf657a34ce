"""The check that stands behind every number of E1, and the list of rows that readers see."""

import re
from pathlib import Path

from bench.end_to_end_scene import find_violations
from bench.gateway_load import NO_ANSWER, NOT_SENT
from bench.rows import ROWS

README = Path(__file__).parents[3] / "benchmarks/README.md"


def test_each_accepted_delivery_leaves_every_trace_once() -> None:
    assert find_violations([200, 200], {"payments": 2}) == []
    assert find_violations([200, 200], {"payments": 1}) == ["1 payments after 2 accepted deliveries"]
    assert find_violations([200, 200], {"payments": 3}) == ["3 payments after 2 accepted deliveries"]
    assert find_violations([200, 503, NOT_SENT], {"payments": 2}) == [
        "2 payments after 1 accepted deliveries"
    ]
    assert find_violations([200, NO_ANSWER], {"payments": 2, "entries": 1}) == []


def test_the_readme_names_every_row() -> None:
    named = re.findall(r"^\| ([A-Z]\w+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(map(str.upper, named)) == sorted(ROWS)
