"""Verifiers that others wrote agree on a log, and refuse one changed byte (AU-7)."""

from pathlib import Path

import pytest

from audit.domain.log.keys import KeyType, SigningKey
from integration.audit.foreign_verifiers import VERIFIERS, verifies
from integration.audit.log_files import ORIGIN, write_log

KEYS = [
    SigningKey(ORIGIN, KeyType.ED25519, b"1" * 32),
    SigningKey(ORIGIN, KeyType.MLDSA44_COSIGNATURE, b"2" * 32),
]
KEY = str(KEYS[0].verifier)
DAMAGED = (
    "checkpoint",
    "tile/0/000",
    "tile/0/002.p/88",
    "tile/1/000.p/2",
    "tile/entries/001",
    "tile/entries/002.p/88",
)


def log_of(directory: Path, size: int) -> str:
    """Write a log of `size` entries and return its URL."""
    write_log(directory, [f'{{"v":1,"entry_id":{each}}}'.encode() for each in range(size)], KEYS)
    return directory.as_uri()


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("size", [1, 256, 257, 66_000])
def test_log_of_any_size_is_verified(size: int, verifier: str, tmp_path: Path) -> None:
    assert verifies(verifier, KEY, log_of(tmp_path / "log", size), tmp_path)


@pytest.mark.parametrize("verifier", VERIFIERS)
@pytest.mark.parametrize("damaged", DAMAGED)
def test_one_changed_byte_is_refused(damaged: str, verifier: str, tmp_path: Path) -> None:
    url, file = log_of(tmp_path / "log", 600), tmp_path / "log" / damaged
    content = bytearray(file.read_bytes())
    content[len(content) // 2 if damaged != "checkpoint" else len(ORIGIN) + 6] ^= 1
    file.write_bytes(content)
    assert not verifies(verifier, KEY, url, tmp_path)
