"""A migration that was published is never edited: databases would differ for ever."""

from pathlib import Path

from contract_tools.migration_digests import digests, problems, read_lock

ROOT = Path(__file__).parents[2]
PUBLISHED = {"a/0001.sql": "1", "a/0002.sql": "2"}


def test_published_migrations_are_as_they_were() -> None:
    assert read_lock(ROOT)
    assert problems(read_lock(ROOT), digests(ROOT), is_check=False) == []


def test_edited_and_removed_files_are_refused_and_new_ones_are_added() -> None:
    present = {"a/0001.sql": "changed", "a/0003.sql": "3"}
    edited, removed = problems(PUBLISHED, present, is_check=False)
    assert edited.startswith("a/0001.sql was edited after it was published: restore it")
    assert removed.startswith("a/0002.sql was removed")
    assert problems(PUBLISHED, {**PUBLISHED, "a/0003.sql": "3"}, is_check=False) == []
    assert problems(PUBLISHED, {**PUBLISHED, "a/0003.sql": "3"}, is_check=True) == [
        "a/0003.sql is not in libs/chassis/migrations.lock: run `make contracts`"
    ]
