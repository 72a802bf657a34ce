"""`python -m simulation.mutants`: plants one fault at a time, and says which seed is the first to see it.

Each fault is a change of text in a module of the simulation or of what it drives. Exit code 1 if one survives.
"""

import signal
import sys
from collections.abc import Sequence
from enum import Enum
from importlib import import_module
from inspect import getsource, isfunction
from multiprocessing import Pool
from types import ModuleType

import simulation.member  # noqa: F401 - all modules are loaded before one of them is changed
from simulation.world import World

SEEDS = 10_000
SECONDS_MAX = 120
"""A fault that lets a world spin for so long is seen too."""

CORE, QUEUES, BREAKER = (f"chassis.consuming.{name}" for name in ("core", "queues", "breaker"))
MEMBER, STORE, RELAY, KAFKA = (f"simulation.{name}" for name in ("member", "store", "relay", "kafka"))
PASS = "pass"
SURVIVED = "NOT SEEN"

MUTANTS: dict[str, tuple[str, str, str]] = {
    "offset committed before the transaction": (
        MEMBER,
        "            yield from self._poll()\n            step = self.core.next_step(self.scheduler.now)\n",
        "            yield from self._poll()\n            step = self.core.next_step(self.scheduler.now)\n"
        "            if isinstance(step, Apply) and step.entries[0].epoch == self.core._epoch:\n"
        "                for e in step.entries:\n"
        "                    self.kafka.committed[e.place[1]] = e.message.offset + 1\n",
    ),
    "what was fetched reaches the next assignment": (
        MEMBER,
        "            yield self._latency()\n        if generation != self.generation:",
        "            yield self._latency()\n        if False:",
    ),
    "outcome counts whatever the epoch": (CORE, "queue.epoch == entry.epoch and ", ""),
    "what was revoked stays in memory": (
        CORE,
        "        if self._queues.pop(place, None) is not None:\n",
        "        if False:\n",
    ),
    "offset passes a held message": (
        QUEUES,
        "self._entries[0].standing is Standing.DONE",
        "self._entries[0].standing is not Standing.QUEUED",
    ),
    "offset of the last one done, whatever is before it": (
        QUEUES,
        "        while self._entries and",
        "        self.position = max(self.position or 0, entry.message.offset + 1)\n        while self._entries and",
    ),
    "key not held": (QUEUES, "waiting.add(entry.message.key)", PASS),
    "judged without proof": (CORE, "self._successes > entry.successes_before", "True"),
    "transient failures are judged": (CORE, "if kind is FailureKind.TRANSIENT:", "if False:"),
    "narrowed entries are done": (
        CORE,
        "            self._narrow = entries\n",
        "            self._narrow = entries\n            self._settle(entries[-1])\n",
    ),
    "set aside without room passes": (CORE, "        if kept:\n", "        if True:\n"),
    "without room passes": (CORE, "if id(entry.message) in left:", "if False:"),
    "in use passes": (CORE, "elif id(entry.message) in later:", "elif False:"),
    "not set aside, but passes": (
        CORE,
        '        self._error = f"cannot set a message aside: {error}"\n',
        "        for verdict in self._judged:\n            self._settle(verdict.entry)\n        self._judged = []\n",
    ),
    "a duplicate is proof": (MEMBER, "fresh = len(tx.effects)", "fresh = len(placement.free)"),
    "paused for ever": (CORE, "elif queue.paused and used <= RESUME_SHARE_MAX:", "elif False:"),
    "halted for ever": (
        CORE,
        "halted_until = now + self._limits.halt_seconds",
        "halted_until = float('inf')",
    ),
    "no inbox": (STORE, "if m.value not in store.inbox}", "}"),
    "inbox row outside the transaction": (
        STORE,
        "        tx.inbox.append(message.value)",
        "        store.inbox[message.value] = now",
    ),
    "effects without waiting for the other transaction": (
        STORE,
        '    yield from tx.lock("key", (message.key for message in messages))\n',
        "",
    ),
    "what waits is not looked at": (STORE, "    if not store.letters:\n", "    if True:\n"),
    "line not locked before it is looked at": (
        STORE,
        'locked = tx.try_lock("line", {e.message.key for e in store.waiting() if e.message.key in keys})',
        "locked = keys",
    ),
    "this very record is kept twice": (STORE, "(message.partition, message.offset) in kept", "False"),
    "behind its line, though applied before": (
        STORE,
        "elif message.key not in room or message.value in store.inbox:",
        "elif message.key not in room:",
    ),
    "set aside, though applied meanwhile": (
        STORE,
        "    if kept or message.value in store.inbox:",
        "    if kept:",
    ),
    "more in a line than it takes": (STORE, "elif room[message.key] > 0:", "elif True:"),
    "replayed before applied": (
        STORE,
        "    if waiting:\n        yield",
        "    if waiting:\n        waiting[0].status = 'replayed'\n        yield",
    ),
    "row marked before the broker's answer": (
        RELAY,
        "        acknowledged = self._send(rows)\n",
        "        for row_id, _ in rows:\n            self.store.outbox.pop(row_id, None)\n        acknowledged = self._send(rows)\n",
    ),
    "a row without answer counts as sent": (RELAY, "if not (arrives and is_answered):", "if False:"),
    "later rows of an unanswered key are marked": (RELAY, "held.add(message.key)", PASS),
    "rows up to the last id are done, as with a cursor": (
        RELAY,
        "for row_id in acknowledged:",
        "for row_id in [i for i, _ in self._unsent() if i <= max(acknowledged, default=0)]:",
    ),
    "stopped relay sends what it had read": (
        RELAY,
        "        if not self._holds_session():  # stopped meanwhile: the rows are another's\n            return False\n",
        "",
    ),
    "two relays own a shard": (RELAY, "if owner is None or not owner._holds_session():", "if True:"),
}


