"""Text for a person's terminal: what others wrote must not steer it."""

import re
import sys
from typing import Any

import msgspec

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")  # C0, DEL and C1
_CONTROLS_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile("\r\n|[\n\t]")
# JSON escapes C0 alone, and a terminal obeys DEL and C1 too. In UTF-8 the bytes are part of nothing else.
_LEFT_BY_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]")


def printable(text: str, *, keep_lines: bool = False) -> str:
    """The text without control characters, each of which shows as U+FFFD.

    An escape sequence of a sender could clear the screen, hide a row or show another one in its place.

    Args:
        text: from a message, a database or another service.
        keep_lines: leave line ends and tabs as they are. Otherwise they become spaces, so that the text
            stays in its line and cannot pass for the next one.
    """
    if keep_lines:
        return _CONTROLS_IN_LINES.sub("\ufffd", text.replace("\r\n", "\n"))
    return _CONTROLS.sub("\ufffd", _LINE_ENDS.sub(" ", text))


def json_line(data: Any) -> bytes:
    """Return JSON in one line, with its end, which no terminal takes for more than text."""
    return _LEFT_BY_JSON.sub(_escape, msgspec.json.encode(data)) + b"\n"


def print_json(data: Any) -> None:
    """Print JSON in one line, for programs."""
    sys.stdout.buffer.write(json_line(data))
    sys.stdout.flush()


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


def in_one_line(error: BaseException) -> str:
    """An error's class and the first line of its text.

    PostgreSQL's errors carry DETAIL and HINT in lines of their own.
    """
    name = type(error).__name__
    lines = str(error).strip().splitlines()
    return f"{name}: {printable(lines[0])}" if lines else name
