"""Pooled sessions are lent on as they are: no statement of ours leaves state behind in one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[4]
# Each runs on a session of its own that is closed at the end.
OWN_SESSIONS = {"shards.py", "migrations.py", "store.py", "inbox_retention.py", "executor.py"}
KEPT_BY_A_SESSION = re.compile(
    r"^\s*(SET (?!LOCAL )|LISTEN |PREPARE |CREATE TEMP)|pg_(try_)?advisory_lock|set_config\(|WITH HOLD",
)


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_state_of_a_session_ends_with_its_transaction() -> None:
    sources = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("src/**/*.py")]
    found = {path.name for path in sources for text in texts(path) if KEPT_BY_A_SESSION.search(text)}
    assert found == OWN_SESSIONS, "use SET LOCAL or pg_advisory_xact_lock, or `Database.dedicated`"
