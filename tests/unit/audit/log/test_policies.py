"""Policies: the example of the C2SP specification, what is refused and with which line, and the quorum."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.checkpoints import Checkpoint, cosign, sign_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.policies import POLICY_BYTES_MAX, PolicyError, is_met, parse_policy
from audit.domain.log.tree import EMPTY_ROOT

NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3", "Z1", "Z2")
WITNESSES = {
    name: SigningKey(f"witness.example/{name}", KeyType.ED25519_COSIGNATURE, bytes([number]) * 32)
    for number, name in enumerate(NAMES, start=1)
}
LOG = SigningKey("log.example", KeyType.ED25519, b"l" * 32)
EMPTY = Checkpoint("log.example", 0, EMPTY_ROOT)

# As in the specification, with keys.
EXAMPLE = f"""\
log {LOG.verifier}

witness X1 {WITNESSES["X1"].verifier}
witness X2 {WITNESSES["X2"].verifier}
witness X3 {WITNESSES["X3"].verifier}
# X witnesses, at least 2.
group X-witnesses 2 X1 X2 X3

witness Y1 {WITNESSES["Y1"].verifier}
witness Y2 {WITNESSES["Y2"].verifier}
witness Y3 {WITNESSES["Y3"].verifier}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def _met(policy: str, *names: str, time: int = 1) -> bool:
    keys = [WITNESSES[name] for name in names]
    note = sign_checkpoint(EMPTY, [LOG, *keys], time=time)
    read = parse_policy(policy.encode())
    known = [LOG.verifier, *(key.verifier for key in WITNESSES.values())]
    return is_met(read, verify_signatures(note, known))


@given(st.sets(st.sampled_from(NAMES)))
def test_quorum_of_the_example_is_two_of_x_and_one_of_y(cosigned: set[str]) -> None:
    of_x, of_y = (sum(name.startswith(letter) for name in cosigned) for letter in "XY")
    assert _met(EXAMPLE, *sorted(cosigned)) == (of_x >= 2 and of_y >= 1)


def test_quorum_none_is_always_met_and_a_single_witness_is_a_quorum() -> None:
    witness = f"witness X1 {WITNESSES['X1'].verifier} https://x1.example/\n"
    assert _met("quorum none\n")
    assert _met(f"{witness}quorum X1\n", "X1")
    assert not _met(f"{witness}quorum X1\n", "X2")


def test_cosignature_without_a_time_does_not_count() -> None:
    assert not _met(f"witness X1 {WITNESSES['X1'].verifier}\nquorum X1\n", "X1", time=0)


def test_signature_of_another_key_of_the_same_name_does_not_count() -> None:
    impostor = SigningKey(WITNESSES["X1"].name, KeyType.ED25519_COSIGNATURE, b"i" * 32)
    note = sign_checkpoint(EMPTY, [impostor], time=1)
    policy = parse_policy(f"witness X1 {WITNESSES['X1'].verifier}\nquorum X1\n".encode())
    assert not is_met(policy, verify_signatures(note, [impostor.verifier]))
    assert cosign(EMPTY, impostor, time=1) in note.signatures


def test_logs_are_known_by_origin_and_may_have_several_keys() -> None:
    second = SigningKey("log.example", KeyType.MLDSA44_COSIGNATURE, b"m" * 32)
    policy = parse_policy(
        f"\t log \t{LOG.verifier} https://log.example/\t\nlog {second.verifier}\nquorum none".encode()
    )
    assert policy.log_keys("log.example") == [LOG.verifier, second.verifier]
    assert policy.log_keys("other.example") == []
    assert policy.logs[0].url == "https://log.example/"


def test_names_are_octets() -> None:
    keys = WITNESSES["X1"].verifier, WITNESSES["X2"].verifier
    content = (
        b"witness \xe2\x84\xaa %s\nwitness K %s\nwitness \xff %s\ngroup g any \xff K\nquorum \xe2\x84\xaa"
    )
    policy = parse_policy(content % (*(str(key).encode() for key in keys), _vkey("X3").encode()))
    assert policy.quorum == "\u212a"


def _vkey(name: str) -> str:
    return str(WITNESSES[name].verifier)


_TWO: Mapping[str, str] = {"one": f"witness a {_vkey('X1')}\n", "other": f"witness b {_vkey('X2')}\n"}
_RENAMED = SigningKey("renamed.example", KeyType.ED25519_COSIGNATURE, WITNESSES["X1"].seed).verifier
_AS_LOG = SigningKey("log.example/2", KeyType.ED25519, LOG.seed).verifier


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("", "no quorum line"),
        ("quorum none\nquorum none", "line 2: there is a quorum line already"),
        ("quorum", "line 1: a line is written as: quorum <name>"),
        ("quorum a b", "line 1: a line is written as"),
        ("quorum a", "line 1: no earlier line defines"),
        ("quorum none\nwitnesses a b", "line 2: 'witnesses' is no statement"),
        ("quorum none\r\n", "line 1: the byte 0x0d is not allowed"),
        ("quorum none # no\n", "line 1: a line is written as"),
        ("log nonsense\nquorum none", "line 1: a verifier key is"),
        (f"log {_vkey('X1')}\nquorum none", "line 1: a key of type 0x04 is no log's"),
        (f"witness a {LOG.verifier}\nquorum none", "line 1: a key of type 0x01 is no witness's"),
        (f"log {LOG.verifier}\nlog {_AS_LOG}\nquorum none", "line 2: a log with the same public key"),
        (f"{_TWO['one']}witness b {_RENAMED}\nquorum a", "line 2: a witness with the same public key"),
        (f"{_TWO['one']}witness a {_vkey('X2')}\nquorum a", "line 2: the name 'a' is there already"),
        (f"{_TWO['one']}group a any a\nquorum a", "line 2: the name 'a' is there already"),
        (f"witness none {_vkey('X1')}\nquorum none", "line 1: the name none has a meaning"),
        ("group g any none\nquorum g", "line 1: no earlier line defines a witness or group 'none'"),
        ("group g any g\nquorum g", "line 1: no earlier line defines a witness or group 'g'"),
        (f"group g any a\n{_TWO['one']}quorum g", "line 1: no earlier line defines"),
        (f"{_TWO['one']}group g any\nquorum g", "line 2: a line is written as"),
        (f"{_TWO['one']}group g any a a\nquorum g", "line 2: 'a' is a member of a group already"),
        (f"{_TWO['one']}group g any a\ngroup h any a\nquorum g", "line 3: 'a' is a member"),
        *(
            (
                f"{_TWO['one']}{_TWO['other']}group g {k} a b\nquorum g",
                "line 3: a group of 2 needs all, any, or",
            )
            for k in ("0", "3", "02", "-1", "\u0662", "1.0", "All", "9" * 5000)
        ),
        (f"# {'x' * POLICY_BYTES_MAX}\nquorum none", "at most 1000000 are read"),
    ],
)
def test_what_is_no_policy_is_refused_with_its_line(policy: str, sentence: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(policy.encode())
    assert sentence in str(refused.value)


@given(st.binary(max_size=300))
def test_noise_is_refused_in_a_sentence(noise: bytes) -> None:
    with pytest.raises(PolicyError, match=r".+"):
        parse_policy(noise)


def test_a_chain_of_many_groups_is_read() -> None:
    groups = "".join(f"group g{n} all {f'g{n - 1}' if n else 'X1'}\n" for n in range(5000))
    assert _met(f"witness X1 {_vkey('X1')}\n{groups}quorum g4999\n", "X1")
