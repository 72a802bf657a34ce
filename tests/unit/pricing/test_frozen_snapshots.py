"""Snapshots of each engine, as releases stored them: their prices can be computed while bookings are kept.

A file of `frozen/` is added with a new engine and never changed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pricing import agrees, compare, parse_snapshot, recompute, to_json_object
from pricing.engines import ENGINES

FOLDER = Path(__file__).parent / "frozen"
FILES = sorted(FOLDER.glob("*.json"))
# The worked totals and each frozen price, computed where nothing is set as on the developer's machine.
PRICE_ALL = """
import json, sys
from pathlib import Path
from pricing import parse_snapshot, recompute, snapshot, rate_card, PriceRequest
from datetime import datetime, timedelta
for path in sorted(Path(sys.argv[1]).glob("*.json")):
    print(path.name, recompute(parse_snapshot(json.loads(path.read_text(encoding="utf-8")))).total)
stay = [datetime.fromisoformat(text) for text in ("2025-03-08T10:00:00-06:00", "2025-03-10T10:00:00-05:00")]
for service in ("housesitting", "24-7-care"):
    request = PriceRequest(service=service, starts_at=stay[0], ends_at=stay[1])
    priced = snapshot(request, rate_card("default", "2025-01"))
    print(service, priced.lines, priced.inputs)
"""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_frozen_snapshot_recomputes_to_itself(file: Path) -> None:
    stored = json.loads(file.read_text(encoding="utf-8"))
    parsed = parse_snapshot(stored)
    assert agrees(parsed, recompute(parsed))
    assert all(line.difference == 0 for line in compare(parsed, recompute(parsed)))
    assert to_json_object(parsed) == stored
    assert file.name.startswith(f"engine-{parsed.engine_version}-")


def test_half_a_cent_goes_up_by_engine_1_and_to_the_even_cent_by_engine_2() -> None:
    """7.5 % of 12620 are 946.5; 7.25 % of 13000 are 942.5."""
    for name, amount in (("engine-1-half-a-cent-of-discount", -947), ("engine-2-half-a-cent-of-tax", 942)):
        stored = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
        assert amount in [line["amount"] for line in stored["line_items"]]


def test_every_engine_has_frozen_snapshots_of_what_it_reads() -> None:
    codes: dict[int, set[str]] = {engine: set() for engine in ENGINES}
    for file in FILES:
        stored = json.loads(file.read_text(encoding="utf-8"))
        codes[stored["engine_version"]] |= {line["code"].split(":")[0] for line in stored["line_items"]}
    common = {"visit", "long_visit", "night", "extra_pet", "holiday", "discount", "fee", "tax", "override"}
    assert codes == {1: common, 2: common | {"hour", "fixed"}}


@pytest.mark.slow
def test_prices_are_the_same_in_every_server_time_zone_and_locale() -> None:
    servers = [("UTC", "C"), ("Asia/Tokyo", "ar_EG.UTF-8"), ("America/Chicago", "tr_TR.UTF-8"),
               ("Pacific/Honolulu", "de_DE.UTF-8"), ("Pacific/Kiritimati", "C.UTF-8")]  # fmt: skip
    answers = {
        subprocess.run(
            [sys.executable, "-c", PRICE_ALL, FOLDER],
            env={**os.environ, "TZ": zone, "LC_ALL": locale, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        ).stdout
        for seed, (zone, locale) in enumerate(servers)
    }
    [answer] = answers
    assert "Line(code='night', description='Housesitting night', quantity=2" in answer
    assert len(answer.splitlines()) == len(FILES) + 2
