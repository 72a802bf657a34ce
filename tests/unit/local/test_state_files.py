import json
import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.folders import open_to_all
from harness.ports import free_port
from plumbline import (
    atomic,
    credentials,
    disk,
    dsn,
    environment,
    ports,
    postgres_directory,
    signed_note,
    stack_file,
    state_directory,
)
from plumbline.databases import DATABASES, LOGIN_ROLES, SERVICES, connection_strings
from plumbline.failure import StackError
from plumbline.postgres_directory import PidFile
from plumbline.processes import Account


def test_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    atomic.write_text(tmp_path / "secret", "one", mode=atomic.PRIVATE)
    atomic.write_text(tmp_path / "secret", "two", mode=atomic.PRIVATE)

    assert (tmp_path / "secret").read_text() == "two"
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_credentials_are_drawn_once_and_kept_private(tmp_path: Path) -> None:
    first = credentials.load(tmp_path / "credentials.json")

    assert credentials.load(tmp_path / "credentials.json") == first
    assert set(first.passwords) == set(LOGIN_ROLES)
    assert len(set(first.passwords.values())) == len(LOGIN_ROLES)
    assert stat.S_IMODE((tmp_path / "credentials.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "{", "[]", '{"passwords": {}}'])
def test_unreadable_credentials_are_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)

    with pytest.raises(StackError, match=r"credentials\.json cannot be read"):
        credentials.load(tmp_path / "credentials.json")


def test_verifier_key_is_the_one_that_go_derives() -> None:
    """The example of golang.org/x/mod/sumdb/note."""
    private = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"

    assert signed_note.verifier_key(private) == (
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    )


def test_new_key_has_its_own_name_and_verifier() -> None:
    one, other = (
        signed_note.new_private_key("example.org/log"),
        signed_note.new_private_key("example.org/log"),
    )

    assert one.startswith("PRIVATE+KEY+example.org/log+")
    assert signed_note.verifier_key(one) != signed_note.verifier_key(other)


@given(st.text(max_size=80))
def test_text_that_is_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(StackError, match="not an Ed25519 key") as refusal:
        signed_note.verifier_key(f"PRIVATE+KEY+{text}")
    assert len(text) < 8 or text not in str(refusal.value)


def test_defaults_of_the_state_directory_are_those_of_the_interface() -> None:
    directory = state_directory.from_environment({})

    assert str(directory.path) == "var"
    assert (directory.port_base, directory.kafka_port, directory.postgres_port) == (8080, 8090, 8091)
    assert str(directory.log("booking")) == "var/log/booking.log"


@pytest.mark.parametrize("port_base", ["x", "-1", "80", "65530", "8080.5", "80 80"])
def test_port_base_that_is_none_is_refused(port_base: str) -> None:
    with pytest.raises(StackError, match="PLUMBLINE_PORT_BASE"):
        state_directory.from_environment({"PLUMBLINE_PORT_BASE": port_base})


def test_busy_port_is_named_with_purpose_and_owner() -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StackError, match=rf"{port} \(booking\) by .*pid {os.getpid()}.*PLUMBLINE_PORT_BASE"),
    ):
        ports.require_free({"kafka": free_port(), "booking": port})

    ports.require_free({"booking": port})


def test_full_disk_is_named_before_anything_starts(tmp_path: Path) -> None:
    disk.require_free_space(tmp_path / "not" / "there" / "yet", free_bytes_min=1, variable="PLUMBLINE_STATE")

    with pytest.raises(StackError, match=r"disk of .* is full: \d+ MiB free.* set PLUMBLINE_STATE"):
        disk.require_free_space(tmp_path, free_bytes_min=1 << 60, variable="PLUMBLINE_STATE")


def test_caller_beats_defaults_and_addresses_beat_the_caller() -> None:
    merged = environment.merge(
        {"STRIPE_WEBHOOK_SECRET": "theirs", "KAFKA_BOOTSTRAP": "elsewhere:9092", "LOG_LEVEL": "DEBUG"},
        fixed={"KAFKA_BOOTSTRAP": "127.0.0.1:8090"},
        fallback={"STRIPE_WEBHOOK_SECRET": "ours", "QUO_WEBHOOK_SECRET": "ours"},
    )

    assert merged == {
        "STRIPE_WEBHOOK_SECRET": "theirs",
        "QUO_WEBHOOK_SECRET": "ours",
        "KAFKA_BOOTSTRAP": "127.0.0.1:8090",
        "LOG_LEVEL": "DEBUG",
    }