def plant(module: ModuleType, old: str, new: str) -> None:
    """Put changed text in the place of what runs: its functions, and the methods of its classes."""
    text = getsource(module)
    if text.count(old) != 1:
        raise LookupError(f"{module.__name__}: to be changed once, found {text.count(old)} times: {old!r}")
    changed = dict(vars(module))
    exec(compile(text.replace(old, new), f"changed {module.__name__}", "exec"), changed)
    for name, was in vars(module).copy().items():
        made = changed[name]
        if made is was or getattr(was, "__module__", "") != module.__name__:
            continue
        if isfunction(was):
            setattr(module, name, made)
        elif isinstance(was, type):
            changed[name] = was
            if not issubclass(was, Enum | BaseException):
                for attribute in [
                    a for a, v in vars(made).items() if isfunction(v) or isinstance(v, property)
                ]:
                    setattr(was, attribute, vars(made)[attribute])


def first_to_see(name: str) -> tuple[str, str]:
    """The first seed that fails with this fault, and how."""
    module, old, new = MUTANTS[name]
    plant(import_module(module), old, new)
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(SECONDS_MAX)
    seed = -1
    try:
        for seed in range(SEEDS):
            World(seed).run()
    except Exception as error:  # noqa: BLE001 - however a world breaks, the fault was seen
        return name, f"seed {seed}: {type(error).__name__} {error}"[:110]
    return name, SURVIVED


def _give_up(*_: object) -> None:
    raise TimeoutError("spins")


def main(wanted: Sequence[str]) -> int:
    names = [name for name in MUTANTS if not wanted or name in wanted]
    survivors = 0
    with Pool(maxtasksperchild=1) as pool:
        for name, seen in pool.imap(first_to_see, names, chunksize=1):
            survivors += seen == SURVIVED
            print(f"{name:60} {seen}", flush=True)
    print(f"{len(names)} faults, {survivors} not seen in {SEEDS} seeds")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
