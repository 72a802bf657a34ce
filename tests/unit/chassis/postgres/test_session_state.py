"""Pooled sessions are lent on as they are: no statement of ours leaves state behind in one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[4]
# Their callers hand them a session of `Database.dedicated`, or one that a command opens.
HANDED_A_SESSION = {"shards.py", "migrations.py", "store.py", "payload_erasure.py"}
KEPT_BY_A_SESSION = re.compile(
    r"^\s*(SET (?!LOCAL )|LISTEN |PREPARE |CREATE TEMP)|pg_(try_)?advisory_lock|set_config\(|WITH HOLD",
)


def texts(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_state_of_a_session_ends_with_its_transaction() -> None:
    sources = [path for folder in ("libs", "services") for path in (ROOT / folder).rglob("src/**/*.py")]
    keeping = [path for path in sources if any(KEPT_BY_A_SESSION.search(text) for text in texts(path))]
    assert len(keeping) > len(HANDED_A_SESSION)
    on_pooled = {path.name for path in keeping if ".dedicated(" not in path.read_text(encoding="utf-8")}
    assert on_pooled == HANDED_A_SESSION, "use SET LOCAL, pg_advisory_xact_lock or `Database.dedicated`"
