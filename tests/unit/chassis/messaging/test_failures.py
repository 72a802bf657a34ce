"""Failures are classified by SQLSTATE, constraint and type of error (design rule 6)."""

import socket
from contextlib import suppress

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.kafka.errors import BrokerUnavailableError
from chassis.messaging.failures import (
    FailureKind,
    LostWriteError,
    MalformedMessageError,
    RefusedDataError,
    classify,
    data_constraints,
    describe_lock,
)
from chassis.messaging.message import KeysInUseError, waiting_for_locks
from chassis.observability.redaction import loggable
from chassis.postgres import DatabaseNotReadyError, is_transient
from unit.chassis.consuming.driver import message

TRANSIENT_ERRORS = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ConnectionFailureError(),
    asyncpg.InvalidPasswordError(),
    asyncpg.InvalidAuthorizationSpecificationError("role is not permitted to log in"),
    asyncpg.SerializationError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.DiskFullError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.QueryCanceledError(),
    asyncpg.ReadOnlySQLTransactionError(),
    asyncpg.IdleInTransactionSessionTimeoutError(),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.InternalClientError(),
    ConnectionRefusedError(),
    ConnectionResetError(),
    socket.gaierror(),
    TimeoutError(),
    DatabaseNotReadyError(),
    BrokerUnavailableError(),
    LostWriteError("booking: 0 of 1 rows were written"),
]
STORE_ERRORS = [
    *TRANSIENT_ERRORS,
    asyncpg.UniqueViolationError("of a sequence that is behind"),
    asyncpg.ForeignKeyViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.NotNullViolationError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.UndefinedTableError(),
    asyncpg.PostgresSyntaxError(),
    asyncpg.InvalidCatalogNameError(),
    asyncpg.InvalidCachedStatementError(),
    asyncpg.RaiseError("of a trigger that somebody added"),
    asyncpg.StringDataRightTruncationError(),
    asyncpg.InternalServerError(),
    MemoryError(),
]
SUSPECT_ERRORS = [
    asyncpg.CharacterNotInRepertoireError(),
    asyncpg.NumericValueOutOfRangeError(),
    asyncpg.ProgramLimitExceededError("index row size 2800 exceeds btree version 4 maximum 2704"),
    asyncpg.DataError("invalid input for query argument $1"),
    ValueError(),
    KeyError(),
    AssertionError(),
    OverflowError(),
    RecursionError(),
]


@pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=lambda e: type(e).__name__)
def test_caller_may_try_again_after_a_fault_of_connection_load_or_timing(error: Exception) -> None:
    assert is_transient(error)


@pytest.mark.parametrize("error", STORE_ERRORS, ids=lambda e: type(e).__name__)
def test_failure_of_the_database_as_a_whole_blames_no_message(error: Exception) -> None:
    assert classify(error) is FailureKind.STORE


@pytest.mark.parametrize("error", SUSPECT_ERRORS, ids=lambda e: type(e).__name__)
def test_fault_of_data_or_code_makes_a_message_a_suspect(error: Exception) -> None:
    assert not is_transient(error)
    assert classify(error) is FailureKind.SUSPECT


def test_message_that_cannot_be_decoded_is_malformed() -> None:
    assert classify(MalformedMessageError("no identity")) is FailureKind.MALFORMED


@given(state=st.from_regex(r"\A[0-9A-Z]{5}\Z"))
def test_unknown_sqlstate_is_classified_by_its_class(state: str) -> None:
    error = asyncpg.PostgresError()
    vars(error)["sqlstate"] = state
    is_listed = state in {"55P03", "25006", "25P03", "25P04"}
    assert is_transient(error) == (is_listed or state[:2] in {"08", "28", "40", "53", "57"})
    is_data = state[:2] in {"22", "54"} and state != "22001"
    assert classify(error) is (FailureKind.SUSPECT if is_data else FailureKind.STORE)


def test_data_error_raised_by_a_foreign_function_is_of_kind_store() -> None:
    error = asyncpg.NumericValueOutOfRangeError("no")
    error.context = "PL/pgSQL function refuse() line 2 at RAISE\nSQL statement"
    assert classify(error) is FailureKind.STORE


def test_only_constraints_that_the_handler_names_blame_the_message() -> None:
    def violated(name: str) -> Exception:
        error = asyncpg.CheckViolationError()
        error.constraint_name = name
        with pytest.raises(Exception) as raised, data_constraints("payment_captured_check"):  # noqa: PT011
            raise error
        return raised.value

    refused = violated("payment_captured_check")
    assert isinstance(refused, RefusedDataError)
    assert classify(refused) is FailureKind.SUSPECT
    assert classify(violated("payment_pkey")) is FailureKind.STORE


def test_lock_that_cannot_be_had_names_its_relation_and_its_message() -> None:
    error = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
    error.context = 'while inserting index tuple (0,1) in relation "exception"'
    one = message(1)
    with pytest.raises(KeysInUseError) as raised, waiting_for_locks(one):
        raise error
    assert raised.value.messages == [one]
    for each in (error, raised.value):
        assert classify(each) is FailureKind.BUSY
        assert describe_lock(each) == "row of exception locked by another session"
        assert is_transient(each)


def _raised(error: Exception) -> Exception:
    with suppress(type(error)):
        raise error
    return error


def test_database_error_is_logged_by_class_state_and_constraint_only() -> None:
    error = asyncpg.UniqueViolationError("duplicate key")
    error.detail = "Key (phone)=(+13125550100) already exists."
    error.constraint_name = "client_phone_key"
    assert "+13125550100" in str(error)
    assert loggable(_raised(error)) == "UniqueViolationError (SQLSTATE 23505, client_phone_key)"


@pytest.mark.parametrize(
    "error",
    [
        KeyError("+13125550100"),
        ValueError("'+13125550100' is no number"),
        MalformedMessageError("+13125550100"),
    ],
)
def test_error_is_logged_by_class_and_place_and_never_by_its_text(error: Exception) -> None:
    line = loggable(_raised(error))
    assert line.startswith(f"{type(error).__name__} at _raised, line ")
    assert "+1312" not in line
    assert loggable(error.__class__("+1312")) == type(error).__name__


def test_argument_that_the_client_refuses_is_not_repeated() -> None:
    error = asyncpg.DataError("invalid input for query argument $1: '+13125550100'")
    assert loggable(error) == "DataError (SQLSTATE 22000)"


def test_connection_error_keeps_its_text_which_names_hosts() -> None:
    assert loggable(ConnectionRefusedError("10.0.0.7 refused")) == "ConnectionRefusedError: 10.0.0.7 refused"
