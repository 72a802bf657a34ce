import asyncio

import pytest

from plumbline import waiting


class Work:
    """A task that runs until it is cancelled and needs some steps to clean up."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.cleaned_up = False

    async def run(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(self.steps):
                await asyncio.sleep(0)
            self.cleaned_up = True


async def fail() -> None:
    raise LookupError("first")


async def test_first_failure_is_raised_once_the_others_have_cleaned_up() -> None:
    work = Work(5)

    with pytest.raises(LookupError, match="first"):
        await waiting.gather_or_cancel(work.run(), fail())

    assert work.cleaned_up


async def test_cleaning_up_is_not_broken_off_however_deep_the_work_is() -> None:
    works = [Work(1), Work(50)]

    with pytest.raises(LookupError, match="first"):
        await waiting.gather_or_cancel(
            waiting.gather_or_cancel(waiting.gather_or_cancel(*(w.run() for w in works))), fail()
        )

    assert [work.cleaned_up for work in works] == [True, True]


async def test_cancelled_from_outside_everything_has_cleaned_up() -> None:
    works = [Work(1), Work(50)]
    task = asyncio.ensure_future(waiting.gather_or_cancel(*(work.run() for work in works)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    assert [work.cleaned_up for work in works] == [True, True]


async def test_all_are_ended_although_one_of_them_fails() -> None:
    done: list[int] = []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    with pytest.raises(LookupError, match="first"):
        await waiting.gather_to_end(fail(), work(), work())

    assert done == [1, 1]


async def test_condition_that_never_holds_is_given_up() -> None:
    async def never() -> bool:
        return False

    assert not await waiting.until(never, seconds_max=0.05)
