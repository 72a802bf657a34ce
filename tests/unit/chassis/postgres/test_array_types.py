"""Every array type that a statement of ours names is one that a session knows from the start."""

import re
from pathlib import Path

from chassis.postgres.array_types import ARRAY_TYPES

ROOT = Path(__file__).parents[4]
_ARRAY = re.compile(r"::([a-z0-9]+)\[\]")
_OTHER_NAMES = {"bigint": "int8", "integer": "int4", "smallint": "int2", "boolean": "bool"}
# asyncpg has codecs for these.
_BUILT_IN = {"text", "oid"}


def test_array_types_of_statements_are_known_to_sessions() -> None:
    sources = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("src/**/*.py")]
    named = {name for path in sources for name in _ARRAY.findall(path.read_text(encoding="utf-8"))}
    assert "bigint" in named
    assert {_OTHER_NAMES.get(name, name) for name in named} - _BUILT_IN <= ARRAY_TYPES.keys()
