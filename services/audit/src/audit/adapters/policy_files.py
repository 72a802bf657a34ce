"""Reads trust policies from files."""

from pathlib import Path

from audit.domain.log.policies import Policy, PolicyError, parse_policy
from chassis.process.environment import SettingsError
from chassis.process.terminal import plain_reason


def read_witness_policy(path: Path | None) -> Policy | None:
    """Return the policy of the log's witnesses, AUDIT_WITNESS_POLICY_FILE; None where none is set.

    Raises:
        SettingsError: as `read_policy_file`.
    """
    return None if path is None else read_policy_file(path, variable="AUDIT_WITNESS_POLICY_FILE")


def read_policy_file(path: Path, *, variable: str) -> Policy:
    """Return the policy in a file.

    Raises:
        SettingsError: the file cannot be read, or is no policy. The text names the variable and the line.
    """
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{variable}: cannot read {plain_reason(error)}") from None
    except PolicyError as error:
        raise SettingsError(f"{variable}: {path}: {error}") from None
