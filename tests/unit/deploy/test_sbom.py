"""The bill of materials names everything that the lock files pin (`make sbom`)."""

import json
import re
import sys
from pathlib import Path

import pytest

from harness.processes import run
from plumbline.kafka_lock import locked_artifacts

ROOT = Path(__file__).parents[3]


@pytest.mark.slow  # the generator resolves every locked package
async def test_bill_of_materials_is_valid_and_complete(tmp_path: Path) -> None:
    target = tmp_path / "var/sbom.cdx.json"
    finished = await run([sys.executable, str(ROOT / "deploy/sbom.py"), str(target)], {}, seconds_max=150)
    assert finished.exit_code == 0, finished.stderr  # else it is not valid
    bom = json.loads(target.read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    named = {component["purl"] for component in bom["components"]}
    locked = re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert len(locked) > 100
    assert {f"pkg:pypi/{name}@{version}" for name, version in locked} <= named
    jars = {f"pkg:maven/{each.group}/{each.artifact}@{each.version}" for each in locked_artifacts()}
    assert jars <= named
