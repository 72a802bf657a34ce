"""The table: one row, one fault. `make test` runs the short ones small, `make faults` all of them full."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults import (
    bulk,
    bursts,
    clocks,
    consuming,
    kills,
    links,
    networks,
    outages,
    pauses,
    poison,
    reconciling,
    records,
    rotations,
    run_kills,
    sweeps,
    tampered_logs,
)
from faults.scene import Scene

SERVICES = ("webhook-gateway", "booking", "audit")
SECONDS_MAX = 1_200.0


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the fault table.

    Attributes:
        name: as in the table of faults.
        fault: what is done to the system.
        run: does it, under load; what must hold besides G it asserts itself.
        in_make_test: whether it also runs, small, with every commit.
        services: what runs from the beginning; the row starts the rest.
        seconds_max: after which it does not hold.
    """

    name: str
    fault: str
    run: Callable[[Scene], Awaitable[None]]
    in_make_test: bool = False
    services: tuple[str, ...] = SERVICES
    seconds_max: float = SECONDS_MAX


_WITHOUT_BOOKING = ("webhook-gateway", "audit")
_WITHOUT_GATEWAY = ("booking", "audit")
_WITHOUT_AUDIT = ("webhook-gateway", "booking")
_GATEWAY = ("webhook-gateway",)

ROWS: tuple[Row, ...] = (
    Row("F1", "kill -9 gateway, again and again", kills.gateway, in_make_test=True),
    Row(
        "F2",
        "kill -9 booking between database and offset commit",
        kills.consumer_before_offset_commit,
        in_make_test=True,
        services=_WITHOUT_BOOKING,
    ),
    Row(
        "F3",
        "kill -9 relay between ack and mark",
        kills.relay_before_mark,
        in_make_test=True,
        services=_WITHOUT_BOOKING,
    ),
    Row("F4", "SIGSTOP the relay, another takes over, SIGCONT", pauses.relay, services=_WITHOUT_BOOKING),
    Row(
        "F5",
        "kill -9 the sealer at each step",
        kills.sealer,
        in_make_test=True,
        services=_WITHOUT_AUDIT,
    ),
    Row("F6", "kill -9 reconciler mid-run", run_kills.killed_mid_run, in_make_test=True, services=()),
    Row(
        "F6B", "kill -9 reconciler during bulk operations, again and again", bulk.killed_half_way, services=()
    ),
    Row("F7", "kill -9 PostgreSQL under load", outages.postgres_killed, in_make_test=True),
    Row("F9", "answer to COMMIT lost", networks.answer_to_commit_lost, services=_GATEWAY),
    Row("F10", "serialization failures and deadlocks, 10 %", networks.transactions_fail, services=_GATEWAY),
    Row("F13", "Kafka down, then back", outages.kafka_down, in_make_test=True),
    Row("F16", "rebalances again and again", consuming.rebalanced, services=_WITHOUT_BOOKING),
    Row("F17", "consumer stands still beyond its session", pauses.consumer, services=_WITHOUT_BOOKING),
    Row(
        "F18",
        "gateway's links slow, reset, byte by byte",
        links.of_gateway,
        services=_WITHOUT_GATEWAY,
    ),
    Row("F20", "slow database (+200 ms)", networks.database_slow, services=_GATEWAY),
    Row("F21", "twenty times as many at the gateway", bursts.at_gateway, services=_WITHOUT_GATEWAY),
    Row("F22", "poison on some keys", poison.ten_keys, in_make_test=True, services=_WITHOUT_BOOKING),
    Row("F23", "everything fails", consuming.everything_fails, in_make_test=True),
    Row("F24", "clocks off by ±10 min, jumping", clocks.jumping, services=()),
    Row("F26", "whole topics replayed from offset 0", records.replayed, in_make_test=True),
    Row(
        "F28",
        "newer producer, older consumer, and the reverse",
        records.other_versions,
        in_make_test=True,
        services=_WITHOUT_BOOKING,
    ),
    Row(
        "F29",
        "secret rotated under load",
        rotations.secrets_rotated,
        in_make_test=True,
        services=_WITHOUT_GATEWAY,
    ),
    Row(
        "F30",
        "the sealed log tampered with in 42 ways",
        tampered_logs.every_way,
        in_make_test=True,
        services=(),
        seconds_max=2 * SECONDS_MAX,
    ),
    Row(
        "F31",
        "35 kinds of wrong money among clean bookings",
        reconciling.wrong_money,
        in_make_test=True,
        services=(),
    ),
    Row("F32", "ten reconciliation runs at once", run_kills.at_once, in_make_test=True, services=()),
    Row("F33", "broken Kafka records", records.broken, in_make_test=True),
    Row("F36", "Stripe's lists answer 429, 500, slowly, a page twice", sweeps.lists_break, in_make_test=True),
)
