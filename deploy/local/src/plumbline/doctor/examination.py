"""All checks, in the order in which things depend on each other."""

from plumbline import databases
from plumbline.doctor import entrances, histories, outside
from plumbline.doctor.finding import Finding
from plumbline.doctor.patient import Patient


async def examine(patient: Patient) -> list[Finding]:
    """Look at everything; a part that is away is a finding, never the end of the examination."""
    findings = [*await outside.broker(patient), *await entrances.roles(patient)]
    for service in databases.SERVICES:
        findings += await entrances.entrances(patient, service)
        findings += await histories.migrations(patient, service)
        findings += await histories.append_only(patient, service)
    return [*findings, *await entrances.viewer(patient), *await outside.services(patient)]
