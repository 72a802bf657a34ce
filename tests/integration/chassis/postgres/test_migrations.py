"""Migrations on a real database: once, one process at a time, all of a file or nothing."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from chassis import clock
from chassis.postgres.migrations import MigrationError, migrate, pending_migrations
from harness import eventually
from integration.chassis.ground import Ground

Package = Callable[..., str]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """Writes migrations of a package of its own; called again it changes them."""
    name = f"migrated_{clock.new_id().replace('-', '')}"
    folder = tmp_path / name / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(**contents: str) -> str:
        for file, sql in contents.items():
            (folder / f"{file}.sql").write_text(sql, encoding="utf-8")
        sys.modules.pop(name, None)
        return name

    return write


async def run(place: Ground, *packages: str) -> list[str]:
    return await migrate(place.admin_dsn, owner=place.owner, packages=packages)


async def test_what_is_missing_is_applied_once(place: Ground, package: Package) -> None:
    made = package(**{"0001_pre_a": "CREATE TABLE a (x int); CREATE TABLE b (x int);"})
    assert await run(place, "chassis", made) == ["0001_pre_a.sql"]
    assert await run(place, "chassis", made) == []
    package(**{"0002_post_b": "DROP TABLE b;"})
    async with place.sql.connect(place.role) as connection:
        assert await pending_migrations(connection, ["chassis", made]) == ["0002_post_b.sql"]
    assert await run(place, made) == ["0002_post_b.sql"]
    async with place.sql.connect(place.role) as connection:
        assert await pending_migrations(connection, ["chassis", made]) == []


async def test_everything_belongs_to_the_owner_who_cannot_log_in(place: Ground) -> None:
    owners = await place.sql.fetch(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'effect'"
    )
    assert [row["tableowner"] for row in owners] == [place.owner]
    assert (
        await place.sql.fetchval("SELECT rolcanlogin FROM pg_roles WHERE rolname = $1", place.owner) is False
    )


async def test_several_processes_at_once_apply_each_file_once(place: Ground, package: Package) -> None:
    made = package(**{f"000{n}_pre_t{n}": f"CREATE TABLE t{n} (x int);" for n in range(1, 6)})
    applied = await asyncio.gather(*(run(place, made) for _ in range(6)))
    assert sorted(name for names in applied for name in names) == [
        f"000{n}_pre_t{n}.sql" for n in range(1, 6)
    ]


async def test_applied_file_that_has_changed_is_refused_and_named(place: Ground, package: Package) -> None:
    made = package(**{"0001_pre_a": "CREATE TABLE a (x int);"})
    await run(place, made)
    package(**{"0001_pre_a": "CREATE TABLE a (x bigint);", "0002_pre_b": "CREATE TABLE b (x int);"})
    with pytest.raises(MigrationError, match=r"0001_pre_a\.sql was changed after it was applied"):
        await run(place, made)
    assert await place.sql.fetchval("SELECT to_regclass('b')") is None


async def test_file_that_fails_leaves_nothing_and_stops_there(place: Ground, package: Package) -> None:
    made = package(
        **{
            "0001_pre_a": "CREATE TABLE a (x int);",
            "0002_pre_b": "CREATE TABLE b (x int); SELECT 1/0;",
            "0003_pre_c": "CREATE TABLE c (x int);",
        }
    )
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(place, made)
    found = await place.sql.fetchrow(
        "SELECT to_regclass('a') AS a, to_regclass('b') AS b, to_regclass('c') AS c"
    )
    assert found is not None
    assert (found["a"], found["b"], found["c"]) == ("a", None, None)
    package(**{"0002_pre_b": "CREATE TABLE b (x int);"})
    assert await run(place, made) == ["0002_pre_b.sql", "0003_pre_c.sql"]


async def test_concurrent_index_is_built_outside_a_transaction_while_others_wait(
    place: Ground, package: Package
) -> None:
    """A second process waiting inside the server for the lock would deadlock the index build."""
    made = package(
        **{
            "0001_pre_a": "CREATE TABLE a (x int);",
            "0002_pre_index": "-- no-transaction\nCREATE INDEX CONCURRENTLY a_x ON a (x);\nANALYZE a;\n",
        }
    )
    assert await run(place, made) == ["0001_pre_a.sql", "0002_pre_index.sql"]
    package(**{"0003_pre_index": "-- no-transaction\nCREATE INDEX CONCURRENTLY a_xx ON a (x, x);\n"})
    async with place.sql.connect() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("INSERT INTO a VALUES (1)")  # the index build waits for this transaction
        both = asyncio.gather(run(place, made), run(place, made))

        async def one_builds() -> bool:
            return await place.sql.fetchval("SELECT count(*) FROM pg_stat_progress_create_index") == 1

        await eventually(one_builds)
        await transaction.commit()
    assert sorted(await both) == [[], ["0003_pre_index.sql"]]
    valid = await place.sql.fetchval(
        "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid = 'a'::regclass"
    )
    assert valid is True
