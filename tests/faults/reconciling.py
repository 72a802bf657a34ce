"""Wrong money among clean bookings: F31."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.postgres import Database
from faults.corruptions import EDGES, KINDS, Grade
from faults.plan import SHORT
from faults.scene import Scene
from faults.stored_money import as_owner, damage, draw_differences, populate
from harness import start_services
from harness.databases import TestDatabase
from reconciler.adapters.booking_view import read_page
from reconciler.domain.findings import Finding
from reconciler.domain.pages import PageResults
from reconciler.domain.rules import Rules
from reconciler.domain.scopes import ALL

BOOKINGS, OF_EACH_KIND = 100_000, 100
BOOKINGS_SHORT, OF_EACH_KIND_SHORT = 5_000, 6

RULES = Rules(drift_min=2, grace=timedelta(hours=24))
ZONE = ZoneInfo("America/Chicago")


@dataclass(frozen=True, slots=True)
class Planted:
    """A corruption of one booking, and what a run must say: None where it must say nothing."""

    kind: str
    expected: tuple[str, Grade] | None


async def wrong_money(scene: Scene) -> None:
    """F31: every corruption is found, classified and graded right, none false, and the lines add up."""
    is_short = scene.size == SHORT
    bookings, count = (BOOKINGS_SHORT, OF_EACH_KIND_SHORT) if is_short else (BOOKINGS, OF_EACH_KIND)
    # A stack of its own: its bookings have no events, which every other row would miss.
    async with start_services(scene.infra) as stack:
        database = stack.database("booking")
        planted = await plant(database, random.Random(scene.seed), bookings, count)
        began = time.monotonic()
        found, scanned = await run_over(database)
        scene.notes |= {
            "bookings": scanned,
            "corrupted": sum(each.expected is not None for each in planted.values()),
            "kinds": len(KINDS),
            "bookings per second": round(scanned / (time.monotonic() - began)),
        }
    assert scanned == bookings, f"{scanned} of {bookings} bookings were read"
    problems = list(differences(planted, found))
    assert not problems, "\n".join(problems[:20])


async def plant(
    database: TestDatabase, rng: random.Random, bookings: int, count: int
) -> Mapping[str, Planted]:
    """Insert bookings and corrupt `count` of them by each kind. Return booking id → what was planted."""
    kinds = (*KINDS, *EDGES)
    population = await populate(database, bookings, of_each_card=len(kinds) * count)
    free = {card: rng.sample(ids, len(ids)) for card, ids in population.ids.items()}
    planted: dict[str, Planted] = {}
    async with as_owner(database) as connection:
        for kind in kinds:
            ids = [free[kind.card].pop() for _ in range(count)]
            drawn = draw_differences(rng, kind, count)
            await damage(connection, kind, ids, drawn)
            for booking_id, difference in zip(ids, drawn, strict=True):
                expected = (kind.finding, kind.severity(difference)) if kind.finding else None
                planted[booking_id] = Planted(kind.name, expected)
    return planted


async def run_over(database: TestDatabase) -> tuple[dict[str, list[Finding]], int]:
    """Read the view page by page as a run does, and evaluate each page. Return all findings by booking."""
    view = Database(database.dsn("reconciler_booking_view"), application_name="faults", read_only=True)
    found: dict[str, list[Finding]] = {}
    scanned, reached = 0, None
    await view.start()
    try:
        while True:
            results = PageResults()
            passed = await read_page(
                view,
                ALL,
                ZONE,
                after_booking_id=reached,
                take=partial(results.evaluate, rules=RULES, as_of=clock.now()),
            )
            reached = passed.last_booking_id
            if reached is None:
                return found, scanned
            scanned += passed.bookings
            for finding in results.findings:
                found.setdefault(finding.booking_id or "", []).append(finding)
    finally:
        await view.stop()


def differences(planted: Mapping[str, Planted], found: Mapping[str, Sequence[Finding]]) -> Iterator[str]:
    """Yield a line for each booking about which a run said something else than it should, or sums wrongly."""
    for booking_id in sorted(planted.keys() | found.keys()):
        corruption = planted.get(booking_id, Planted("nothing", None))
        expected = [corruption.expected] if corruption.expected else []
        findings = found.get(booking_id, ())
        seen = [(_name(finding), finding.severity) for finding in findings]
        if seen != expected:
            yield f"{booking_id} ({corruption.kind}): expected {expected}, found {seen}"
        yield from (
            f"{booking_id} ({corruption.kind}): lines of {_name(finding)} add up to {lines}, not to {total}"
            for finding in findings
            for lines, total in [_sums(finding)]
            if lines != total
        )


def _name(finding: Finding) -> str:
    return finding.drift_class or finding.explanation.get("obstacle") or finding.type


def _sums(finding: Finding) -> tuple[int, int]:
    totals = finding.explanation["totals"]
    lines = sum(line["difference"] for line in finding.explanation["lines"])
    is_known = totals["snapshot"] is not None
    return lines, totals["recomputed"] - totals["snapshot"] if is_known else 0
