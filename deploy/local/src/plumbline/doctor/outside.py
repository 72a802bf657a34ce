"""Checks of what answers on the network: the broker with its topics, and the services."""

from chassis.kafka import BrokerUnavailableError
from chassis.kafka_admin import compare_topics
from contracts.topics import TOPICS
from plumbline.doctor.finding import Finding
from plumbline.doctor.patient import Patient
from plumbline.service_process import answers_ok, loopback_client


async def broker(patient: Patient) -> list[Finding]:
    """The broker answers, and each topic is as its card says."""
    subject = f"kafka at {patient.kafka.bootstrap}"
    try:
        topics = await compare_topics(patient.kafka, TOPICS)
    except BrokerUnavailableError as error:
        return [Finding(subject, f"{error}: start it, or correct KAFKA_BOOTSTRAP")]
    return [Finding(subject), *(Finding(f"topic {found.topic}", found.problem) for found in topics)]


async def services(patient: Patient) -> list[Finding]:
    """Each service says that it is ready."""
    async with loopback_client() as client:
        return [
            Finding(
                f"service {name}",
                ""
                if await answers_ok(client, f"{url}/health/ready")
                else f"is not ready: {url}/health/ready and its log say why",
            )
            for name, url in patient.urls.items()
        ]
