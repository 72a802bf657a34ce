"""Verifiers that others wrote agree on a log: Tessera's fsck and Go's sumdb packages (AU-7)."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.domain.log.keys import KeyType, SigningKey
from harness import foreign
from integration.audit.log_files import ORIGIN, write_log

KEYS = [
    SigningKey(ORIGIN, KeyType.ED25519, b"1" * 32),
    SigningKey(ORIGIN, KeyType.MLDSA44_COSIGNATURE, b"2" * 32),
]
KEY = str(KEYS[0].verifier)
_SECONDS_MAX = 60.0

Verifier = Callable[[str], bool]
"""Takes a log's URL. Returns whether the whole log was verified."""


@pytest.fixture(scope="module")
def sumdb() -> Verifier:
    program = foreign.build("checklog", ".")

    def verify(url: str) -> bool:
        return _run([str(program), KEY, url]).startswith("verified: ")

    return verify


@pytest.fixture(scope="module")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Verifier:
    program = foreign.build("fsck", "github.com/transparency-dev/tessera/cmd/fsck")
    key_file = tmp_path_factory.mktemp("fsck") / "key"
    key_file.write_text(KEY)

    def verify(url: str) -> bool:
        # Its exit code is 0 whatever it finds, and with few workers it waits for ever after an error.
        options = [f"--storage_url={url}/", f"--public_key={key_file}", "--N=8", "--ui=false"]
        return "Successfully fsck'd log" in _run([str(program), *options])

    return verify


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["sumdb", "fsck"])
@pytest.mark.parametrize("size", [1, 256, 257, 66_000])
def test_log_of_any_size_is_verified(
    size: int, tool: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    verify: Verifier = request.getfixturevalue(tool)
    write_log(tmp_path, [f'{{"v":1,"entry_id":{each}}}'.encode() for each in range(size)], KEYS)
    assert verify(tmp_path.as_uri())


@pytest.mark.parametrize("tool", ["sumdb", "fsck"])
@pytest.mark.parametrize(
    "damaged",
    [
        "checkpoint",
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
        "tile/entries/001",
        "tile/entries/002.p/88",
    ],
)
def test_one_changed_byte_is_refused(
    damaged: str, tool: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    verify: Verifier = request.getfixturevalue(tool)
    write_log(tmp_path, [f'{{"v":1,"entry_id":{each}}}'.encode() for each in range(600)], KEYS)
    content = bytearray((tmp_path / damaged).read_bytes())
    content[len(content) // 2 if damaged != "checkpoint" else len(ORIGIN) + 6] ^= 1
    (tmp_path / damaged).write_bytes(content)
    assert not verify(tmp_path.as_uri())
