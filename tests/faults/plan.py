"""What a run does to the system, decided before it begins: the same seed and size are the same plan."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

DUPLICATES_SHARE = 0.02
OUT_OF_ORDER_SHARE = 0.02
POISON_SHARE = 0.005
FORGED_SHARE = 0.01
_CREATED_BY = 0.8
"""By this part of a run all bookings are made; until then they come evenly."""

_STEPS_APART = 0.002
_MOVED = 0.05
"""How far a duplicate or a late delivery is moved, as a part of the run."""


class Op(StrEnum):
    """What one operation is; the history's `op`."""

    CREATE = "create"
    CANCEL = "cancel"
    BEGIN = "begin"
    COMPLETE = "complete"
    PAID = "paid"
    PART = "part"
    FAILED = "failed"
    UNKNOWN = "unknown"
    POISON = "poison"
    FORGED = "forged"
    SMS_LEGACY = "sms-legacy"
    SMS = "sms"


CHANGES = {Op.CANCEL: "cancelled", Op.BEGIN: "in_progress", Op.COMPLETE: "completed"}
"""Operations that change a booking by hand, and to what."""

CAPTURES = frozenset({Op.PAID, Op.PART, Op.UNKNOWN})
"""Deliveries that tell of captured money: each is one row in booking's payments."""

SMS = frozenset({Op.SMS_LEGACY, Op.SMS})
API = frozenset({Op.CREATE, *CHANGES})


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does. `deliveries` counts webhooks; bookings and changes of them come on top."""

    bookings: int
    deliveries: int


SHORT = Size(60, 400)
FULL = Size(5_000, 20_000)
LONG = Size(50_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do.

    Attributes:
        id: of the operation and, of a delivery, the provider's event id. A duplicate has the same.
        op: what it is.
        booking: number of the booking it is about; None where it is about none.
        object_id: the provider's object.
    """

    id: str
    op: Op
    booking: int | None
    object_id: str

    @property
    def key(self) -> str:
        """Return the ordering key: the booking's name, or else the provider's object."""
        return self.object_id if self.booking is None else booking_name(self.booking)


def booking_name(number: int) -> str:
    """The client's name, by which a booking is found again."""
    return f"client-{number:06d}"


def make_plan(seed: int, size: Size) -> tuple[Operation, ...]:
    """Everything in the order in which it is to be begun. A booking's making stands before all about it."""
    rng = random.Random(seed)
    placed = [(_CREATED_BY * n / size.bookings, _creation(n)) for n in range(size.bookings)]
    deliveries: list[tuple[float, Operation]] = []
    while len(deliveries) < size.deliveries:
        start = len(deliveries) / size.deliveries
        booking = rng.randrange(max(1, min(size.bookings, int(start / _CREATED_BY * size.bookings))))
        for step, operation in enumerate(_story(rng, booking, len(deliveries))):
            where = deliveries if operation.op not in API else placed
            where.append((start + step * _STEPS_APART, operation))
    placed += _disturbed(rng, deliveries[: size.deliveries])
    return tuple(operation for _, operation in sorted(placed, key=lambda each: (each[0], each[1].id)))


def _creation(number: int) -> Operation:
    return Operation(f"create-{number:06d}", Op.CREATE, number, "")


def _story(rng: random.Random, booking: int, number: int) -> Iterator[Operation]:
    """Return the deliveries of one cause, about one booking or none."""
    name = f"{number:07d}"
    ops = rng.choices(list(_STORIES), weights=list(_STORIES.values()))[0]
    for step, op in enumerate(ops):
        own = op in SMS or op in {Op.POISON, Op.UNKNOWN, Op.FORGED}
        yield Operation(
            f"{'ev' if op in SMS else 'evt'}_{name}_{step}",
            op,
            None if own else booking,
            str(uuid.UUID(int=rng.getrandbits(128), version=4)) if op is Op.UNKNOWN else f"pi_{name}_{step}",
        )


_STORIES: dict[tuple[Op, ...], float] = {
    (Op.PAID,): 45,
    (Op.PART, Op.PART): 20,
    (Op.FAILED, Op.PAID): 6,
    (Op.PAID, Op.FAILED): 6,
    (Op.UNKNOWN,): 3,
    (Op.CANCEL, Op.PAID): 5,
    (Op.PAID, Op.BEGIN, Op.COMPLETE): 5,
    (Op.SMS_LEGACY,): 5,
    (Op.SMS,): 5,
}


def _disturbed(
    rng: random.Random, deliveries: list[tuple[float, Operation]]
) -> list[tuple[float, Operation]]:
    """The deliveries with some made poison, some forged, some late, some twice."""
    order = rng.sample(range(len(deliveries)), len(deliveries))
    counts = [
        round(len(deliveries) * s) for s in (POISON_SHARE, FORGED_SHARE, DUPLICATES_SHARE, OUT_OF_ORDER_SHARE)
    ]
    picks = iter(order)
    poison, forged, twice, late = ({next(picks) for _ in range(max(1, count))} for count in counts)
    result: list[tuple[float, Operation]] = []
    for number, (at, operation) in enumerate(deliveries):
        moved = at + rng.random() * _MOVED
        if number in poison:
            result.append((at, replace(operation, op=Op.POISON, booking=None, object_id=f"pi_bad_{number}")))
        elif number in forged:
            result.append((at, replace(operation, op=Op.FORGED, booking=None)))
        elif number in late:
            result.append((moved, operation))
        else:
            result += [(at, operation), *([(moved, operation)] if number in twice else [])]
    return result
