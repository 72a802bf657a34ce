"""A number of an advisory lock has one meaning, and stands in the registry alone."""

from pathlib import Path

from chassis.postgres import advisory_locks

ROOT = Path(__file__).parents[4]
NUMBERS = [number for name, number in vars(advisory_locks).items() if name.isupper()]


def test_no_number_has_two_meanings() -> None:
    assert len(set(NUMBERS)) == len(NUMBERS)


def test_numbers_stand_in_the_registry_alone() -> None:
    sources = [path for folder in ("libs", "services", "deploy") for path in (ROOT / folder).rglob("*.py")]
    assert [path.name for path in sources if "7_310_579" in path.read_text()] == ["advisory_locks.py"]
