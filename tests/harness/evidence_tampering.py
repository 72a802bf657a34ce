"""Ways to tamper with a file of evidence, each with the check that must fail."""

import json
from collections.abc import Callable
from typing import Any

from audit.domain.log.evidence import Evidence, encode_evidence
from harness.evidence_files import LOG_KEY, STRANGER, policy, sample_log

Json = dict[str, Any]
Change = Callable[[Json], object]

LOG = sample_log()
INTACT = LOG.evidence()


def changed(change: Change, evidence: Evidence = INTACT) -> str:
    content = json.loads(encode_evidence(evidence))
    change(content)
    return json.dumps(content).replace("<", "\\u003c")


def _entry(content: Json, number: int = 1) -> Json:
    return content["entries"][number]


def _replace(name: str, old: str, new: str, number: int = 1) -> Change:
    def change(content: Json) -> None:
        part = content if name in content else _entry(content, number)
        assert old in part[name]
        part[name] = part[name].replace(old, new, 1)

    return change


def _swap(name: str) -> Change:
    def change(content: Json) -> None:
        one, other = _entry(content, 1), _entry(content, 2)
        one[name], other[name] = other[name], one[name]

    return change


def _flip(text: str) -> str:
    return ("B" if text[0] != "B" else "C") + text[1:]


def _change_line(number: int, change: Callable[[str], str]) -> Change:
    def changed_note(content: Json) -> None:
        lines = content["checkpoint"].split("\n")
        lines[number] = change(lines[number])
        content["checkpoint"] = "\n".join(lines)

    return changed_note


def _sign_again(content: Json) -> None:
    content["checkpoint"] = str(LOG.checkpoint([STRANGER]))


def _damaged_signature(line: str) -> str:
    return f"{line[:-20]}{_flip(line[-20:])}"


TAMPERED: dict[str, tuple[Change, str]] = {
    "entry byte": (_replace("sealed", "13200", "13201"), "entries"),
    "entry is no JSON": (_replace("sealed", "{", "["), "entries"),
    "proof hash": (lambda content: _entry(content)["proof"].__setitem__(0, "A" * 43 + "="), "entries"),
    "proof cut off": (lambda content: _entry(content)["proof"].pop(), "entries"),
    "proof is no base64": (lambda content: _entry(content)["proof"].__setitem__(2, "é"), "entries"),
    "index": (lambda content: _entry(content).update(index=273), "entries"),
    "index beyond the tree": (lambda content: _entry(content).update(index=600), "entries"),
    "entry twice": (lambda content: content["entries"].append(_entry(content)), "entries"),
    "swapped entries": (_swap("sealed"), "entries"),
    "root": (_change_line(2, _flip), "signature"),
    "size": (_change_line(1, lambda _: "601"), "signature"),
    "origin": (_change_line(0, lambda _: "plumbline.example/other"), "signature"),
    "signature": (_change_line(4, _damaged_signature), "signature"),
    "signature of a witness": (_change_line(6, _damaged_signature), "witnesses"),
    "signed by another key": (_sign_again, "signature"),
    "key": (lambda content: content.update(policy=policy(logs=[STRANGER])), "signature"),
    "key id": (_replace("policy", LOG_KEY.verifier.id.hex(), "00000000"), "file"),
    "policy without its quorum": (_replace("policy", "quorum most\n", ""), "file"),
    "checkpoint cut off": (lambda content: content.update(checkpoint=content["checkpoint"][:90]), "file"),
    "version dropped": (lambda content: content["entries"].pop(2), "history"),
    "first version dropped": (lambda content: content["entries"].pop(0), "history"),
    "booking": (lambda content: content.update(booking_id="another"), "booking"),
    "payload": (lambda content: _entry(content)["payload"].update(body="e30="), "contents"),
    "salt": (lambda content: _entry(content)["payload"].update(salt="AAAA"), "contents"),
    "swapped payloads": (_swap("payload"), "contents"),
    "payload is no base64": (lambda content: _entry(content)["payload"].update(body="é"), "contents"),
}


LESS: dict[str, Change] = {
    "message dropped": lambda content: content["entries"].pop(1),
    "order": lambda content: content["entries"].reverse(),
    "no quorum": lambda content: content.update(policy=policy("none"), waiting=[]),
    "quorum missed": lambda content: content.update(policy=policy("witness-c")),
    "no entry": lambda content: content.update(entries=[]),
    "no payload": lambda content: [entry.pop("payload") for entry in content["entries"]],
}
"""Files that say less, without a failed check."""
