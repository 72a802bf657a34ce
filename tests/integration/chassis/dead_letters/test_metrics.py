"""The gauges of waiting dead letters (ALL-5)."""

from chassis.dead_letters import DeadLetters, limits
from chassis.dead_letters.discard import discard_matching
from chassis.dead_letters.history import DiscardedBy
from chassis.dead_letters.metrics import DeadLetterGauges
from chassis.dead_letters.queries import Filter
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from contracts.reasons import SetAsideReason
from harness import eventually
from integration.chassis.dead_letters.test_placement import message, placed, set_aside
from integration.chassis.ground import SERVICE, Ground

_AGE = "UPDATE dead_letter SET set_aside_at = now() - interval '1 hour' WHERE key = $1"


class Gauges:
    """The gauges and the values that Prometheus reads."""

    def __init__(self, database: Database) -> None:
        self._metrics = Metrics(SERVICE)
        self.component = DeadLetterGauges(database, SERVICE, self._metrics)

    def value(self, name: str, **labels: str) -> float | None:
        return self._metrics.registry.get_sample_value(f"{SERVICE}_dead_letters_{name}", labels)


async def test_gauges_tell_what_waits_why_and_since_when(place: Ground, database: Database) -> None:
    for offset, key in enumerate(("a", "b")):
        assert await set_aside(database, message(f"{key}:0", offset, key=key))
    await placed(database, message("a:1", 2, key="a"), message("a:2", 3, key="a"))
    await place.sql.execute(_AGE, b"b")
    gauges = Gauges(database)
    await gauges.component.refresh()
    by_reason = {reason: gauges.value("waiting", reason=reason) for reason in SetAsideReason}
    assert by_reason == {"malformed": 0, "out_of_place": 0, "bug": 2, "behind_another": 2}
    assert gauges.value("lines_waiting") == 2
    assert 3600 <= (gauges.value("oldest_seconds") or 0) < 7200


async def test_what_was_worked_off_is_counted_no_more(place: Ground, database: Database) -> None:
    assert await set_aside(database, message("a:0", 0, key="a"))
    async with database.transaction() as connection:
        await DeadLetters("another").set_aside(
            connection, message("x:0", 1), reason=SetAsideReason.BUG, error="theirs", attempts=3
        )
    await place.sql.execute("UPDATE dead_letter SET set_aside_at = now() - interval '1 hour'")
    gauges = Gauges(database)
    await gauges.component.refresh()
    assert gauges.value("waiting", reason="bug") == 1
    await discard_matching(database, SERVICE, Filter(), DiscardedBy("ada", "never"))
    await gauges.component.refresh()
    assert gauges.value("waiting", reason="bug") == 0
    assert (gauges.value("lines_waiting"), gauges.value("oldest_seconds")) == (0, 0)


async def test_counting_stops_at_its_bound(place: Ground, database: Database) -> None:
    for offset in range(5):
        assert await set_aside(database, message(f"e{offset}", offset, key=f"k{offset}"))
    async with database.connection() as connection:
        counted = await limits.waiting_by_reason(connection, SERVICE, up_to=3)
        assert counted[SetAsideReason.BUG].rows == 3
        assert await limits.count_keys(connection, SERVICE, up_to=3) == 3


async def test_gauges_that_cannot_count_says_so_and_does_not_stop_its_service(
    place: Ground, database: Database
) -> None:
    gauges = Gauges(database).component
    await place.sql.execute(f'REVOKE SELECT ON dead_letter FROM "{place.role}"')
    await gauges.start()
    try:

        async def says_so() -> bool:
            check = await gauges.check()
            return check.ok and "InsufficientPrivilegeError" in check.detail

        await eventually(says_so)
        await place.sql.execute(f'GRANT SELECT ON dead_letter TO "{place.role}"')

        async def quiet() -> bool:
            return not (await gauges.check()).detail

        await eventually(quiet, seconds=20)
    finally:
        await gauges.stop()
