"""A failure delays only its own key; a failing database delays all and blames none (design rule 6)."""

import asyncpg
import pytest

from chassis.consuming.limits import Limits
from chassis.messaging.message import Message, unpack_headers
from contracts.dead_letters import MessageSetAside
from contracts.metadata import read_metadata
from harness import Infra, Record, down, eventually
from harness.topics import RawName
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member, record

_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"


class Trouble:
    """Raises an error for the given events until `over` is set."""

    def __init__(self, error: Exception, *event_ids: str) -> None:
        self._error = error
        self._event_ids = event_ids
        self.over = False
        self.failed = 0

    async def __call__(self, message: Message) -> None:
        if not self.over and message.metadata.id in self._event_ids:
            self.failed += 1
            raise self._error


def serialization_failure() -> asyncpg.PostgresError:
    return asyncpg.SerializationError("could not serialize access due to concurrent update")


async def test_poison_is_set_aside_its_key_waits_in_order_and_others_continue(ground: Ground) -> None:
    sent = [record(f"{key}:{number}", key=key) for number in range(5) for key in ("sick", "well", "fine")]
    await ground.topic.publish_all(sent)
    async with Member(ground, before=Trouble(ValueError("poison"), "sick:1")).running():

        async def handled(count: int) -> bool:
            return len(await ground.effects()) + len(await ground.set_aside()) == count

        await eventually(lambda: handled(15), seconds=20)
        # Later messages of that key wait too, also in another transaction.
        await ground.topic.publish_all([record("sick:5", key="sick"), record("well:5", key="well")])
        await eventually(lambda: handled(17))
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed)
    applied = await ground.effects()
    assert [e for e in applied if e.startswith("sick")] == ["sick:0"]
    assert [e for e in applied if e.startswith("well")] == [f"well:{number}" for number in range(6)]
    assert [e for e in applied if e.startswith("fine")] == [f"fine:{number}" for number in range(5)]
    rows = await ground.set_aside()
    waiting = [read_metadata(unpack_headers(row["headers"])).id for row in rows]
    assert waiting == [f"sick:{number}" for number in range(1, 6)]
    assert [row["reason"] for row in rows] == ["bug", *["behind_another"] * 4]
    assert rows[0]["attempts"] >= Limits().suspect_attempts_max
    assert {row["attempts"] for row in rows[1:]} == {0}
    assert {(row["consumer"], row["topic"], row["key"], row["status"]) for row in rows} == {
        (SERVICE, TOPIC, b"sick", "waiting")
    }
    assert rows[0]["error"].startswith("ValueError at ")
    assert "poison" not in rows[0]["error"]


async def test_set_aside_is_announced_in_the_same_transaction_once(ground: Ground) -> None:
    await ground.topic.publish_all([record("e1", key="sick")])
    async with Member(ground, before=Trouble(ValueError("poison"), "e1")).running():

        async def announced() -> bool:
            return await ground.outbox_rows() == 1

        await eventually(announced, seconds=20)
    row = await ground.sql.fetchrow("SELECT topic, key, value, headers FROM outbox")
    assert row is not None
    announced_payload = MessageSetAside.model_validate_json(row["value"])
    (kept,) = await ground.set_aside()
    assert (row["topic"], row["key"]) == ("dead-letters.v1", b"sick")
    assert read_metadata(unpack_headers(row["headers"])).type == "dead-letter.set-aside"
    assert announced_payload.dead_letter_id == str(kept["dead_letter_id"])
    position = (announced_payload.topic, announced_payload.partition, announced_payload.offset)
    assert position == (TOPIC, kept["partition"], kept["record_offset"])
    assert (announced_payload.event_id, announced_payload.reason) == ("e1", "bug")
    assert announced_payload.attempts == Limits().lone_attempts_max


async def test_topic_replayed_from_its_start_changes_nothing(ground: Ground) -> None:
    """Dead letters too are stored and announced once."""
    sent = [record(f"{key}:{number}", key=key) for number in range(4) for key in ("sick", "well")]
    await ground.topic.publish_all(sent)
    ends = await ground.ends()

    async def committed() -> bool:
        return await ground.committed() == ends

    async def state() -> tuple[list[str], list[str], int]:
        kept = [str(row["dead_letter_id"]) for row in await ground.set_aside()]
        return await ground.effects(), kept, await ground.outbox_rows()

    async with Member(ground, before=Trouble(ValueError("poison"), "sick:0")).running():
        await eventually(committed, seconds=20)
    before = await state()
    assert len(before[1]) == before[2] == 4
    await ground.rewind()
    assert await ground.committed() == {}
    async with Member(ground, before=Trouble(ValueError("poison"), "sick:0")).running() as member:

        async def again() -> bool:
            return sum((await ground.committed()).values()) == sum(ends.values())

        await eventually(again, seconds=20)
        assert (await member.consumer.check()).ok
    assert await state() == before


async def test_error_whose_text_no_column_takes_is_kept_by_class_and_place(ground: Ground) -> None:
    error = ValueError("half an emoji \ud83d and a \0")
    await ground.topic.publish_all([record("e1", key="sick"), record("e2", key="well")])
    async with Member(ground, before=Trouble(error, "e1")).running():

        async def handled() -> bool:
            return await ground.effects() == ["e2"] and len(await ground.set_aside()) == 1

        await eventually(handled, seconds=20)
    (row,) = await ground.set_aside()
    assert row["error"].startswith("ValueError at ")


