"""Trust policies (https://c2sp.org/tlog-policy): known logs, known witnesses, and the quorum."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from audit.domain.log.checkpoints import Verified
from audit.domain.log.keys import InvalidKeyError, KeyType, VerifierKey, parse_verifier_key

POLICY_BYTES_MAX = 1_000_000
NO_QUORUM = "none"
_FORBIDDEN = re.compile(rb"[^\x09\x0a\x20-\x7e\x80-\xff]")
_LOG_KEYS = (KeyType.ED25519, KeyType.MLDSA44_COSIGNATURE)
_WITNESS_KEYS = (KeyType.ED25519_COSIGNATURE, KeyType.MLDSA44_COSIGNATURE)


class PolicyError(ValueError):
    """A file is no policy. The message names the line."""


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log whose checkpoints are accepted. The key's name is the log's origin."""

    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Witness:
    """A witness. `name` has a meaning in its policy only; `url` is the submission prefix of tlog-witness."""

    name: str
    key: VerifierKey
    url: str | None


@dataclass(frozen=True, slots=True)
class Group:
    """Witnesses, or groups, of which `threshold` must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A trust policy.

    Attributes:
        groups: in the order of their lines: a group refers to earlier ones only.
        quorum: name of a witness or group; `none` if no cosignature is needed.
    """

    logs: tuple[KnownLog, ...]
    witnesses: tuple[Witness, ...]
    groups: tuple[Group, ...]
    quorum: str

    def log_keys(self, origin: str) -> list[VerifierKey]:
        """Return the keys with which the log of this origin signs; none for an unknown log."""
        return [log.key for log in self.logs if log.key.name == origin]

    def witness_keys(self) -> list[VerifierKey]:
        return [witness.key for witness in self.witnesses]


def is_met(policy: Policy, cosignatures: Iterable[Verified]) -> bool:
    """Return whether verified signatures of one checkpoint make up the quorum.

    Signatures of others than the policy's witnesses do not count, nor do those without a time: they do
    not say that the witness had seen no larger tree.
    """
    return has_quorum(policy, {signed.key for signed in cosignatures if signed.time})


def has_quorum(policy: Policy, keys: Collection[VerifierKey]) -> bool:
    """Return whether these keys, if all of them cosigned, make up the quorum."""
    met = {NO_QUORUM} | {witness.name for witness in policy.witnesses if witness.key in keys}
    for group in policy.groups:
        if sum(member in met for member in group.members) >= group.threshold:
            met.add(group.name)
    return policy.quorum in met


def parse_policy(content: bytes) -> Policy:
    """Read a policy file.

    Raises:
        PolicyError: it is none.
    """
    if len(content) > POLICY_BYTES_MAX:
        raise PolicyError(f"a policy of {len(content)} bytes: at most {POLICY_BYTES_MAX} are read")
    reader = _Reader()
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            reader.read(line)
        except (InvalidKeyError, PolicyError) as error:
            raise PolicyError(f"line {number}: {error}") from None
    return reader.policy()


@dataclass(slots=True)
class _Reader:
    logs: list[KnownLog] = field(default_factory=list[KnownLog])
    witnesses: list[Witness] = field(default_factory=list[Witness])
    groups: list[Group] = field(default_factory=list[Group])
    # Each name, and whether it is a member of a group.
    names: dict[str, bool] = field(default_factory=dict[str, bool])
    quorum: str | None = None

    def read(self, line: bytes) -> None:
        if wrong := _FORBIDDEN.search(line):
            raise PolicyError(f"the byte 0x{wrong[0].hex()} is not allowed; a line ends in a newline alone")
        # Names are octets, whatever they encode.
        keyword, *items = re.split("[ \t]+", line.decode("utf-8", "surrogateescape").strip(" \t"))
        if not keyword or keyword.startswith("#"):
            return
        statement = self._statements().get(keyword)
        if statement is None:
            raise PolicyError(f"{_shown(keyword)} is no statement; log, witness, group and quorum are")
        read, form, counts = statement
        if len(items) not in counts:
            raise PolicyError(f"a line is written as: {form}")
        read(items)

    def policy(self) -> Policy:
        if self.quorum is None:
            raise PolicyError("there is no quorum line; write `quorum none` if no cosignature is needed")
        return Policy(tuple(self.logs), tuple(self.witnesses), tuple(self.groups), self.quorum)

    def _statements(self) -> Mapping[str, tuple[Callable[[list[str]], None], str, range]]:
        many = range(3, POLICY_BYTES_MAX)
        return {
            "log": (self._log, "log <vkey> [<url>]", range(1, 3)),
            "witness": (self._witness, "witness <name> <vkey> [<url>]", range(2, 4)),
            "group": (self._group, "group <name> all|any|<k> <name>...", many),
            "quorum": (self._quorum, "quorum <name>", range(1, 2)),
        }

    def _log(self, items: list[str]) -> None:
        key = _key(items[0], _LOG_KEYS, "log", [log.key for log in self.logs])
        self.logs.append(KnownLog(key, _url(items[1:])))

    def _witness(self, items: list[str]) -> None:
        name, vkey, *url = items
        self._define(name)
        key = _key(vkey, _WITNESS_KEYS, "witness", [witness.key for witness in self.witnesses])
        self.witnesses.append(Witness(name, key, _url(url)))

    def _group(self, items: list[str]) -> None:
        name, threshold, *members = items
        for member in members:
            self._refer(member)
            if self.names[member]:
                raise PolicyError(f"{_shown(member)} is a member of a group already")
            self.names[member] = True
        self._define(name)
        self.groups.append(Group(name, _threshold(threshold, len(members)), tuple(members)))

    def _quorum(self, items: list[str]) -> None:
        (name,) = items
        if self.quorum is not None:
            raise PolicyError("there is a quorum line already")
        if name != NO_QUORUM:
            self._refer(name)
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NO_QUORUM:
            raise PolicyError(f"the name {NO_QUORUM} has a meaning of its own")
        if name in self.names:
            raise PolicyError(f"the name {_shown(name)} is there already")
        self.names[name] = False

    def _refer(self, name: str) -> None:
        if name not in self.names:
            raise PolicyError(f"no earlier line defines a witness or group {_shown(name)}")


def _key(text: str, types: Sequence[KeyType], owner: str, others: Iterable[VerifierKey]) -> VerifierKey:
    try:
        key = parse_verifier_key(text)
    except UnicodeEncodeError:
        raise PolicyError(f"the key's name is not UTF-8: {_shown(text)}") from None
    if key.type not in types:
        known = " or ".join(f"0x{each:02x}" for each in types)
        raise PolicyError(f"a key of type 0x{key.type:02x} is no {owner}'s: {known} is")
    if any(other.public == key.public for other in others):
        raise PolicyError(f"a {owner} with the same public key is there already")
    return key


def _threshold(text: str, members: int) -> int:
    if text in ("all", "any"):
        return members if text == "all" else 1
    if not re.fullmatch("[1-9][0-9]{0,8}", text, re.ASCII) or int(text) > members:
        raise PolicyError(f"a group of {members} needs all, any, or a number from 1 to {members}")
    return int(text)


def _url(items: Sequence[str]) -> str | None:
    return items[0] if items else None


def _shown(text: str) -> str:
    return repr(text[:80])
