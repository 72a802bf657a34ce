"""A stored row that cannot be read fails by itself: replays and discards of other messages go on."""

from chassis.dead_letters.history import DiscardedBy, ReplayedBy
from chassis.dead_letters.operator.actions import Actions
from chassis.dead_letters.queries import Filter
from chassis.postgres import Database
from integration.chassis.dead_letters.test_dead_letters import recorded
from integration.chassis.dead_letters.test_placement import message, placed, set_aside
from integration.chassis.ground import SERVICE, Ground, Member


async def test_unreadable_row_is_a_failure_and_others_are_replayed_and_discarded(
    place: Ground, database: Database
) -> None:
    for offset, key in enumerate("abc"):
        assert await set_aside(database, message(f"{key}:0", offset, key=key))
    await placed(database, message("a:1", 3, key="a"))
    broken = "UPDATE dead_letter SET {} WHERE record_offset = $1 RETURNING dead_letter_id"
    no_json = str(await place.sql.fetchval(broken.format("headers = 'no JSON'"), 0))
    no_time = str(await place.sql.fetchval(broken.format("set_aside_at = '20000-01-01'"), 2))
    actions = Actions(database, SERVICE, Member(place, database=database).apply)

    outcome = await actions.replay(await actions.waiting_keys(Filter()), ReplayedBy("ada"))
    assert (outcome.done, await place.effects()) == (1, ["b:0"])
    assert {failure.dead_letter_id for failure in outcome.failures} == {no_json, no_time}
    assert all("cannot be read" in failure.error for failure in outcome.failures)
    assert len(await recorded(place)) == 1, "a replay that did not try the message is no attempt"

    outcome = await actions.discard(Filter(), DiscardedBy("ada", "never"))
    assert outcome.done == 1
    assert [failure.dead_letter_id for failure in outcome.failures] == [no_json]
    known = await place.sql.fetch("SELECT event_id FROM inbox ORDER BY 1")
    assert [row["event_id"] for row in known] == ["b:0"], "the unreadable message may be a copy of a:1"
