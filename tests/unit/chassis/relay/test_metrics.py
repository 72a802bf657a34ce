from hypothesis import given
from hypothesis import strategies as st

from chassis.relay.metrics import METER_SECONDS, METER_SHARE_MAX, pause_seconds


@given(st.floats(0.0, 30.0))
def test_looks_take_a_bounded_share_of_the_time(look_seconds: float) -> None:
    paused = pause_seconds(look_seconds)
    assert paused >= METER_SECONDS
    assert look_seconds / (look_seconds + paused) <= METER_SHARE_MAX
