"""The global criteria G (pure): what a history and a snapshot of the system say about each other.

Each checker returns one line per kind of violation, with the first few culprits; none means that it holds.
"""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import pairwise

from faults.history import History, Outcome
from faults.plan import CAPTURES, CHANGES, Op
from faults.snapshot import Leaf, Snapshot, Step

CULPRITS_SHOWN_MAX = 5

LEGAL = {
    (None, "pending"),
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "pending"),
    ("confirmed", "in_progress"),
    ("confirmed", "completed"),
    ("confirmed", "cancelled"),
    ("in_progress", "completed"),
    ("in_progress", "cancelled"),
}
"""Every step that a status history may hold (BK-1), stated anew: the checker trusts no code under test."""

EXPECTED_ANOMALIES = {"booking_unknown", "booking_cancelled"}
SENDERS = {"stripe", "sms"}
_UNAVAILABLE = 503

Checker = Callable[[History, Snapshot], list[str]]


def check_all(history: History, held: Snapshot) -> list[str]:
    """Every violation of G."""
    return [violation for checker in CHECKERS for violation in checker(history, held)]


def deliveries_logged_once(history: History, held: Snapshot) -> list[str]:
    """Lost, phantom and doubled deliveries in the EventLog."""
    logged = Counter((e.source, e.event_id) for e in held.entries if e.source in SENDERS)
    by_outcome = _by_outcome(history)
    possible = by_outcome[Outcome.OK] | by_outcome[Outcome.INFO]
    return [
        *_tell("lost deliveries", by_outcome[Outcome.OK] - logged.keys()),
        *_tell("phantom deliveries", logged.keys() - possible),
        *_tell("deliveries logged twice", {each for each, times in logged.items() if times > 1}),
    ]


def forgeries_refused(history: History, held: Snapshot) -> list[str]:
    """No forged delivery may be accepted."""
    del held
    return _tell("forgeries accepted", history.ids([Op.FORGED], Outcome.OK))


def answers_honest(history: History, held: Snapshot) -> list[str]:
    """No 5xx but 503."""
    del held
    wrong = {f"{x.status} for {x.op} {x.id}" for x in history.lines if (x.status or 0) > 499}
    return _tell("answers 5xx", {each for each in wrong if not each.startswith(str(_UNAVAILABLE))})


def bookings_kept(history: History, held: Snapshot) -> list[str]:
    """Bookings that were promised are there, once, and no others."""
    names = Counter(row.name for row in held.bookings)
    promised = {x.key for x in history.lines if x.op is Op.CREATE and x.outcome is Outcome.OK}
    asked = {x.key for x in history.lines if x.op is Op.CREATE}
    return [
        *_tell("lost bookings", promised - names.keys()),
        *_tell("phantom bookings", names.keys() - asked),
        *_tell("bookings made twice", {name for name, times in names.items() if times > 1}),
    ]


def changes_kept(history: History, held: Snapshot) -> list[str]:
    """A change answered 2xx stands in the history, one answered 4xx does not.

    A 503 promises nothing either way: the answer to a COMMIT may be what was lost.
    """
    reached = {(step.booking_id, step.to_status) for step in held.steps}
    ids = {row.name: row.id for row in held.bookings}
    promised = {
        (ids.get(x.key, x.key), CHANGES[x.op])
        for x in history.lines
        if x.op in CHANGES and x.outcome is Outcome.OK
    }
    open_ended = {x.id for x in history.lines if x.outcome is not Outcome.FAIL or x.status == _UNAVAILABLE}
    refused = history.ids(CHANGES) - open_ended
    return [
        *_tell("lost changes", promised - reached),
        *_tell("phantom changes", refused & held.reasons),
    ]


def histories_sound(history: History, held: Snapshot) -> list[str]:
    """Every history has no gap, legal steps that join, and ends where its booking stands."""
    del history
    status = {row.id: row.status for row in held.bookings}
    of_booking = _grouped(held.steps)
    return [
        *_tell("histories with a gap", {b for b, steps in of_booking.items() if not _gap_free(steps)}),
        *_tell("histories with an illegal step", {b for b, steps in of_booking.items() if not _legal(steps)}),
        *_tell(
            "bookings that stand elsewhere than their history ends",
            {b for b in status if [s.to_status for s in of_booking[b]][-1:] != [status[b]]},
        ),
    ]


def histories_agree(history: History, held: Snapshot) -> list[str]:
    """Audit's history is booking's, row by row."""
    del history
    ours, theirs = Counter(held.steps), Counter(held.audited_steps)
    return [
        *_tell("steps that audit has not", set(ours - theirs)),
        *_tell("steps that only audit has", set(theirs - ours)),
    ]


def payments_once(history: History, held: Snapshot) -> list[str]:
    """Every capture is one row; sound rows add up to what bookings hold; no anomaly but the planned."""
    rows = Counter(row.event_id for row in held.payments)
    captured: defaultdict[str | None, int] = defaultdict(int)
    for row in held.payments:
        captured[row.booking_id] += row.captured if row.anomaly is None else 0
    possible = history.ids(CAPTURES, Outcome.OK, Outcome.INFO)
    return [
        *_tell("lost payments", history.ids(CAPTURES, Outcome.OK) - rows.keys()),
        *_tell("phantom payments", rows.keys() - possible),
        *_tell("payments counted twice", {each for each, times in rows.items() if times > 1}),
        *_tell("sums that differ", {b.id for b in held.bookings if b.captured != captured[b.id]}),
        *_tell("anomalies", {row.anomaly for row in held.payments if row.anomaly} - EXPECTED_ANOMALIES),
    ]


