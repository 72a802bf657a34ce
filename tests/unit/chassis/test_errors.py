"""Which failures can pass by themselves: decided by SQLSTATE and by the kind of error (design rule 6)."""

import socket
from contextlib import suppress

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.broker_errors import BrokerUnavailableError
from chassis.errors import FailureKind, MalformedMessageError, classify, loggable
from chassis.postgres import DatabaseNotReadyError, is_transient

TRANSIENT_ERRORS = [
    asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    asyncpg.ConnectionFailureError(),
    asyncpg.SerializationError(),
    asyncpg.DeadlockDetectedError(),
    asyncpg.TooManyConnectionsError(),
    asyncpg.DiskFullError(),
    asyncpg.AdminShutdownError(),
    asyncpg.CannotConnectNowError(),
    asyncpg.QueryCanceledError(),
    asyncpg.LockNotAvailableError(),
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
]
LASTING_ERRORS = [
    asyncpg.UniqueViolationError(),
    asyncpg.ForeignKeyViolationError(),
    asyncpg.CheckViolationError(),
    asyncpg.NotNullViolationError(),
    asyncpg.InsufficientPrivilegeError(),
    asyncpg.UndefinedTableError(),
    asyncpg.PostgresSyntaxError(),
    asyncpg.CharacterNotInRepertoireError(),
    asyncpg.NumericValueOutOfRangeError(),
    asyncpg.DataError("invalid input for query argument $1"),
    ValueError(),
    KeyError(),
    AssertionError(),
    OverflowError(),
    RecursionError(),
]


@pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=lambda e: type(e).__name__)
def test_fault_of_connection_load_or_timing_is_tried_again(error: Exception) -> None:
    assert is_transient(error)
    assert classify(error) is FailureKind.TRANSIENT


@pytest.mark.parametrize("error", LASTING_ERRORS, ids=lambda e: type(e).__name__)
def test_fault_of_data_or_code_is_not_tried_for_ever(error: Exception) -> None:
    assert not is_transient(error)
    assert classify(error) is FailureKind.BUG


def test_message_that_cannot_be_decoded_is_malformed() -> None:
    assert classify(MalformedMessageError("no identity")) is FailureKind.MALFORMED


@given(state=st.from_regex(r"\A[0-9A-Z]{5}\Z"))
def test_unknown_sqlstate_is_judged_by_its_class(state: str) -> None:
    error = asyncpg.PostgresError()
    error.sqlstate = state
    lasting_class = state[:2] not in {"08", "40", "53", "57"}
    named = state in {"55P03", "25006", "25P03", "25P04"}
    assert is_transient(error) == (not lasting_class or named)


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
