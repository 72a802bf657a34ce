"""Run all checks of a deployment concurrently and return the findings in a fixed order."""

import asyncio
from functools import partial

from chassis.process.terminal import plain_reason
from plumbline import databases, dsn
from plumbline.doctor import (
    access,
    backlogs,
    clocks,
    gateway,
    grants,
    groups,
    losses,
    network,
    public_rights,
    schema,
)
from plumbline.doctor.finding import CheckFunction, Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

# All checks run concurrently, so this also limits a whole run of the doctor.
CHECK_SECONDS_MAX = 12.0

_KAFKA = "KAFKA_BOOTSTRAP and the other KAFKA_* variables"
_URLS = "the services' *_URL"


async def run_checks(target: Target) -> list[Finding]:
    """Run all checks concurrently. A server that does not answer is a finding, not an error."""
    own = dsn.service_variable
    functions: list[tuple[str, str, CheckFunction]] = [
        ("kafka", _KAFKA, partial(network.broker, target)),
        ("consumer groups", _KAFKA, partial(groups.groups, target)),
        ("roles", dsn.ADMIN_VARIABLE, partial(access.roles, target)),
        ("rights of everybody", dsn.ADMIN_VARIABLE, partial(public_rights.server, target)),
        *(
            (
                f"database of {service}",
                f"{own(service)} and {dsn.ADMIN_VARIABLE}",
                partial(_service, target, service),
            )
            for service in databases.SERVICES
        ),
        ("messages lost to retention", own("audit"), partial(losses.losses, target)),
        ("published view", dsn.VIEWER_VARIABLE, partial(access.viewer, target)),
        ("barrier", dsn.VIEWER_VARIABLE, partial(public_rights.barrier, target)),
        ("clocks", f"{dsn.ADMIN_VARIABLE} and {_URLS}", partial(clocks.clocks, target)),
        ("services", _URLS, partial(network.services, target)),
        ("gateway", _URLS, partial(gateway.gateway, target)),
    ]
    results = await asyncio.gather(*(_bounded(*check) for check in functions))
    return [finding for findings in results for finding in findings]


async def _service(target: Target, service: str) -> list[Finding]:
    # Sequential: the check of append-only tables locks the tables.
    return [
        *await access.database_access(target, service),
        *await public_rights.functions(target, service),
        *await schema.migrations(target, service),
        *await grants.grants(target, service),
        *await schema.append_only(target, service),
        *await backlogs.backlogs(target, service),
    ]


async def _bounded(subject: str, variables: str, check: CheckFunction) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except TimeoutError:
        return [
            Finding(subject, f"no answer within {CHECK_SECONDS_MAX:g} s: is the server overloaded or down?")
        ]
    except StackError as error:
        return [Finding(subject, str(error))]
    except ValueError:
        problem = f"could not be checked: an address has a wrong form; check {variables} and the server there"
        return [Finding(subject, problem)]
    except Exception as error:  # noqa: BLE001 - an error in one check must not stop the others
        problem = f"could not be checked: {plain_reason(error)}; check {variables} and the server there"
        return [Finding(subject, problem)]
