"""`docs/promises.md`: each code that stands in the repository can be looked up, and each row is true."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/promises.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ((?:GW|BK|AU|REC|ALL|CON)-\d+[a-z]?) \| (.+) \| (.+) \| (.+) \|$", re.MULTILINE)
ROWS = {code: (kept, shown) for code, _, kept, shown in ROW.findall(PAGE)}
CODE = r"\b(GW|BK|AU|AUD|REC|ALL|CON)-[0-9]+[a-z]?\b"
NOT_BUILT = ("not built yet", "none")


def test_every_code_of_the_repository_is_on_the_page() -> None:
    found = subprocess.run(
        ["git", "grep", "-hoE", "--untracked", CODE, "--", ":!CHANGELOG.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ROWS) == len(ROW.findall(PAGE)), "a code has two rows"
    assert {code for code in found.stdout.split() if code not in ROWS} == set()


@pytest.mark.parametrize("code", ROWS)
def test_row_names_files_and_tests_that_exist(code: str) -> None:
    kept, shown = ROWS[code]
    if (kept, shown) == NOT_BUILT:
        return
    files, tests = re.findall(r"`([^`]+)`", kept), re.findall(r"`([^`]+)`", shown)
    assert files
    assert tests
    assert [path for path in (*files, *tests) if not (ROOT / path).is_file()] == []
    assert all(re.fullmatch(r"tests/.*test_\w+\.py", path) for path in tests)


@pytest.mark.parametrize("path", ["libs/pricing/src/pricing/rate_cards", "tests/unit/pricing"])
def test_other_names_lead_somewhere(path: str) -> None:
    assert f"`{path}`" in PAGE
    assert (ROOT / path).is_dir()
