"""Command line of the webhook gateway."""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from chassis import clock
from chassis.cli import build_cli, run_cli
from chassis.process.command_line import CommandError
from chassis.process.commands_on_demand import command
from chassis.process.local_stack import load_command_settings
from chassis.process.tables import Column, Table, print_parts
from chassis.process.wording import one_of
from contracts.metadata import format_time
from contracts.topics import webhook_topic
from webhook_gateway.domain.identity import identity_headers
from webhook_gateway.domain.source import Source
from webhook_gateway.domain.verification import (
    FORM,
    AcceptedScheme,
    CannotSignError,
    Secret,
    UnsignedDelivery,
    sign,
)
from webhook_gateway.settings import (
    SERVICE,
    OfflineSettings,
    configured_sources,
)

cli = build_cli(
    "Verifies webhooks and publishes them: 200 only after the broker's ack.",
    {"serve": command("webhook_gateway.supervisor:add_serve_command")},
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class SecretRow(TypedDict):
    """A loaded secret, without the secret."""

    fingerprint: str
    ends_at: str | None


class SourceRow(TypedDict):
    """One scheme that one source accepts."""

    source: str
    topic: str
    scheme: str
    header: str
    variable: str
    always_verified: bool
    secrets: list[SecretRow]


@cli.command(name="sources")
def show_sources(as_json: AsJson = False) -> None:
    """Show the configured sources, the schemes they accept and which secrets are loaded.

    Reads the same variables as the gateway, from this shell; what a running gateway has loaded is told by
    `plumbline doctor`. Secrets appear by fingerprint only: the first digits of the key's SHA-256.
    """
    settings = load_command_settings(OfflineSettings, SERVICE)
    sources, validated = configured_sources(settings).values(), settings.validation_enabled
    rows = [_row(source, accepted) for source in sources for accepted in source.accepted]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    # What does not fit is continued below: two schemes of one beginning must not look alike.
    table = Table(
        Column("source"),
        Column("scheme", wraps=16),
        Column("secrets", wraps=20),
        Column("unsigned"),
        empty="no source is configured",
    )
    for row in rows:
        secrets = ", ".join(map(_secret_text, row["secrets"])) or f"none: set {row['variable']}"
        unsigned = "refused" if row["always_verified"] or validated else "accepted"
        table.add(row["source"], row["scheme"], secrets, unsigned)
    print_parts(table)


def _row(source: Source, accepted: AcceptedScheme) -> SourceRow:
    secrets: list[SecretRow] = [
        {"fingerprint": each.fingerprint, "ends_at": _moment(each.ends_at)} for each in accepted.secrets
    ]
    return {
        "source": source.name,
        "topic": webhook_topic(source.name).name,
        "scheme": accepted.scheme.name,
        "header": accepted.scheme.signature_header,
        "variable": accepted.variable,
        "always_verified": source.always_verified,
        "secrets": secrets,
    }


def _moment(ends_at: datetime | None) -> str | None:
    return ends_at.astimezone(UTC).isoformat() if ends_at else None


def _secret_text(secret: SecretRow) -> str:
    ends_at = secret["ends_at"]
    if ends_at is None:
        return secret["fingerprint"]
    word = "until" if clock.now() < datetime.fromisoformat(ends_at) else "ended"
    return f"{secret['fingerprint']} {word} {ends_at[:16]}Z"


@cli.command(name="sign")
def sign_delivery(
    source: Annotated[str, typer.Option(help="A configured source, e.g. stripe.")],
    body: Annotated[Path, typer.Option(help="File with the exact bytes of the body.")],
    scheme: Annotated[str | None, typer.Option(help="Which of the source's schemes.")] = None,
    event_type: Annotated[
        str, typer.Option("--type", help="The event's type, where a header and not the body has it.")
    ] = "ping",
    as_json: AsJson = False,
) -> None:
    """Print the headers of a correct delivery, signed now with the first of the source's secrets that counts.

    They include those that identify the event where its sender has them beside the body, as GitHub does:
    each call is another event. Reads the same variables as the gateway.

    Send it with: curl -H @HEADERS --data-binary @BODY URL
    """
    sender, accepted, secret = _to_sign_with(source, scheme)
    try:
        content = body.read_bytes()
    except OSError as error:
        raise CommandError(f"--body: cannot read {body}: {error.strerror}") from error
    form = "{form}" in accepted.scheme.signed
    media_type = FORM if form else "application/json"
    now, message_id = clock.now(), f"msg_{clock.new_id()}"
    sending = UnsignedDelivery(content, now, message_id, accepted.public_url, content_type=media_type)
    headers = identity_headers(
        sender.identity, event_id=message_id, event_type=event_type, occurred_at=format_time(now)
    )
    try:
        headers |= sign(accepted.scheme, secret, sending)
    except CannotSignError as error:
        raise CommandError(f"--source: {error}") from None
    headers["content-type"] = media_type
    if as_json:
        typer.echo(json.dumps(headers, indent=2))
    else:
        typer.echo("\n".join(f"{name}: {value}" for name, value in headers.items()))


def _to_sign_with(source_name: str, scheme_name: str | None) -> tuple[Source, AcceptedScheme, Secret]:
    sources = configured_sources(load_command_settings(OfflineSettings, SERVICE))
    if source_name not in sources:
        raise CommandError(f"--source: {source_name} is not configured; {one_of(list(sources), source_name)}")
    offered = sources[source_name].accepted
    candidates = [each for each in offered if scheme_name in {None, each.scheme.name}]
    if not candidates:
        names = ", ".join(each.scheme.name for each in offered)
        raise CommandError(f"--scheme: {source_name} does not accept {scheme_name}; it accepts {names}")
    for accepted in candidates:
        for secret in accepted.secrets:
            if secret.is_live(clock.now()):
                return sources[source_name], accepted, secret
    variables = " or ".join(each.variable for each in candidates)
    state = (
        "only secrets that have ended"
        if any(each.secrets for each in candidates)
        else "no secret to sign with"
    )
    raise CommandError(
        f'{source_name} has {state}: set {variables}; of a stack of this machine: eval "$(plumbline env)"'
    )


def main() -> None:
    """Run the command line: entry point of the console script."""
    run_cli(cli)


if __name__ == "__main__":
    sys.exit(main())
