"""Keys and policy files of witnesses: what is written, and what is refused with which words."""

import asyncio
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.__main__ import cli
from audit.adapters.policy_files import read_logs_policy, read_policy_file, read_witness_policy
from audit.adapters.witness_client import WitnessClient
from audit.commands.witnesses import _summary
from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.keys import InvalidKeyError, KeyType, SigningKey, parse_verifier_key
from audit.domain.log.policies import parse_policy
from audit.domain.log.witness_answers import NotCosigned, Outcome
from audit.domain.log.witness_keys import read_witness_keys
from audit.domain.log.witness_requests import AddCheckpoint
from audit.handlers.cosigning import sites_of
from audit.handlers.witness_report import WitnessReport
from chassis.process.command_line import CommandError
from chassis.process.environment import SettingsError

NAME = "witness.example/w1"
KEYS = {key_type: SigningKey(NAME, key_type, b"w" * 32) for key_type in KeyType}
ED25519, MLDSA = KEYS[KeyType.ED25519_COSIGNATURE], KEYS[KeyType.MLDSA44_COSIGNATURE]


def test_new_keys_are_secret_in_a_new_file_and_their_verifier_keys_are_printed(tmp_path: Path) -> None:
    file = tmp_path / "witness.key"
    done = CliRunner().invoke(cli, ["witness", "new-key", NAME, str(file)])
    assert done.exit_code == 0, done.output
    keys = read_witness_keys(file.read_text())
    assert [parse_verifier_key(line) for line in done.stdout.splitlines()] == [key.verifier for key in keys]
    assert [key.type for key in keys] == [KeyType.ED25519_COSIGNATURE, KeyType.MLDSA44_COSIGNATURE]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()
    again = CliRunner().invoke(cli, ["witness", "new-key", NAME, str(file)])
    assert isinstance(again.exception, CommandError)
    assert "keys are never replaced" in str(again.exception)
    assert file.read_bytes() == before


def test_help_of_keys_has_the_command_to_copy() -> None:
    text = " ".join(CliRunner().invoke(cli, ["new-key", "--help"]).output.split())
    assert "(umask 077; audit new-key example.com/audit > signing.key)" in text
    assert "\\b" not in text


def test_quorum_that_has_cosigned_nothing_is_said_in_words() -> None:
    assert _summary(WitnessReport("b", 44, 0, [])) == "quorum b: none of 44 entries are cosigned"


@pytest.mark.parametrize("name", ["", "two words", "a+b", "x" * 256])
def test_name_that_no_signature_line_takes_is_refused(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["witness", "new-key", name, str(tmp_path / "key")])
    assert isinstance(done.exception, CommandError)
    assert "is no name of a key" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("\n", "there is no key in it"),
        ("nonsense", "a signing key is PRIVATE+KEY+"),
        (KEYS[KeyType.ED25519].encode(), "is an Ed25519 key of a log; `audit witness new-key` writes those"),
        (f"{ED25519.encode()}\n{ED25519.encode()}\n", "there are two keys of type 0x04"),
        (
            f"{ED25519.encode()}\n{SigningKey('other', KeyType.MLDSA44_COSIGNATURE, b'o' * 32).encode()}",
            "its keys have two names",
        ),
    ],
)
def test_what_is_no_key_file_of_a_witness_is_refused_without_showing_it(text: str, sentence: str) -> None:
    with pytest.raises(InvalidKeyError) as refused:
        read_witness_keys(text)
    assert sentence in str(refused.value)
    assert ED25519.encode() not in str(refused.value)


def test_policy_file_that_cannot_be_read_is_named_with_its_variable_and_line(tmp_path: Path) -> None:
    missing = tmp_path / "missing.policy"
    with pytest.raises(
        SettingsError, match=r"^VARIABLE: cannot read .*missing\.policy: there is no such file"
    ):
        read_policy_file(missing, variable="VARIABLE")
    missing.write_text("quorum none\n")
    with pytest.raises(SettingsError, match=r"^AUDIT_WITNESS_LOGS_FILE: .*missing\.policy: there is no log"):
        read_logs_policy(missing)
    missing.write_text("quorum none\nquorum none\n")
    with pytest.raises(SettingsError, match=r"^VARIABLE: .*missing\.policy: line 2: there is a quorum"):
        read_policy_file(missing, variable="VARIABLE")


def test_keys_with_one_address_are_one_witness_and_one_without_is_not_asked() -> None:
    other = SigningKey("other.example", KeyType.ED25519_COSIGNATURE, b"o" * 32)
    content = (
        f"witness a {ED25519.verifier} https://w.example/\n"
        f"witness silent {other.verifier}\n"
        f"witness \x1bb {MLDSA.verifier} https://w.example/\n"
        "quorum a\n"
    ).replace("\x1b", "\xff")
    (site,) = sites_of(parse_policy(content.encode("latin-1")))
    assert site.url == "https://w.example/"
    assert site.keys == (ED25519.verifier, MLDSA.verifier)
    assert site.name == "a+\ufffdb"


@pytest.mark.parametrize(
    "url", ["witness.example", "ftp://witness.example", "https://", "http://w:99999/", "http://w:0"]
)
def test_witness_that_cannot_be_asked_stops_the_start(tmp_path: Path, url: str) -> None:
    key = SigningKey("witness.example/1", KeyType.ED25519_COSIGNATURE, bytes(32)).verifier
    (tmp_path / "policy").write_text(f"witness w {key} {url}\nquorum w\n")
    with pytest.raises(
        SettingsError, match=r"^AUDIT_WITNESS_POLICY_FILE: .* the address of witness 'w' is not"
    ):
        read_witness_policy(tmp_path / "policy")


async def test_connection_that_a_witness_closed_while_it_waited_is_opened_anew() -> None:
    async def answer_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"POST")
        writer.close()

    log = SigningKey("log.example/1", KeyType.ED25519, bytes(32))
    note = sign_checkpoint(Checkpoint(log.name, 1, bytes(32)), [log], time=0)
    client = WitnessClient()
    async with await asyncio.start_server(answer_once, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for _ in range(2):
            answer = await client.add_checkpoint(url, AddCheckpoint(0, (), note), [])
            assert isinstance(answer, NotCosigned)
            assert answer.outcome is Outcome.UNKNOWN_LOG, answer.sentence
        await client.close()