async def test_transient_failure_is_waited_for_and_sets_nothing_aside(ground: Ground) -> None:
    trouble = Trouble(serialization_failure(), "e1")
    await ground.topic.publish_all([record(f"e{number}") for number in range(5)])
    async with Member(ground, before=trouble).running() as member:
        await eventually(lambda: trouble.failed > Limits().suspect_attempts_max + 2, seconds=20)
        check = await member.consumer.check()
        assert not check.ok
        assert "SerializationError" in check.detail
        assert set((await ground.committed()).values()) <= {1}, (
            "an offset passed a message that was not applied"
        )
        trouble.over = True

        async def applied() -> bool:
            return await ground.effects() == [f"e{number}" for number in range(5)]

        await eventually(applied, seconds=20)

        async def good_again() -> bool:
            return (await member.consumer.check()).ok

        await eventually(good_again)
    assert await ground.set_aside() == []


@pytest.mark.parametrize(
    ("breaks", "mends"),
    [("NOLOGIN", "LOGIN"), ("PASSWORD 'another'", "PASSWORD 'for-tests'")],
    ids=["no login", "wrong password"],
)
async def test_refused_login_sets_nothing_aside(breaks: str, mends: str, ground: Ground) -> None:
    async with Member(ground).running() as member:
        await ground.topic.publish_all([record("e0")])

        async def applied(count: int) -> bool:
            return len(await ground.effects()) == count

        await eventually(lambda: applied(1), seconds=20)
        await ground.sql.execute(f'ALTER ROLE "{ground.role}" {breaks}')
        await ground.sql.execute(_END_SESSIONS, ground.role)
        await ground.topic.publish_all([record("e1")])

        async def keeps_failing() -> bool:
            return any(e.attempts > Limits().lone_attempts_max for e in member.consumer._machine.blocked)

        await eventually(keeps_failing, seconds=30)
        await ground.sql.execute(f'ALTER ROLE "{ground.role}" {mends}')
        await eventually(lambda: applied(2), seconds=10)
    assert await ground.set_aside() == []


async def test_database_away_is_waited_for_and_readiness_says_so(ground: Ground, infra: Infra) -> None:
    async with Member(ground).running() as member:
        await ground.topic.publish_all([record("e0")])

        async def applied(count: int) -> bool:
            return len(await ground.effects()) == count

        await eventually(lambda: applied(1), seconds=20)
        async with down(infra.postgres, how="kill"):
            await ground.topic.publish_all([record(f"e{number}") for number in range(1, 20)])

            async def says_so() -> bool:
                return not (await member.consumer.check()).ok

            await eventually(says_so, seconds=20)
        await eventually(lambda: applied(20), seconds=40)

        async def good_again() -> bool:
            return (await member.consumer.check()).ok

        await eventually(good_again)
    assert await ground.effects() == [f"e{number}" for number in range(20)]
    assert await ground.set_aside() == []


async def test_message_that_cannot_be_set_aside_does_not_pass(ground: Ground) -> None:
    """The offset waits until the dead letter is written."""
    await ground.sql.execute(f'REVOKE INSERT ON dead_letter FROM "{ground.role}"')
    await ground.topic.publish_all([record("e1", key="sick"), record("e2", key="sick")])
    async with Member(ground, before=Trouble(ValueError("poison"), "e1")).running() as member:

        async def stuck() -> bool:
            return "cannot set a message aside" in (await member.consumer.check()).detail

        await eventually(stuck, seconds=20)
        assert await ground.committed() == {}
        await ground.sql.execute(f'GRANT INSERT ON dead_letter TO "{ground.role}"')

        async def kept() -> bool:
            return len(await ground.set_aside()) == 2

        await eventually(kept, seconds=20)
    assert await ground.effects() == []


async def test_message_with_a_transient_failure_waits_and_others_continue(ground: Ground) -> None:
    trouble = Trouble(serialization_failure(), "k0:1")
    sent = [record(f"k{key}:{number}", key=f"k{key}") for number in range(4) for key in range(3)]
    await ground.topic.publish_all(sent)
    async with Member(ground, before=trouble).running():

        async def others_applied() -> bool:
            return len(await ground.effects()) == 9

        await eventually(others_applied, seconds=30)
        trouble.over = True
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed, seconds=20)
    applied = await ground.effects()
    for key in range(3):
        mine = [event_id for event_id in applied if event_id.startswith(f"k{key}:")]
        assert mine == [f"k{key}:{number}" for number in range(4)]
    assert await ground.set_aside() == []


async def test_everything_fails_stops_the_consumer_and_sets_nothing_aside(ground: Ground) -> None:
    """Messages are not blamed for a failed dependency (F23)."""
    ids = [f"k{number}:0" for number in range(60)]
    trouble = Trouble(ValueError("the dependency is down"), *ids)
    await ground.topic.publish_all([record(event_id, key=event_id) for event_id in ids])
    async with Member(ground, before=trouble).running() as member:

        async def stopped() -> bool:
            return "breaker" in (await member.consumer.check()).detail

        await eventually(stopped, seconds=20)
        assert await ground.effects() == []
        trouble.over = True

        async def all_applied() -> bool:
            return len(await ground.effects()) == len(ids)

        await eventually(all_applied, seconds=60)
        assert (await member.consumer.check()).ok
    assert await ground.set_aside() == []


async def test_header_name_that_is_not_utf8_is_set_aside_and_the_consumer_continues(ground: Ground) -> None:
    sick = record("sick", key="sick")
    sick = Record(sick.value, sick.key, (*sick.headers, (RawName(b"n\xff"), b"1")))
    await ground.topic.publish_batch([record("before", key="a"), sick, record("after", key="b")], partition=2)
    async with Member(ground).running():
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed, seconds=30)
    assert set(await ground.effects()) == {"before", "after"}
    (kept,) = await ground.set_aside()
    assert kept["reason"] == "malformed"
    assert ("n\\xff", b"1") in unpack_headers(kept["headers"])
