"""Signed notes (https://c2sp.org/signed-note): a text, an empty line, signature lines."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.log.keys import VerifierKey, decode_base64, is_key_name

NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 64
_DASH = "\u2014 "
_KEY_ID_BYTES = 4


class NoteError(ValueError):
    """Bytes are no signed note, or a note is not signed as it must be."""


@dataclass(frozen=True, slots=True)
class SignatureLine:
    """One signature of a note.

    Attributes:
        signature: what follows the key id: time and signature, or the signature alone.
    """

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.signature).decode()}\n"

    def is_by(self, key: VerifierKey) -> bool:
        """Return whether the line names this key. That says nothing of the signature."""
        return (self.name, self.key_id) == (key.name, key.id)


@dataclass(frozen=True, slots=True)
class Note:
    """A note, not verified. `text` ends in a newline."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


def parse_note(content: bytes) -> Note:
    """Read a signed note.

    Raises:
        NoteError: the bytes are none.
    """
    if len(content) > NOTE_BYTES_MAX:
        raise NoteError(f"a note of {len(content)} bytes: at most {NOTE_BYTES_MAX} are read")
    try:
        whole = content.decode()
    except UnicodeDecodeError:
        raise NoteError("the note is not UTF-8") from None
    if any(character < " " and character != "\n" for character in whole):
        raise NoteError("the note has a control character")
    text, separator, signatures = whole.rpartition("\n\n")
    if not separator or not text or not signatures.endswith("\n"):
        raise NoteError("a note is a text, an empty line and signature lines, each ending in a newline")
    return Note(f"{text}\n", parse_signatures(signatures))


def parse_signatures(lines: str) -> tuple[SignatureLine, ...]:
    """Read signature lines, each with its newline.

    Raises:
        NoteError: a line is none, or there are too many.
    """
    each = lines.split("\n")
    if each.pop() or not each:
        raise NoteError("a signature line does not end in a newline")
    if len(each) > SIGNATURES_MAX:
        raise NoteError(f"{len(each)} signatures: at most {SIGNATURES_MAX} are read")
    return tuple(map(_parse_line, each))


def _parse_line(line: str) -> SignatureLine:
    name, separator, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not separator or not is_key_name(name):
        raise NoteError("a signature line is an em dash, a name and a signature, with one space between them")
    try:
        content = decode_base64(encoded)
    except ValueError:
        raise NoteError(f"the signature of {name} is not base64") from None
    if len(content) <= _KEY_ID_BYTES:
        raise NoteError(f"the signature of {name} is too short")
    return SignatureLine(name, content[:_KEY_ID_BYTES], content[_KEY_ID_BYTES:])


def lines_by(note: Note, keys: Sequence[VerifierKey]) -> list[tuple[VerifierKey, SignatureLine]]:
    """Return the signature lines that name one of these keys, each with its key. Other lines are ignored."""
    return [(key, line) for line in note.signatures for key in keys if line.is_by(key)]
