"""`audit verify-evidence` and the frozen example of `docs/evidence.md`, which stays valid."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from audit.__main__ import cli
from audit.domain.log.evidence import encode_evidence
from audit.domain.log.keys import SigningKey
from audit.domain.log.proofs import parse_proof, verify_proof
from chassis.process.command_line import CommandError
from harness.evidence_files import LOG_KEY, STRANGER
from harness.evidence_tampering import INTACT, LESS, TAMPERED, changed

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/evidence.md").read_text(encoding="utf-8")
(COMMAND,) = re.findall(r"^audit (verify-evidence .*)$", PAGE, re.MULTILINE)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["verify-evidence", *arguments])


def test_command_of_the_page_verifies_its_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(cli, shlex.split(COMMAND))
    assert result.exit_code == 0
    assert result.output.rstrip().endswith("says what that does not prove")
    assert "fail" not in result.output


def test_failed_check_is_named_and_exit_code_is_1(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(changed(TAMPERED["version dropped"][0]))
    result = run(str(file), "--key", str(LOG_KEY.verifier), "--json")
    assert result.exit_code == 1
    told = json.loads(result.output)
    assert (told["verdict"], told["booking_id"]) == ("failed", INTACT.booking_id)
    said = {check["check"]: check["result"] for check in told["checks"]}
    assert [name for name, each in said.items() if each == "fail"] == ["history"]


@pytest.mark.parametrize(
    ("evidence", "key", "sentence", "verdict"),
    [
        (encode_evidence(INTACT), STRANGER, "a check failed: do not rely on this file", "failed"),
        (changed(LESS["no entry"]), LOG_KEY, "nothing is proved", "nothing-proved"),
    ],
    ids=["other key", "no entry"],
)
def test_what_proves_nothing_is_no_success(
    evidence: str, key: SigningKey, sentence: str, verdict: str, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.json"
    file.write_text(evidence)
    result = run(str(file), "--key", str(key.verifier))
    assert result.exit_code == 1
    assert sentence in result.output
    told = json.loads(run(str(file), "--key", str(key.verifier), "--json").output)
    assert told["verdict"] == verdict


def test_what_cannot_be_checked_is_said_in_a_sentence(tmp_path: Path) -> None:
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(256)) * 40_000)
    for file, key, sentence in (
        (noise, str(LOG_KEY.verifier), "it holds no evidence"),
        (tmp_path / "none", str(LOG_KEY.verifier), "there is no such file"),
        (noise, "a+b", "--key: a verifier key is"),
    ):
        result = run(str(file), "--key", key)
        assert isinstance(result.exception, CommandError)
        assert sentence in str(result.exception)


def test_extracted_proofs_are_tlog_proofs_that_hold_their_entry(tmp_path: Path) -> None:
    file, folder = tmp_path / "evidence.json", tmp_path / "parts"
    file.write_text(encode_evidence(INTACT))
    assert run(str(file), "--key", str(LOG_KEY.verifier), "--extract", str(folder)).exit_code == 0
    assert len(list(folder.iterdir())) == 2 + 3 * len(INTACT.entries) - 1  # one content is erased
    for entry in INTACT.entries:
        sealed = (folder / f"{entry.index}.json").read_bytes()
        proof = parse_proof((folder / f"{entry.index}.tlog-proof").read_bytes())
        proved = verify_proof(proof, [LOG_KEY.verifier], origin=LOG_KEY.name, entry=sealed)
        assert (proved.index, proof.extra) == (entry.index, entry.sealed.encode())
    again = run(str(file), "--key", str(LOG_KEY.verifier), "--extract", str(folder))
    assert "name a new folder" in str(again.exception)
