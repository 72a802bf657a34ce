"""The table: one row, one fault. `make faults` runs all of them in full, with SHORT=1 some of them small."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from faults import (
    bulk,
    bursts,
    clocks,
    consuming,
    kills,
    links,
    moves,
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
        is_short: whether it also runs small, with every commit (`make faults SHORT=1`).
        services: what runs from the beginning; the row starts the rest.
        seconds_max: after which it does not hold.
    """

    name: str
    fault: str
    run: Callable[[Scene], Awaitable[None]]
    is_short: bool = False
    services: tuple[str, ...] = SERVICES
    seconds_max: float = SECONDS_MAX


_WITHOUT_BOOKING = ("webhook-gateway", "audit")
_WITHOUT_GATEWAY = ("booking", "audit")
_WITHOUT_AUDIT = ("webhook-gateway", "booking")
_GATEWAY = ("webhook-gateway",)

ROWS: tuple[Row, ...] = (
    Row("F1", "kill -9 gateway, again and again", kills.gateway, is_short=True),
    Row(
        "F2",
        "kill -9 booking between database and offset commit",
        kills.consumer_before_offset_commit,
        is_short=True,
        services=_WITHOUT_BOOKING,
    ),
    Row(
        "F3",
        "kill -9 relay between ack and mark",
        kills.relay_before_mark,
        is_short=True,
        services=_WITHOUT_BOOKING,
    ),
    Row("F4", "SIGSTOP the relay, another takes over, SIGCONT", pauses.relay, services=_WITHOUT_BOOKING),
    Row(
        "F5",
        "kill -9 the sealer at each step",
        kills.sealer,
        is_short=True,
        services=_WITHOUT_AUDIT,
    ),
    Row("F6", "kill -9 reconciler mid-run", run_kills.killed_mid_run, is_short=True, services=()),
    Row(
        "F6B", "kill -9 reconciler during bulk operations, again and again", bulk.killed_half_way, services=()
    ),
    Row("F7", "kill -9 PostgreSQL under load", outages.postgres_killed, is_short=True),
    Row("F9", "answer to COMMIT lost", networks.answer_to_commit_lost, services=_GATEWAY),
    Row("F10", "serialization failures and deadlocks, 10 %", networks.transactions_fail, services=_GATEWAY),
    Row("F13", "Kafka down, then back", outages.kafka_down, is_short=True),
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
    Row("F22", "poison on some keys", poison.ten_keys, is_short=True, services=_WITHOUT_BOOKING),
    Row("F23", "everything fails", consuming.everything_fails, is_short=True),
    Row("F24", "clocks off by ±10 min, jumping", clocks.jumping, services=()),
    Row("F26", "whole topics replayed from offset 0", records.replayed, is_short=True),
    Row("F27", "databases dumped and restored into a new cluster", moves.restored_elsewhere),
    Row(
        "F28",
        "newer producer, older consumer, and the reverse",
        records.other_versions,
        is_short=True,
        services=_WITHOUT_BOOKING,
    ),
    Row(
        "F29",
        "secret rotated under load",
        rotations.secrets_rotated,
        is_short=True,
        services=_WITHOUT_GATEWAY,
    ),
    Row(
        "F30",
        "the sealed log tampered with in 42 ways",
        tampered_logs.every_way,
        is_short=True,
        services=(),
        seconds_max=2 * SECONDS_MAX,
    ),
    Row(
        "F31",
        "35 kinds of wrong money among clean bookings",
        reconciling.wrong_money,
        is_short=True,
        services=(),
    ),
    Row("F32", "ten reconciliation runs at once", run_kills.at_once, is_short=True, services=()),
    Row("F33", "broken Kafka records", records.broken, is_short=True),
    Row("F36", "Stripe's lists answer 429, 500, slowly, a page twice", sweeps.lists_break, is_short=True),
)


def choose(names: str, *, is_short: bool = False) -> list[Row]:
    """Return the named rows (`F4,F7`). Without names: all of them, or if `is_short` those of every commit.

    Raises:
        ValueError: a name is unknown.
    """
    chosen = {name.strip().upper() for name in names.split(",") if name.strip()}
    if unknown := chosen - {row.name for row in ROWS}:
        raise ValueError(f"ROW={','.join(unknown)}: choose from {', '.join(row.name for row in ROWS)}")
    return [row for row in ROWS if row.name in chosen or (not chosen and (row.is_short or not is_short))]
