"""Strict reading of a TOML table: each key is asked for by type, one that nobody asked for is an error."""

import tomllib
from typing import cast

from pricing.errors import InvalidRateCardError, shown


class TomlTable:
    """One table of a rate card file. Its errors (InvalidRateCardError) name the file and the full key."""

    def __init__(self, file: str, path: str, entries: dict[str, object]) -> None:
        self._file = file
        self._path = path
        self._entries = dict(entries)

    @classmethod
    def parse(cls, file: str, text: str) -> "TomlTable":
        """The top-level table of a file's text."""
        try:
            return cls(file, "", tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InvalidRateCardError(f"{file}: not TOML: {error}") from error

    def text(self, key: str) -> str:
        """A string that is not blank."""
        value = self._take(key)
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"expected a text, found {shown(value)}")
        return value

    def integer(self, key: str, *, least: int = 0, most: int) -> int:
        """An integer from `least` to `most`; a float or a boolean is none."""
        value = self._take(key)
        if type(value) is not int or not least <= value <= most:
            raise self.error(key, f"expected an integer from {least} to {most}, found {shown(value)}")
        return value

    def texts(self, key: str) -> frozenset[str]:
        """A list of different strings, at least one."""
        entries = self._list(key, self._take(key))
        texts = frozenset(entry for entry in entries if isinstance(entry, str) and entry.strip())
        if not texts or len(texts) != len(entries):
            raise self.error(key, f"expected a list of different texts, found {shown(entries)}")
        return texts

    def table(self, key: str) -> "TomlTable":
        """A table below this one."""
        return self._table(key, key, self._take(key))

    def tables(self, key: str) -> list["TomlTable"]:
        """A list of tables, empty where the key is absent."""
        entries = self._list(key, self._entries.pop(key, []))
        return [self._table(key, f"{key}[{index}]", entry) for index, entry in enumerate(entries)]

    def names(self) -> list[str]:
        """The keys that were not read yet."""
        return list(self._entries)

    def has(self, key: str) -> bool:
        """Whether the key is there and not read yet."""
        return key in self._entries

    def close(self) -> None:
        """Refuse what was not read: a misspelt key must not be a silent default."""
        for key in self._entries:
            raise self.error(key, "unknown key")

    def error(self, key: str, problem: str) -> InvalidRateCardError:
        """The error that says what is wrong with a key of this table."""
        return InvalidRateCardError(f"{self._file}: {self._path}{key}: {problem}")

    def _take(self, key: str) -> object:
        if key not in self._entries:
            raise self.error(key, "missing")
        return self._entries.pop(key)

    def _list(self, key: str, value: object) -> list[object]:
        if not isinstance(value, list):
            raise self.error(key, f"expected a list, found {shown(value)}")
        return cast("list[object]", value)

    def _table(self, key: str, name: str, value: object) -> "TomlTable":
        if not isinstance(value, dict):
            raise self.error(key, f"expected a table, found {shown(value)}")
        return TomlTable(self._file, f"{self._path}{name}.", cast("dict[str, object]", value))
