"""Work three exceptions off: one is mended, one is accepted, one comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plumbline.demo.corrupt import Corruption, mend
from plumbline.demo.outcome import Json, Observer

TASKS = 3


@dataclass(frozen=True, slots=True)
class Task:
    """An exception to work off.

    Attributes:
        steps: name and body of each step, in order.
        is_mended: the falsified price is put right before the next run.
        expected: status, resolution and number of returns after the next run.
    """

    corruption: Corruption
    steps: tuple[tuple[str, Json], ...]
    expected: tuple[str, str | None, int]
    did: str
    is_mended: bool = False


@dataclass(frozen=True, slots=True)
class WorkedException:
    """An exception after the next run, with its history."""

    task: Task
    after: Json

    @property
    def result(self) -> tuple[str, str | None, int]:
        return self.after["status"], self.after["resolution"], self.after["regressions"]

    @property
    def is_as_expected(self) -> bool:
        return self.result == self.task.expected


def tasks(corruptions: Sequence[Corruption]) -> tuple[Task, ...]:
    """Return what the operator does about the three corruptions."""
    raised, small_raise, lowered = corruptions
    return (
        Task(
            raised,
            (("acknowledge", {}), ("comment", {"text": "typed into the database; put right"})),
            ("resolved", "fixed", 0),
            "acknowledged, price put right",
            is_mended=True,
        ),
        Task(
            small_raise,
            (
                (
                    "resolve",
                    {"resolution": "accepted", "reason": "agreed with the client", "up_to": 500},
                ),
            ),
            ("resolved", "accepted", 0),
            "accepted up to 5.00",
        ),
        Task(
            lowered,
            (("resolve", {"resolution": "fixed", "reason": "should be right now"}),),
            ("open", None, 1),
            "resolved as fixed, though nothing was",
        ),
    )


async def work_off(
    observer: Observer, admin_dsn: str, corrupted: Mapping[str, Corruption], queue: Json
) -> list[WorkedException]:
    """Take the steps over HTTP, put one price right, run again, and return the exceptions after that run.

    Args:
        observer: of the running stack.
        admin_dsn: connects to database `booking`, as a role that may become its owner.
        corrupted: booking id → its corruption.
        queue: the exceptions after the first run.
    """
    by_corruption = {corruption.name: booking for booking, corruption in corrupted.items()}
    open_: dict[str, Any] = {
        item["booking_id"]: item["id"] for item in queue["exceptions"] if item["type"] == "pricing_drift"
    }
    planned = [
        (task, open_[booking])
        for task in tasks(list(corrupted.values()))
        if (booking := by_corruption[task.corruption.name]) in open_
    ]
    for task, exception_id in planned:
        for name, body in task.steps:
            await observer.take_step(exception_id, name, body)
        if task.is_mended:
            await mend(admin_dsn, by_corruption[task.corruption.name], task.corruption)
    await observer.reconcile()
    return [WorkedException(task, await observer.exception(exception_id)) for task, exception_id in planned]


def work_problems(worked: Sequence[WorkedException]) -> list[str]:
    """Return what is wrong with the exceptions after the second run, one line each."""
    lines = [
        f"exception {each.after['id']} ({each.task.did}) is {each.result}, expected {each.task.expected}"
        for each in worked
        if not each.is_as_expected
    ]
    missing = TASKS - len(worked)
    return [*lines, f"{missing} of {TASKS} exceptions could not be worked off"] if missing else lines
