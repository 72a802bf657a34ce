"""Text for a terminal. Text of others must not control the terminal."""

import re
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

# C0, DEL and C1; half surrogate pairs, which UTF-8 cannot write; and what reverses the text behind it.
_OTHERS = "\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROLS = re.compile(f"[\x00-\x1f{_OTHERS}]")
_CONTROLS_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_OTHERS}]")
_LINE_ENDS = re.compile("\r\n|[\n\t]")
# JSON escapes C0 only, but terminals obey DEL and C1 too. In UTF-8 these bytes occur in no other character.
_LEFT_BY_JSON = re.compile(rb"\x7f|\xc2[\x80-\x9f]")

_ENCODER = msgspec.json.Encoder()


def printable(text: str, *, keep_lines: bool = False) -> str:
    """Return the text with U+FFFD in place of control characters, of direction too, and half surrogate pairs.

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


def json_lines(items: Sequence[Any]) -> bytes:
    """Return each item as `json_line` does, together: faster."""
    lines = _ENCODER.encode_lines(items)
    return _LEFT_BY_JSON.sub(_escape, lines) if b"\x7f" in lines or b"\xc2" in lines else lines


def print_json(data: Any) -> None:
    """Print JSON in one line, for programs."""
    sys.stdout.buffer.write(json_line(data))
    sys.stdout.flush()


def _escape(character: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(character[0].decode())


def plain_reason(error: BaseException) -> str:
    """Return why something failed, for a person: without names of classes, numbers of errors and tuples.

    `in_one_line` is for logs, which keep the class.
    """
    if isinstance(error, socket.gaierror):
        return "its host is unknown"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(error)
    if isinstance(error, ConnectionError) and (places := _ADDRESS.findall(text)):
        return f"nothing listens at {' and '.join(f'{host}:{port}' for host, port in places)}"
    if isinstance(error, OSError) and error.strerror:
        reason = error.strerror.lower()
        return printable(
            reason if error.filename is None else f"{error.filename}: {_FILES.get(type(error), reason)}"
        )
    lines = text.strip().splitlines()
    return printable(lines[0]) if lines else type(error).__name__


def obstacle(error: BaseException) -> str:
    """Return why a component does not work, for readiness and doctor.

    In plain words where the network, a file or a server says why; with the class where the program failed.
    """
    is_told = isinstance(error, OSError) or hasattr(error, "sqlstate")
    return plain_reason(error) if is_told else in_one_line(error)


_ADDRESS = re.compile(r"\('([^']+)', ([0-9]+)")
_FILES: Mapping[type[BaseException], str] = {
    FileExistsError: "a file stands where a folder belongs; name another place, or move the file away",
    NotADirectoryError: "a file stands where a folder belongs; name another place, or move the file away",
    IsADirectoryError: "a folder stands where a file belongs; name a file",
    FileNotFoundError: "there is no such file or folder",
    PermissionError: "this user may not read or write it",
}


def in_one_line(error: BaseException) -> str:
    """Return an error's class and the first line of its text, without PostgreSQL's DETAIL and HINT."""
    name = type(error).__name__
    lines = str(error).strip().splitlines()
    return f"{name}: {printable(lines[0])}" if lines else name
