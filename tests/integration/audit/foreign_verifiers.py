"""Verifiers that others wrote: each verifies a whole log, all tiles and entries, under one key."""

import subprocess
from pathlib import Path

from harness import foreign

VERIFIERS = ("sumdb", "fsck")
_FSCK = "github.com/transparency-dev/tessera/cmd/fsck"
_SECONDS_MAX = 60.0


def verifies(verifier: str, key: str, url: str, folder: Path) -> bool:
    """Return whether the verifier found the whole log to be in order.

    Args:
        verifier: of `VERIFIERS`.
        key: the log's Ed25519 verifier key.
        url: http, or file, without the last slash.
        folder: for the verifier's files.
    """
    if verifier == "sumdb":
        return _run(str(foreign.build("checklog", ".")), key, url).startswith("verified: ")
    key_file = folder / "key"
    key_file.write_text(key)
    # Its exit code is 0 whatever it finds, and with few workers it waits for ever after an error.
    options = f"--storage_url={url}/", f"--public_key={key_file}", "--N=8", "--ui=false"
    return "Successfully fsck'd log" in _run(str(foreign.build("fsck", _FSCK)), *options)


def _run(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout + done.stderr
