"""Time and identifiers come from one place, and the linter keeps it so."""

import subprocess
import sys
from datetime import UTC, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from chassis import clock

ROOT = Path(__file__).parents[3]
ELSEWHERE = ROOT / "services/booking/src/booking/handlers/sample.py"


def test_now_is_in_utc_and_aware() -> None:
    moment = clock.now()
    assert moment.tzinfo is UTC
    assert clock.now() - moment < timedelta(minutes=1)


def test_new_ids_are_version_7_unique_and_in_order_of_time() -> None:
    ids = [clock.new_id() for _ in range(10_000)]
    assert len(set(ids)) == len(ids)
    assert {UUID(text).version for text in ids} == {7}
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    "source",
    [
        "import time\n\nSTARTED = time.time()\n",
        "from datetime import UTC, datetime\n\nSTARTED = datetime.now(UTC)\n",
        "import uuid\n\nNAME = uuid.uuid4()\n",
        "from uuid import uuid4\n\nNAME = uuid4()\n",
    ],
)
def test_wall_clock_or_random_id_elsewhere_is_refused_by_the_linter(source: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--stdin-filename", ELSEWHERE, "-"],
        input=source,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "TID251" in done.stdout
