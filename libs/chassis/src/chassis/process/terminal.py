"""Text for a terminal. Text of others must not control the terminal."""

import re
import sys
from typing import Any

import msgspec

# C0, DEL and C1; and half surrogate pairs, which UTF-8 cannot write.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROLS_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_LINE_ENDS = re.compile("\r\n|[\n\t]")
# JSON escapes C0 only, but terminals obey DEL and C1 too. In UTF-8 these bytes occur in no other character.
_LEFT_BY_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]")


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return the text with U+FFFD in place of control characters and half surrogate pairs.

    An escape sequence in a message could clear the screen, hide a row or forge one.

    Args:
        text: from a message, a database or another service.
        keep_lines: keep line ends and tabs. Otherwise they become spaces, so that the text stays in its line.
    """
    if keep_lines:
        return _CONTROLS_IN_LINES.sub("\ufffd", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("\ufffd", _LINE_ENDS.sub(" ", text))


def json_line(data: Any) -> bytes:
    """Return JSON in one line, with a line end, and without bytes that a terminal obeys."""
    return _LEFT_BY_JSON.sub(_escape, msgspec.json.encode(data)) + b"\n"


def print_json(data: Any) -> None:
    """Print JSON in one line, for programs."""
    sys.stdout.buffer.write(json_line(data))
    sys.stdout.flush()


def _escape(character: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(character[0].decode())


def in_one_line(error: BaseException) -> str:
    """Return an error's class and the first line of its text, without PostgreSQL's DETAIL and HINT."""
    name = type(error).__name__
    lines = str(error).strip().splitlines()
    return f"{name}: {printable(lines[0])}" if lines else name
