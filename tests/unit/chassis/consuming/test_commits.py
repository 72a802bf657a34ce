from chassis.consuming.commits import COMMIT_AGAIN_SECONDS, COMMIT_SECONDS_MIN, CommitSchedule


def test_first_commit_is_due_at_once_and_later_ones_are_spread() -> None:
    schedule = CommitSchedule()
    assert schedule.seconds_until_due(0.0) == 0
    schedule.record(0.0, succeeded=True)
    assert schedule.seconds_until_due(0.0) == COMMIT_SECONDS_MIN
    assert schedule.seconds_until_due(COMMIT_SECONDS_MIN) == 0


def test_failed_commit_is_due_later_until_one_succeeds() -> None:
    schedule = CommitSchedule()
    schedule.record(0.0, succeeded=False)
    assert schedule.has_failed
    assert schedule.seconds_until_due(0.0) == COMMIT_AGAIN_SECONDS
    assert schedule.seconds_until_due(COMMIT_AGAIN_SECONDS) == 0
    schedule.record(0.0, succeeded=True)
    assert not schedule.has_failed
    assert schedule.seconds_until_due(COMMIT_SECONDS_MIN) == 0
