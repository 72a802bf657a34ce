"""`stack.json`: addresses and secrets of a ready stack, for other programs (interface.md). Mode 0600."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from plumbline import atomic, dsn, environment, signed_note
from plumbline.failure import StackError
from plumbline.services import Service
from plumbline.state_directory import HOST, StateDirectory

Content = dict[str, Any]

_DSN_SUFFIX = "_POSTGRES_DSN"
_SECRETS = {
    "stripe": "STRIPE_WEBHOOK_SECRET",
    "sms_legacy": "OPENPHONE_WEBHOOK_SECRET",
    "sms": "QUO_WEBHOOK_SECRET",
}


def describe(
    directory: StateDirectory,
    running: tuple[Service, ...],
    *,
    pids: Mapping[str, int],
    admin_dsn: str,
    environ: Mapping[str, str],
) -> Content:
    """Return the content; `environ` is the environment that the services were started with."""
    return {
        "urls": {service.name: service.url(directory) for service in running},
        "kafka_bootstrap": f"{HOST}:{directory.kafka_port}",
        **of_environment(environ, admin_dsn),
        "pids": dict(pids),
        "logs": {name: str(directory.log(name)) for name in pids},
    }


def of_environment(environ: Mapping[str, str], admin_dsn: str) -> Content:
    """Return the members that follow from the services' environment.

    A secret that a file holds is null, and the file stands in `secret_files`: services read it anew when it
    changes, and this file would not.
    """
    strings = {name: value for name, value in environ.items() if name.endswith(_DSN_SUFFIX)}
    files = {
        name: path for name, variable in _SECRETS.items() if (path := environment.file_of(environ, variable))
    }
    return {
        "topic_prefix": environ.get("TOPIC_PREFIX", ""),
        "postgres": {
            "admin_dsn": admin_dsn,
            **{f"{name.removesuffix(_DSN_SUFFIX).lower()}_dsn": value for name, value in strings.items()},
            "reconciler_booking_view_dsn": environ[dsn.VIEWER_VARIABLE],
        },
        "secrets": {
            name: None if name in files else environment.secret(environ, variable)
            for name, variable in _SECRETS.items()
        },
        "secret_files": files,
        "checkpoints": environ["AUDIT_CHECKPOINT_DIR"],
        "audit_public_key": signed_note.verifier_key(environment.secret(environ, "AUDIT_SIGNING_KEY")),
        "audit_mldsa_public_key": signed_note.verifier_key(
            environment.secret(environ, "AUDIT_MLDSA_KEY"), "ml-dsa-44"
        ),
    }


def secrets(content: Content) -> dict[str, str]:
    """Return the webhook secrets that are in force, also those that a file holds."""
    held = {name: environment.first_secret(path) for name, path in content["secret_files"].items()}
    return {**content["secrets"], **held}


def write(path: Path, content: Content) -> None:
    """Write the file atomically."""
    atomic.write_text(path, json.dumps(content, indent=2) + "\n", mode=atomic.PRIVATE)


def read(path: Path) -> Content | None:
    """Return the content; None if no stack is ready."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StackError(
            f"{path} cannot be read ({error}): run `plumbline down`, then `plumbline up`"
        ) from error
