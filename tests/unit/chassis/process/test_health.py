"""Readiness asks every check at once, waits for none too long, and takes an error for an answer."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from chassis.process import health
from chassis.process.health import Check, Health


def answering(check: Check) -> Callable[[], Awaitable[Check]]:
    async def answer() -> Check:
        return check

    return answer


async def never() -> Check:
    await asyncio.Event().wait()
    return Check(ok=True)


async def broken() -> Check:
    raise ConnectionRefusedError("no broker")


async def test_no_check_is_ready() -> None:
    assert await Health().report() == (True, {"status": "ready", "checks": {}})


async def test_all_good_is_ready_and_tells_each_state() -> None:
    checked = Health()
    checked.add("flag", answering(Check(ok=True, detail="validation on")))
    assert await checked.report() == (
        True,
        {"status": "ready", "checks": {"flag": {"ok": True, "detail": "validation on"}}},
    )


async def test_one_bad_is_not_ready_and_named() -> None:
    checked = Health()
    checked.add("good", answering(Check(ok=True)))
    checked.add("kafka", answering(Check(ok=False, detail="no broker answers")))
    ready, report = await checked.report()
    assert not ready
    assert report == {
        "status": "not_ready",
        "checks": {
            "good": {"ok": True, "detail": ""},
            "kafka": {"ok": False, "detail": "no broker answers"},
        },
    }


async def test_raising_check_is_an_answer() -> None:
    checked = Health()
    checked.add("kafka", broken)
    ready, report = await checked.report()
    assert not ready
    assert report["checks"] == {"kafka": {"ok": False, "detail": "no broker"}}


async def test_checks_that_never_answer_are_given_up_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS_MAX", 0.2)
    checked = Health()
    for number in range(20):
        checked.add(f"slow {number}", never)
    async with asyncio.timeout(2):  # one after another they would take four seconds
        ready, report = await checked.report()
    assert not ready
    assert report["checks"] == {
        f"slow {number}": {"ok": False, "detail": "no answer within 0.2 s"} for number in range(20)
    }
