"""Reads trust policies from files."""

from pathlib import Path

from audit.domain.log.policies import Policy, PolicyError, parse_policy
from chassis.process.environment import SettingsError
from chassis.process.terminal import plain_reason


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
