"""Secrets that change while deliveries come: F29."""

import asyncio
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from chassis import clock
from faults.history import Line, Outcome
from faults.load import Load, Signing
from faults.plan import SHORT, Operation
from faults.scene import Scene, stretched
from harness import Stack, eventually
from harness.deployment import draw_secrets
from plumbline import atomic

OVERLAP = timedelta(seconds=45)
OVERLAP_SHORT = timedelta(seconds=9)
"""From the file's change to the end of the old secrets."""

MOVED_SECONDS = 2.5
"""So long before their end the last sender moves over: what it signed with them is answered by then."""

TAKEN_UP_SECONDS_MAX = 5.0
PER_SECOND_MAX = 150.0
PER_SECOND_SHORT_MAX = 24.0
"""Slow enough that there is still something to send when the old secrets end."""

NEW_SHARE_OVERLAPPING = 0.5
NEW_SHARE_AFTERWARDS = 0.9
"""One sender in ten has slept through it, and goes on with a secret that is over."""

OLD, NEW = "old", "new"

_VARIABLES = {
    "stripe": "STRIPE_WEBHOOK_SECRET",
    "sms_legacy": "OPENPHONE_WEBHOOK_SECRET",
    "sms": "QUO_WEBHOOK_SECRET",
}
_PRECISION_SECONDS = 0.1
"""How well a moment of the wall clock is known on the load's watch."""


@dataclass
class Senders:
    """Who sign with old secrets or with new ones; `new_share` of their deliveries with new ones."""

    old: Mapping[str, str]
    new: Mapping[str, str]
    dice: random.Random
    new_share: float = 0.0

    def signing(self, operation: Operation) -> Signing:
        """For one attempt."""
        del operation
        is_new = self.dice.random() < self.new_share
        return Signing(self.new if is_new else self.old, clock.now(), NEW if is_new else OLD)


async def secrets_rotated(scene: Scene) -> None:
    """F29: new secrets beside old ones that will end, by files and under load: no restart, nobody waits."""
    senders = Senders(scene.stack.secrets, draw_secrets(), random.Random(scene.seed))
    with tempfile.TemporaryDirectory(prefix="plumbline-secrets-") as name:
        directory = Path(name)
        _write(directory, senders.old)
        gateway = await scene.stack.start("webhook-gateway", _from_files(directory))
        async with scene.load() as load:
            load.signing = senders.signing
            load.per_second_max = PER_SECOND_SHORT_MAX if scene.size == SHORT else PER_SECOND_MAX
            await load.reached(0.2)
            ended = await _rotate(scene, load, senders, directory)
        await gateway.stop()
    lines = [line for line in scene.history.genuine if line.outcome is not Outcome.INFO]
    wrong = misjudged(lines, ended)
    assert not wrong, "; ".join(wrong)
    counts = _counts(lines, ended)
    scene.notes |= counts
    assert all(counts.values()), f"the secrets were not used side by side and after the end: {counts}"


async def _rotate(scene: Scene, load: Load, senders: Senders, directory: Path) -> float:
    """As an operator and the providers do it; returns when the old secrets ended, on the load's watch."""
    end = clock.now() + (OVERLAP_SHORT if scene.size == SHORT else OVERLAP)
    ended = load.elapsed + (end - clock.now()).total_seconds()
    _write(
        directory,
        {name: f"{old};until={end.isoformat()},{senders.new[name]}" for name, old in senders.old.items()},
    )
    began = load.elapsed
    await eventually(
        lambda: _taken_up(scene.stack, senders.new),
        seconds=stretched(TAKEN_UP_SECONDS_MAX),
        what="the new secrets to be taken up",
    )
    scene.notes["taken up after, seconds"] = round(load.elapsed - began, 1)
    senders.new_share = NEW_SHARE_OVERLAPPING
    await _until(load, ended - MOVED_SECONDS)
    senders.new_share = 1.0
    await _until(load, ended)
    senders.new_share = NEW_SHARE_AFTERWARDS
    assert load.running, "nothing was left to send when the old secrets ended"
    return ended


def misjudged(lines: Sequence[Line], ended: float) -> list[str]:
    """Return wrong answers to genuine deliveries.

    Args:
        lines: of those that were answered.
        ended: when the old secrets did, in seconds since the load began.
    """
    refused = [line for line in lines if line.is_refusal]
    valid = [x for x in refused if x.signed == NEW or x.t < ended - _PRECISION_SECONDS]
    reasons = {str(line.reason) for line in refused if line.signed == OLD} - {"signature_mismatch"}
    late = [
        line
        for line in lines
        if line.signed == OLD and line.outcome is Outcome.OK and line.began > ended + _PRECISION_SECONDS
    ]
    return [
        *([f"valid deliveries refused: {len(valid)}, as {_told(valid[0])}"] if valid else []),
        *([f"old secrets accepted after their end: {len(late)}, as {_told(late[0])}"] if late else []),
        *([f"old secrets refused as {sorted(reasons)}"] if reasons else []),
    ]


def _told(line: Line) -> str:
    return f"{line.id} signed {line.signed} at {line.began:.1f} s: {line.status} {line.reason or ''}".strip()


def _counts(lines: Sequence[Line], ended: float) -> dict[str, int]:
    """Check that each way of signing was tried in each part."""
    accepted = [line for line in lines if line.outcome is Outcome.OK]
    first_new = min((line.began for line in accepted if line.signed == NEW), default=ended)
    return {
        "old accepted beside new": sum(x.signed == OLD and first_new < x.began for x in accepted),
        "new accepted beside old": sum(x.signed == NEW and x.t < ended for x in accepted),
        "new accepted afterwards": sum(x.signed == NEW and x.began > ended for x in accepted),
        "old refused afterwards": sum(
            x.signed == OLD and x.began > ended and x.reason == "signature_mismatch" for x in lines
        ),
    }


async def _taken_up(stack: Stack, new: Mapping[str, str]) -> bool:
    """Return whether every new secret verifies. The body is no JSON, so that nothing is published."""
    deliver, body = stack.deliver, b"not JSON"
    answers = await asyncio.gather(
        deliver.stripe(body, secret=new["stripe"]),
        deliver.sms_legacy(body, secret=new["sms_legacy"]),
        deliver.quo(body, secret=new["sms"]),
    )
    return {answer.json()["reason"] for answer in answers} == {"body_not_json"}


async def _until(load: Load, elapsed: float) -> None:
    await asyncio.sleep(elapsed - load.elapsed)


def _write(directory: Path, secrets: Mapping[str, str]) -> None:
    """Each file whole, by renaming, as secrets are mounted."""
    for name, text in secrets.items():
        atomic.write_text(directory / name, text, mode=atomic.PRIVATE)


def _from_files(directory: Path) -> dict[str, str]:
    """The variables that name the files. Those of the stack, which hold secrets themselves, are emptied."""
    files = {f"{variable}_FILE": str(directory / name) for name, variable in _VARIABLES.items()}
    return {**dict.fromkeys(_VARIABLES.values(), ""), **files}
