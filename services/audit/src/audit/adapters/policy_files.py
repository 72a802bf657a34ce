"""Reads trust policies from files."""

from pathlib import Path
from urllib.parse import urlsplit

from audit.domain.log.policies import Policy, PolicyError, parse_policy
from chassis.process.environment import SettingsError
from chassis.process.terminal import plain_reason

WITNESS_POLICY = "AUDIT_WITNESS_POLICY_FILE"
WITNESS_LOGS = "AUDIT_WITNESS_LOGS_FILE"


def read_witness_policy(path: Path | None) -> Policy | None:
    """Return the policy of the log's witnesses, AUDIT_WITNESS_POLICY_FILE; None where none is set.

    Raises:
        SettingsError: as `read_policy_file`; or the address of a witness cannot be asked.
    """
    if path is None:
        return None
    policy = read_policy_file(path, variable=WITNESS_POLICY)
    for witness in policy.witnesses:
        if witness.url is not None and not _is_web_address(witness.url):
            raise SettingsError(
                f"{WITNESS_POLICY}: {path}: the address of witness {witness.name!r} is not http:// or https://"
                f" with a host: {witness.url!r}"
            )
    return policy


def read_logs_policy(path: Path) -> Policy:
    """Return the policy with the logs that a witness cosigns, AUDIT_WITNESS_LOGS_FILE.

    Raises:
        SettingsError: as `read_policy_file`; or it names no log.
    """
    policy = read_policy_file(path, variable=WITNESS_LOGS)
    if not policy.logs:
        raise SettingsError(
            f"{WITNESS_LOGS}: {path}: there is no log line, so that nothing would be cosigned: write"
            " `log <verifier key>` for each log"
        )
    return policy


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


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
