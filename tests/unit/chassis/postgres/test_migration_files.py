"""Migration files: how they are named, ordered, split and recognised."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chassis import clock
from chassis.postgres.migrations import Migration, MigrationError, find_migrations, statements

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Makes an importable package with these migrations."""

    def make(**contents: str) -> str:
        name = f"migrated_{clock.new_id().replace('-', '')}"
        folder = tmp_path / name / "migrations"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").touch()
        for file, sql in contents.items():
            (folder / f"{file}.sql").write_text(sql, encoding="utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return make


def test_files_come_in_order_of_packages_then_numbers(package: Package) -> None:
    first = package(**{"0002_post_b": "2", "0001_pre_a": "1", "0010_pre_c": "3"})
    second = package(**{"0001_pre_z": "4"})
    found = find_migrations([first, second])
    assert [(m.package, m.name, m.sql) for m in found] == [
        (first, "0001_pre_a.sql", "1"),
        (first, "0002_post_b.sql", "2"),
        (first, "0010_pre_c.sql", "3"),
        (second, "0001_pre_z.sql", "4"),
    ]


@pytest.mark.parametrize(
    "name", ["1_pre_a", "0001_a", "0001_pre_", "0001_pre_A", "0001-pre-a", "0001_pre_a b"]
)
def test_other_name_is_refused_and_told(package: Package, name: str) -> None:
    made = package(**{name: "SELECT 1"})
    with pytest.raises(MigrationError, match=f"{made}: {name}.sql is not named"):
        find_migrations([made])


def test_file_of_another_kind_is_not_looked_at(package: Package, tmp_path: Path) -> None:
    made = package(**{"0001_pre_a": "1"})
    (tmp_path / made / "migrations" / "README.md").write_text("why", encoding="utf-8")
    assert [m.name for m in find_migrations([made])] == ["0001_pre_a.sql"]


def test_any_change_of_the_text_changes_the_digest() -> None:
    assert Migration("p", "n", "SELECT 1").sha256 != Migration("p", "n", "SELECT 1 ").sha256


def test_statements_end_with_a_semicolon_at_a_lines_end() -> None:
    sql = "-- no-transaction\nCREATE INDEX a ON t (x);\n\nSELECT ';', 'b;c';  \nSELECT 3"
    assert statements(sql) == ["-- no-transaction\nCREATE INDEX a ON t (x)", "SELECT ';', 'b;c'", "SELECT 3"]


def test_chassis_ships_its_own_migrations() -> None:
    names = [m.name for m in find_migrations(["chassis"])]
    assert names[0] == "0001_pre_append_only.sql"
    assert names == sorted(names)
