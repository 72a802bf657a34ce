from hypothesis import given
from hypothesis import strategies as st

from bench.judging import Comparison, Reading, Sample, Samples, percentile, spread


def sample(
    side: str, round_: int, rate: float, *, others: float = 0.0, violations: tuple[str, ...] = ()
) -> Sample:
    return Sample("drain", side, round_, {"rate": rate}, {"sender": 1.0}, others, violations)


RATIO = Comparison("drain", "rate", "ours against theirs", "a", "b")


def test_ratios_are_taken_round_by_round() -> None:
    """The machine became twice as fast between the rounds; the paired ratio does not notice."""
    taken = [sample("a", 1, 300), sample("b", 1, 100), sample("a", 2, 640), sample("b", 2, 200)]
    found = Samples(taken).find(RATIO)
    assert found.counted == spread([3.0, 3.2])


def test_void_sample_takes_its_whole_round_out_and_stays_an_indication() -> None:
    taken = [
        sample("a", 1, 300),
        sample("b", 1, 100, others=0.16),
        sample("a", 2, 400, others=0.15),
        sample("b", 2, 100),
    ]
    samples = Samples(taken)
    found = samples.find(RATIO)
    assert found.counted == spread([4.0])
    assert found.indication == spread([3.0, 4.0])
    assert samples.rounds_that_count("drain") == 1


def test_sample_that_is_not_correct_has_no_number_and_is_no_indication() -> None:
    samples = Samples([sample("a", 1, 300, violations=("1 lost",)), sample("b", 1, 100)])
    found = samples.find(RATIO)
    assert found.counted is None
    assert found.indication is None
    assert samples.rounds_that_count("drain") == 0
    assert samples.find(Comparison("drain", "rate", "alone", "a")).indication is None


def test_yardstick_that_moved_by_more_than_a_quarter_is_void_in_either_direction() -> None:
    assert not Reading("copy", "rows/s", 100, 125).void
    assert Reading("copy", "rows/s", 100, 126).void
    assert Reading("copy", "rows/s", 126, 100).void


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(1, 100))
def test_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    values: list[float], percent: int
) -> None:
    found = percentile(values, percent)
    assert found in values
    assert 100 * sum(value <= found for value in values) >= percent * len(values)
    assert 100 * sum(value < found for value in values) < percent * len(values)
