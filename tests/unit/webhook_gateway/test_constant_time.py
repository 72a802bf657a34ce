"""The instrument of `make constant-time`: its statistics, its rows, and what it plants."""

import random

import pytest

from constant_time import planted
from constant_time.measuring import T_MAX, Kinds, Reading, measure, tells_them_apart, welch
from constant_time.rows import rows
from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import BODY, NOW, accepting, signed_headers, with_header
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import SCHEMES, Verified, verify

STRIPE = SCHEMES["stripe"]


def test_welch_divides_the_difference_of_the_means_by_its_error() -> None:
    # Means 2 and 4, variances 1 and 4, three of each: 2 / sqrt(1/3 + 4/3).
    reading = welch([1, 2, 3], [2, 4, 6])
    assert (reading.t, reading.difference_ns) == (pytest.approx(2 / (5 / 3) ** 0.5), 2.0)
    assert welch([2, 4, 6], [1, 2, 3]).t == -reading.t
    assert welch([7, 7], [7, 7]) == Reading(0.0, 0.0)


def test_kinds_are_told_apart_only_by_every_run_and_to_the_same_side() -> None:
    high, low, none = Reading(T_MAX + 1, 9.0), Reading(-T_MAX - 1, -9.0), Reading(1.0, 1.0)
    assert tells_them_apart([high, high])
    assert tells_them_apart([low, low])
    assert not tells_them_apart([high, none])
    assert not tells_them_apart([high, high], tolerated_ns=high.difference_ns)
    assert not tells_them_apart([high, low])


def test_plain_difference_is_measured() -> None:
    kinds = Kinds([range(10)], [range(1_000)])
    assert measure(sum, kinds, measurements=200, rng=random.Random(1)).t > T_MAX


@pytest.mark.parametrize("plant", [planted.equality, planted.byte_by_byte, planted.stopping_at_a_match])
def test_planted_leaks_give_the_right_verdicts(plant: object) -> None:
    good = signed_headers(STRIPE)
    forged = with_header(good, good[0][0].decode(), good[0][1][:-1] + b"-")
    wrong = with_header(good, good[0][0].decode(), good[0][1].translate(bytes.maketrans(b"af", b"fa")))
    with plant():
        assert isinstance(verify(good, BODY, accepting(STRIPE), NOW), Verified)
        assert verify(forged, BODY, accepting(STRIPE), NOW) == Refused(RefusalReason.SIGNATURE_MALFORMED)
        assert verify(wrong, BODY, accepting(STRIPE), NOW) == Refused(RefusalReason.SIGNATURE_MISMATCH)


def test_rows_ask_for_the_same_verdict_of_both_kinds() -> None:
    """Else they would rightly be told apart."""
    for row in rows():
        kinds = row.kinds(random.Random(1))
        with row.plant():
            verdicts = {repr(row.call(value)) for value in [*kinds.first, *kinds.second]}
        assert len(verdicts) == 1, row.name
    assert sum(row.is_control for row in rows()) == 3
