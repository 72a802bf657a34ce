"""Run all checks of a deployment, in the order of their dependencies."""

import asyncio
from functools import partial

from chassis.process.terminal import in_one_line
from plumbline import databases, dsn
from plumbline.doctor import (
    clocks,
    entrances,
    flow,
    gateway,
    grants,
    groups,
    histories,
    losses,
    outside,
    public_rights,
)
from plumbline.doctor.finding import CheckFunction, Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

# Checks run concurrently, so all of them together take no longer.
CHECK_SECONDS_MAX = 12.0

_KAFKA = "KAFKA_BOOTSTRAP and what belongs to it"
_URLS = "the services' *_URL"


async def run_checks(target: Target) -> list[Finding]:
    """Run all checks concurrently. A component that does not answer is a finding, not an error."""
    own = dsn.service_variable
    functions: list[tuple[str, str, CheckFunction]] = [
        ("kafka", _KAFKA, partial(outside.broker, target)),
        ("consumer groups", _KAFKA, partial(groups.groups, target)),
        ("roles", dsn.ADMIN_VARIABLE, partial(entrances.roles, target)),
        ("rights of everybody", dsn.ADMIN_VARIABLE, partial(public_rights.server, target)),
        *(
            (f"database of {service}", f"{own(service)} and {dsn.ADMIN_VARIABLE}", _of(target, service))
            for service in databases.SERVICES
        ),
        ("messages lost to retention", own("audit"), partial(losses.losses, target)),
        ("published view", dsn.VIEWER_VARIABLE, partial(entrances.viewer, target)),
        ("barrier", dsn.VIEWER_VARIABLE, partial(public_rights.barrier, target)),
        ("clocks", f"{dsn.ADMIN_VARIABLE} and {_URLS}", partial(clocks.clocks, target)),
        ("services", _URLS, partial(outside.services, target)),
        ("gateway", _URLS, partial(gateway.gateway, target)),
    ]
    found = await asyncio.gather(*(_bounded(*check) for check in functions))
    return [finding for findings in found for finding in findings]


def _of(target: Target, service: str) -> CheckFunction:
    return partial(_service, target, service)


async def _service(target: Target, service: str) -> list[Finding]:
    # One after the other: checking append-only tables takes locks on them.
    return [
        *await entrances.entrances(target, service),
        *await public_rights.functions(target, service),
        *await histories.migrations(target, service),
        *await grants.grants(target, service),
        *await histories.append_only(target, service),
        *await flow.flow(target, service),
    ]


async def _bounded(subject: str, variables: str, check: CheckFunction) -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except TimeoutError:
        return [Finding(subject, f"gave no answer within {CHECK_SECONDS_MAX:g} s: is it overloaded or away?")]
    except StackError as error:
        return [Finding(subject, str(error))]
    except Exception as error:  # noqa: BLE001 - an error of one check must not keep the others from running
        problem = (
            f"could not be checked: {in_one_line(error)}; look at {variables}, and at what answers there"
        )
        return [Finding(subject, problem)]
