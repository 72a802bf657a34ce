"""A row on a machine that lacks what one of its sides is built with."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bench.gateway_sides import BENTHOS, BENTHOS_LEAN, OURS
from bench.row import Size
from bench.rows import ROWS
from bench.running import NotRunError, run_row

WHY = dict.fromkeys((BENTHOS, BENTHOS_LEAN), "Go is not installed")


async def without_go() -> Mapping[str, str]:
    return WHY


def test_the_others_are_compared_without_it() -> None:
    left = ROWS["G2"].without(WHY)
    assert OURS in [side.name for side in left.sides]
    assert BENTHOS not in [side.name for side in left.sides]
    assert {c.against for c in left.comparisons}.isdisjoint(WHY)
    assert left.comparisons


async def test_with_nothing_left_to_compare_it_is_not_run_and_says_why() -> None:
    row = replace(ROWS["G1B"], find_missing=without_go)
    nobody: Any = None
    with pytest.raises(NotRunError, match="Benthos, lean: Go is not installed"):
        await run_row(row, nobody, rounds=1, size=Size.QUICK, say=print)
