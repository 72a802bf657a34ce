"""`python -m simulation.mutants`: plants one fault at a time, and says which seed is the first to see it.

Each fault is a change of text in a module of the simulation or of what it drives. Exit code 1 if one survives.
"""

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from inspect import getsource, isfunction
from multiprocessing import Pool
from types import ModuleType

from simulation import world

SEEDS = 10_000
SECONDS_MAX = 20
"""A fault that lets a world spin for so long is seen too."""

BLAME, CORE, QUEUES, SHELL = (f"chassis.consuming.{name}" for name in ("blame", "core", "queues", "shell"))
PLACEMENT = "chassis.dead_letters.placement"
STORE, KAFKA = (f"simulation.{name}" for name in ("store", "kafka"))
SURVIVED = "NOT SEEN"

MUTANTS: dict[str, tuple[str, str, str]] = {
    "offset committed before the transaction": (
        SHELL,
        "        messages = step.messages\n        in_hand = self._report.begin(messages)\n",
        "        messages = step.messages\n        in_hand = self._report.begin(messages)\n"
        "        for entry in step.entries:\n"
        "            self._core._settle(entry)\n"
        "        await self._commit()\n",
    ),
    "a poll's records wait before they are kept": (
        SHELL,
        "        by_place: dict[Place, list[Message]] = {}\n",
        "        by_place: dict[Place, list[Message]] = {}\n        await asyncio.sleep(1)\n",
    ),
    "applied before it is placed": (
        SHELL,
        "                placement = await self._store.partition_batch(connection, messages)\n"
        "                effects = await self._apply(connection, placement.free) if placement.free else 0\n",
        "                placement = await self._store.partition_batch(connection, messages)\n"
        "                effects = await self._apply(connection, messages)\n",
    ),
    "shell forgets those without room": (SHELL, "no_room=placement.no_room,", "no_room=(),"),
    "shell forgets those in use": (SHELL, "in_use=placement.in_use,", "in_use=(),"),
    "shell takes a full table for a kept message": (
        SHELL,
        "self._core.set_aside(step, kind, kept=kept,",
        "self._core.set_aside(step, kind, kept=True,",
    ),
    "a failed batch counts as applied": (
        SHELL,
        "self._core.failed(step, kind, describe(error), now)",
        "self._core.applied(Apply(step.entries), effects=1, now=now)",
    ),
    "every failure is the message's": (
        SHELL,
        "kind, now = classify(error), time",
        "kind, now = classify(ValueError()), time",
    ),
    "set aside for what the store does": (
        SHELL,
        "                    kind = classify(error)\n",
        "                    kind = FailureKind.SUSPECT\n",
    ),
    "set aside without being tried again": (
        SHELL,
        "                        effects = await self._apply(connection, placement.free) if placement.free else 0\n",
        "                        raise ValueError(entry.error)\n",
    ),
    "last attempt without a savepoint": (
        SHELL,
        "                    async with connection.transaction():  # a savepoint: the lock outlives what fails\n",
        "                    if True:\n",
    ),
    "last attempt before what waits is looked at": (
        SHELL,
        "                placement = await self._store.partition_batch(connection, [message])\n",
        "                placement = Placement(free=[message])\n",
    ),
    "what was fetched reaches the next assignment": (KAFKA, "if generation == self.generation:", "if True:"),
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
    "key not held": (QUEUES, "waiting.add(entry.message.key)", "pass"),
    "blamed without proof": (BLAME, "    if entry.others_applied:\n", "    if True:\n"),
    "who meets a lock passes": (
        CORE,
        "            self._put_off(entry, what, now)\n",
        "            self._settle(entry)\n",
    ),
    "narrowed entries are done": (
        CORE,
        "        self._narrow = entries\n",
        "        self._narrow = entries\n        self._settle(entries[-1])\n",
    ),
    "set aside without room passes": (CORE, "        if not kept:\n", "        if False:\n"),
    "without room passes": (CORE, "if id(entry.message) in left:", "if False:"),
    "in use passes": (CORE, "elif id(entry.message) in later:", "elif False:"),
    "not set aside, but passes": (
        CORE,
        '        entry.error, entry.is_unkept = f"cannot set a message aside: {error}", True\n',
        "        self._settle(entry)\n",
    ),
    "a duplicate is proof": (STORE, "return len(tx.effects)", "return len(messages)"),
    "paused for ever": (CORE, "elif queue.paused and used <= RESUME_SHARE_MAX:", "elif False:"),
    "halted for ever": (
        CORE,
        "halted_until = now + self._limits.halt_seconds",
        "halted_until = float('inf')",
    ),
    "no inbox": (STORE, "if m.value not in store.inbox}", "}"),
    "inbox row outside the transaction": (
        STORE,
        '        store.strike("no effects")\n',
        '        store.strike("no effects")\n        store.inbox[message.value] = time.monotonic()\n',
    ),
    "effects without waiting for the other transaction": (
        STORE,
        '    await tx.lock("key", (message.key for message in messages))\n',
        "",
    ),
    "what waits is not looked at": (STORE, "    if not store.letters:\n", "    if True:\n"),
    "line not locked before it is looked at": (
        STORE,
        'tx.try_lock("line", {message.key for message in messages if store.waiting(message.key)})',
        "{message.key for message in messages}",
    ),
    "this very record is kept twice": (
        PLACEMENT,
        "if record_position(message) in places and record_identity(message) in kept:",
        "if False:",
    ),
    "behind its line, though applied before": (
        PLACEMENT,
        "not in left or is_applied(message):",
        "not in left:",
    ),
    "more in a line than it takes": (PLACEMENT, "elif left[line] > 0:", "elif True:"),
    "replayed before applied": (
        STORE,
        "        await apply(tx, [letter.message])\n        tx.replayed.append(letter)\n",
        "        letter.status = 'replayed'\n        await apply(tx, [letter.message])\n",
    ),
}


def plant(module: ModuleType, old: str, new: str) -> None:
    """Put changed text in the place of what runs: the code of functions, wherever they are known by name."""
    text = getsource(module)
    if text.count(old) != 1:
        raise LookupError(f"{module.__name__}: to be changed once, found {text.count(old)} times: {old!r}")
    changed = dict(vars(module))
    exec(compile(text.replace(old, new), f"changed {module.__name__}", "exec"), changed)
    for name, was in vars(module).items():
        if getattr(was, "__module__", "") == module.__name__:
            _replace_code(was, changed[name])
            for attribute, method in vars(was).items() if isinstance(was, type) else ():
                _replace_code(method, vars(changed[name])[attribute])


def _replace_code(was: object, made: object) -> None:
    if isinstance(was, property) and isinstance(made, property):
        was, made = was.fget, made.fget
    if isfunction(was) and isfunction(made):
        was.__code__ = made.__code__


def first_to_see(name: str) -> tuple[str, str]:
    """The first seed that fails with this fault, and how."""
    module, old, new = MUTANTS[name]
    plant(import_module(module), old, new)
    signal.signal(signal.SIGALRM, _give_up)
    seed = -1
    try:
        for seed in range(SEEDS):
            signal.alarm(SECONDS_MAX)
            world.run(seed)
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
