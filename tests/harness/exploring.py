"""The number of examples of exploring tests: `EXPLORE=quick|part|whole`.

`make test-fast` runs a hundredth (quick), `make test` a twenty-fifth (part, the default), `make faults` all.
"""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import settings

VARIABLE = "EXPLORE"
_DIVISORS = {"quick": 100, "part": 25, "whole": 1}
_EXAMPLES_MIN = 20

TestT = TypeVar("TestT", bound=Callable[..., object])


def examples(whole: int, *, least: int = _EXAMPLES_MIN) -> int:
    """Return the number of examples for this run, of `whole`.

    Raises:
        pytest.UsageError: EXPLORE has another value than the three.
    """
    share = os.environ.get(VARIABLE) or "part"
    if share not in _DIVISORS:
        raise pytest.UsageError(f"{VARIABLE}={share}: use one of {', '.join(_DIVISORS)}, or leave it unset")
    return max(least, whole // _DIVISORS[share])


def explores(whole: int) -> Callable[[TestT], TestT]:
    """Mark a Hypothesis test as exploring: `make faults` repeats it with `whole` examples."""

    def decorate(test: TestT) -> TestT:
        return pytest.mark.explores(settings(max_examples=examples(whole), deadline=None)(test))

    return decorate
