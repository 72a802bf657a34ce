"""Generated documents and their committed files. A breaking change never overwrites a committed file."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import contracts

Object: TypeAlias = Mapping[str, Any]

# The committed files stand beside the sources: in a checkout, not in an installed wheel.
ROOT = Path(contracts.__file__).parents[2]

_REGENERATE = "run `make contracts`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One generated document.

    Attributes:
        path: the committed file.
        content: the document as the code generates it now.
        changes: returns the breaking changes between two versions, one line each.
        advice: the way to make such a change without breaking a consumer.
        sort_keys: keys are written in alphabetical order, not in that of the generator.
    """

    path: Path
    content: Object
    changes: Callable[[Object, Object], list[str]]
    advice: str
    sort_keys: bool = True

    def text(self) -> str:
        return json.dumps(self.content, indent=2, sort_keys=self.sort_keys, ensure_ascii=False) + "\n"


def check(documents: Sequence[Document]) -> list[str]:
    """Return the findings about the committed files, one line each: broken, stale, missing or left over."""
    findings = [finding for document in documents for finding in _check(document)]
    expected = {document.path for document in documents}
    folders = {document.path.parent for document in documents}
    present = {path for folder in folders for path in folder.glob("*.json")}
    return findings + [
        f"{path.name}: BREAKING: its contract is gone, consumers may still use it"
        for path in sorted(present - expected)
    ]


def write(documents: Sequence[Document]) -> list[str]:
    """Write every file that no change breaks. Return the breaking changes of the others, one line each."""
    for document in documents:
        if not any(_is_break(finding) for finding in _check(document)):
            document.path.parent.mkdir(exist_ok=True)
            document.path.write_text(document.text(), encoding="utf-8")
    return [finding for finding in check(documents) if _is_break(finding)]


def _check(document: Document) -> list[str]:
    name = document.path.name
    if not document.path.exists():
        return [f"{name}: missing; {_REGENERATE}"]
    committed = document.path.read_text(encoding="utf-8")
    if changes := document.changes(json.loads(committed), document.content):
        return [f"{name}: BREAKING: {change}; {document.advice}" for change in changes]
    return [] if committed == document.text() else [f"{name}: stale; {_REGENERATE} and commit"]


def _is_break(finding: str) -> bool:
    return ": BREAKING: " in finding