def test_variable_and_its_file_never_meet() -> None:
    merged = environment.merge(
        {
            "STRIPE_WEBHOOK_SECRET_FILE": "/theirs",
            "BOOKING_POSTGRES_DSN_FILE": "/x",
            "AUDIT_SIGNING_KEY": "k",
        },
        fixed={"BOOKING_POSTGRES_DSN": "ours"},
        fallback={"STRIPE_WEBHOOK_SECRET": "ours", "AUDIT_SIGNING_KEY_FILE": "/ours"},
    )

    assert merged == {
        "STRIPE_WEBHOOK_SECRET_FILE": "/theirs",
        "BOOKING_POSTGRES_DSN": "ours",
        "AUDIT_SIGNING_KEY": "k",
    }


def test_stack_file_names_the_file_of_a_secret_in_place_of_what_it_held_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "stripe"
    file.write_text("whsec_before")
    environ = {
        "STRIPE_WEBHOOK_SECRET_FILE": str(file),
        "QUO_WEBHOOK_SECRET": "whsec_quo,old",
        "RECONCILER_BOOKING_VIEW_DSN": "",
        "AUDIT_CHECKPOINT_DIR": "",
        "AUDIT_SIGNING_KEY": signed_note.new_private_key("plumbline.example/test"),
        "AUDIT_MLDSA_KEY": signed_note.new_private_key("plumbline.example/test", "ml-dsa-44"),
    }
    content = stack_file.of_environment(environ, "")
    assert content["secrets"] == {"stripe": None, "sms_legacy": "", "sms": "whsec_quo"}
    assert content["secret_files"] == {"stripe": str(file)}
    file.write_text("whsec_after\n")
    assert stack_file.secrets(content)["stripe"] == "whsec_after"


def test_secret_is_read_as_the_services_read_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")

    assert environment.secret({"S": "new,old"}, "S") == "new"
    assert environment.secret({"S_FILE": str(tmp_path / "secret")}, "S") == "from a file"
    assert environment.secret({}, "S") == ""


passwords = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.fixed_dictionaries(dict.fromkeys(LOGIN_ROLES, passwords)))
def test_connection_strings_give_back_what_was_put_in(given: dict[str, str]) -> None:
    admin = "postgresql://postgres:admin@127.0.0.1:5432/postgres"

    parsed = dsn.deployment({"POSTGRES_ADMIN_DSN": admin, **connection_strings(admin, given)}, SERVICES)

    assert parsed == dsn.Deployment(admin, given, dict(DATABASES))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "BOOKING_POSTGRES_DSN is not set"),
        ("postgresql://audit:x@h/booking", "its user must be 'booking'"),
        ("postgresql://booking@h/booking", "expected postgresql://booking:PASSWORD"),
        ("postgresql://booking:hidden@h", "expected postgresql://booking:PASSWORD"),
    ],
)
def test_wrong_connection_string_is_one_line_without_the_password(value: str | None, problem: str) -> None:
    admin = "postgresql://postgres:admin@h/postgres"
    environ = {"POSTGRES_ADMIN_DSN": admin, **connection_strings(admin, dict.fromkeys(LOGIN_ROLES, "x"))}
    environ.pop("BOOKING_POSTGRES_DSN")
    if value is not None:
        environ["BOOKING_POSTGRES_DSN"] = value

    with pytest.raises(StackError, match=problem) as refusal:
        dsn.deployment(environ, SERVICES)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("123\n/data\n1\n5432\n\n127.0.0.1\n  1 2\nready   \n", PidFile(123, "ready")),
        ("123\n/data\n1\n5432\n\n127.0.0.1\n  1 2\nstarting\n", PidFile(123, "starting")),
        ("123\n/data\n", PidFile(123, "")),
        ("", PidFile(0, "")),
        ("rubbish\n", PidFile(0, "")),
    ],
)
def test_pid_file_is_read_as_far_as_it_was_written(tmp_path: Path, content: str, expected: PidFile) -> None:
    assert postgres_directory.pid_file(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text(content)

    assert postgres_directory.pid_file(tmp_path) == expected


def test_stale_pid_file_with_somebody_elses_pid_is_discarded(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{os.getpid()}\n")

    postgres_directory.discard_stale_pid_file(tmp_path)

    assert postgres_directory.pid_file(tmp_path) is None


def test_data_go_elsewhere_only_where_the_account_cannot_get(tmp_path: Path) -> None:
    somebody = Account("somebody", 65_000, 65_000)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    open_to_all(tmp_path)

    assert postgres_directory.home(tmp_path / "open" / "postgres", somebody) == tmp_path / "open" / "postgres"
    assert postgres_directory.home(closed / "postgres", None) == closed / "postgres"
    elsewhere = postgres_directory.home(closed / "postgres", somebody)
    assert not elsewhere.is_relative_to(tmp_path)
    assert elsewhere != postgres_directory.home(closed / "other", somebody)


def test_credentials_file_is_json_for_those_who_need_it(tmp_path: Path) -> None:
    credentials.load(tmp_path / "c.json")

    assert json.loads((tmp_path / "c.json").read_text())["stripe"].startswith("whsec_")
