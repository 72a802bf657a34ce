from hypothesis import given
from hypothesis import strategies as st

from chassis.relay.metrics import PAUSE_SECONDS_MIN, POLL_SHARE_MAX, pause_seconds


@given(st.floats(0.0, 30.0))
def test_polls_take_a_bounded_share_of_the_time(poll_seconds: float) -> None:
    paused = pause_seconds(poll_seconds)
    assert paused >= PAUSE_SECONDS_MIN
    assert poll_seconds / (poll_seconds + paused) <= POLL_SHARE_MAX
