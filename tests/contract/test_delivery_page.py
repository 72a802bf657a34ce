"""`docs/delivery.md` and the runbooks say what the code does: numbers, tests, fault rows and pages."""

import dataclasses
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic_settings import BaseSettings

from chassis.consuming import limits
from contracts.topics import BOOKINGS_EVENTS, RECONCILIATION_COMMANDS, WEBHOOKS_STRIPE
from faults.rows import ROWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/delivery.md").read_text()
STOPPED = (ROOT / "deploy/runbooks/consumer-stopped.md").read_text()
UNITS = {"": 1, "s": 1, "ms": 1e-3, "days": 1, "KiB": 2**10, "MiB": 2**20}
HOURS_PER_DAY = 24


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table under a heading."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def constant(dotted: str) -> Any:
    """Return the code's value: a module's constant, or the default of a limit or a setting."""
    module, *names = dotted.split(".")
    while names and not names[0][0].isupper():
        module = f"{module}.{names.pop(0)}"
    found: Any = importlib.import_module(module)
    for name in names:
        if isinstance(found, type) and issubclass(found, BaseSettings):
            found = found.model_fields[name].default
        elif isinstance(found, type) and dataclasses.is_dataclass(found):
            found = getattr(found(), name)
        else:
            found = getattr(found, name)
    return found


def written(dotted: str) -> Any:
    """A constant in the units in which people read it."""
    value = constant(dotted)
    if "milliseconds" in dotted.lower():
        return value / 1000
    return value / HOURS_PER_DAY if "hours" in dotted and value is not None else value


@pytest.mark.parametrize("row", rows("Limits, and what happens at each"), ids=lambda row: row[2].strip("`"))
def test_limit_is_the_code_s(row: list[str]) -> None:
    _, limit, dotted, at_the_limit = row
    value = written(dotted.strip("`"))
    if limit == "for ever":
        assert value is None
        return
    *numbers, unit = re.split(r" |, ", limit) if limit.split()[-1] in UNITS else (*limit.split(", "), "")
    told = [float(number.replace(",", "")) * UNITS[unit] for number in numbers]
    assert told == list(value if isinstance(value, tuple) else [value])
    assert at_the_limit


def test_numbers_stand_in_tables_only() -> None:
    """There they are compared with the code."""
    prose = "\n".join(line for line in PAGE.splitlines() if not line.startswith("|"))
    for allowed in (r"`[^`\n]*`", r"\bF\d+\b", r"decision \d{4}", r"^\d\. "):
        prose = re.sub(allowed, "", prose, flags=re.MULTILINE)
    assert re.findall(r".*\d.*", prose) == []


@pytest.mark.parametrize("row", rows("Promised"), ids=lambda row: row[0])
def test_promise_names_what_shows_it(row: list[str]) -> None:
    assert row[-1]


def test_every_test_row_page_and_decision_that_is_named_exists() -> None:
    for name in set(re.findall(r"`((?:\w+/)?test_\w+\.py)`", PAGE)):
        assert len(list((ROOT / "tests").rglob(name))) == 1, name
    assert set(re.findall(r"\bF\d+\b", PAGE)) <= {row.name for row in ROWS}
    for path in set(re.findall(r"`(deploy/[\w./-]+)`", PAGE)):
        assert (ROOT / path).exists(), path
    for number in set(re.findall(r"decision (\d{4})", PAGE)):
        assert list((ROOT / "docs/decisions").glob(f"{number}-*.md")), number


def test_runbook_of_the_breaker_has_the_code_s_numbers() -> None:
    bounds = limits.Limits()
    *rising, last = (f"{seconds:g}" for seconds in limits.PROBE_SECONDS)
    told = " ".join(STOPPED.split())
    assert f"{bounds.row_failures_max} new ones in a row" in told
    assert f"{bounds.window_failures_min} of the last {bounds.window_messages}" in told
    assert f"{', '.join(rising)}, and then every {last} seconds" in told
    for card, spelt in (
        (RECONCILIATION_COMMANDS, "`reconciliation.commands.v1`"),
        (WEBHOOKS_STRIPE, "webhooks"),
        (BOOKINGS_EVENTS, "`bookings.events.v1`"),
    ):
        assert card.retention_hours is not None
        assert f"{card.retention_hours // HOURS_PER_DAY} days for {spelt}" in told