def outbox_empty(history: History, held: Snapshot) -> list[str]:
    """Everything has left."""
    del history
    return [f"outbox: {held.outbox_rows} rows wait"] if held.outbox_rows else []


def only_planted_set_aside(history: History, held: Snapshot) -> list[str]:
    """Poison is set aside, whole, and nothing else."""
    found = {row.event_id or "unreadable" for row in held.set_aside}
    planted = history.ids([Op.POISON], Outcome.OK, Outcome.INFO)
    others = {
        f"{row.event_id} ({row.reason}: {row.error})" for row in held.set_aside if row.event_id not in planted
    }
    return [
        *_tell("poison that was not set aside", history.ids([Op.POISON], Outcome.OK) - found),
        *_tell("set aside without need", others),
    ]


def published_in_order(history: History, held: Snapshot) -> list[str]:
    """Per booking every version is on the topic, and the last copies stand in order of versions."""
    del history
    last: defaultdict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
    for record in held.published:
        if record.sequence:
            at = (record.partition, record.offset)
            last[record.key][record.sequence] = max(at, last[record.key].get(record.sequence, at))
    incomplete = {b.id for b in held.bookings if sorted(last[b.id]) != list(range(1, b.version + 1))}
    return [
        *_tell("bookings with a version missing on the topic", incomplete),
        *_tell(
            "bookings whose versions stand out of order", {k for k, at in last.items() if not _rising(at)}
        ),
    ]


def published_logged_once(history: History, held: Snapshot) -> list[str]:
    """Every event that booking published is one EventLog entry."""
    del history
    logged = Counter(e.event_id for e in held.entries if e.source == "booking")
    return [
        *_tell("lost events", {record.event_id for record in held.published} - logged.keys()),
        *_tell("events logged twice", {each for each, times in logged.items() if times > 1}),
    ]


def log_sealed(history: History, held: Snapshot) -> list[str]:
    """Every entry is one leaf, and every checkpoint anywhere has the root of the leaves at its size."""
    del history
    log = held.log
    roots = _roots(log.leaves, {kept.size for kept in log.checkpoints})
    sealed = Counter(leaf.entry_id for leaf in log.leaves)
    return [
        *_tell("entries that are not sealed", log.unsealed),
        *_tell("entries sealed twice", {each for each, times in sealed.items() if times > 1}),
        *_tell("gaps between leaves", {n for n, leaf in enumerate(log.leaves) if leaf.index != n}),
        *_tell(
            "leaves that say something else than their entries",
            {leaf.index for leaf in log.leaves if _differs(leaf)},
        ),
        *_tell(
            "checkpoints that the log does not lead to",
            {f"{kept.place} at {kept.size}" for kept in log.checkpoints if roots.get(kept.size) != kept.root},
        ),
    ]


def _differs(leaf: Leaf) -> bool:
    sealed = json.loads(leaf.sealed)
    return (sealed["entry_id"], sealed["payload_digest"]) != (leaf.entry_id, leaf.digest)


def _roots(leaves: Sequence[Leaf], sizes: Collection[int]) -> dict[int, bytes]:
    """Return the roots of the trees of these sizes by RFC 6962, stated anew: one pass over the leaves."""
    roots, full = {0: hashlib.sha256(b"").digest()}, list[tuple[int, bytes]]()
    for size, leaf in enumerate(leaves, start=1):
        height, digest = 0, hashlib.sha256(b"\x00" + leaf.sealed).digest()
        while full and full[-1][0] == height:
            digest = hashlib.sha256(b"\x01" + full.pop()[1] + digest).digest()
            height += 1
        full.append((height, digest))
        if size in sizes:
            root = full[-1][1]
            for _, left in reversed(full[:-1]):
                root = hashlib.sha256(b"\x01" + left + root).digest()
            roots[size] = root
    return roots


CHECKERS: tuple[Checker, ...] = (
    deliveries_logged_once,
    forgeries_refused,
    answers_honest,
    bookings_kept,
    changes_kept,
    histories_sound,
    histories_agree,
    payments_once,
    outbox_empty,
    only_planted_set_aside,
    published_in_order,
    published_logged_once,
    log_sealed,
)


def _by_outcome(history: History) -> dict[Outcome, set[tuple[str, str]]]:
    found: dict[Outcome, set[tuple[str, str]]] = {outcome: set() for outcome in Outcome}
    for identity, outcome in history.deliveries.items():
        found[outcome].add(identity)
    return found


def _grouped(steps: Iterable[Step]) -> defaultdict[str, list[Step]]:
    grouped: defaultdict[str, list[Step]] = defaultdict(list)
    for step in sorted(steps, key=lambda each: (each.booking_id, each.version)):
        grouped[step.booking_id].append(step)
    return grouped


def _gap_free(steps: Sequence[Step]) -> bool:
    return [step.version for step in steps] == list(range(1, len(steps) + 1))


def _legal(steps: Sequence[Step]) -> bool:
    joined = all(before.to_status == after.from_status for before, after in pairwise(steps))
    return joined and all((step.from_status, step.to_status) in LEGAL for step in steps)


def _rising(positions: dict[int, tuple[int, int]]) -> bool:
    in_order = [positions[sequence] for sequence in sorted(positions)]
    return in_order == sorted(in_order)


def _tell(what: str, culprits: Collection[object]) -> list[str]:
    if not culprits:
        return []
    shown = ", ".join(sorted(str(each) for each in culprits)[:CULPRITS_SHOWN_MAX])
    return [f"{what}: {len(culprits)} ({shown}{', …' if len(culprits) > CULPRITS_SHOWN_MAX else ''})"]
