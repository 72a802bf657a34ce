"""A gateway and its topics: one sample's, started, warm, loaded, checked."""

import secrets
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from bench.gateway_check import find_violations, read_topic
from bench.gateway_driver import Load, Outcome, run_load
from bench.gateway_load import Phase
from bench.gateway_sides import GATEWAYS
from bench.judging import Sample
from bench.row import Size
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from contracts.topics import WEBHOOKS_STRIPE, topics_of
from harness.deployment import Deployment, draw_secrets
from harness.embedded import EmbeddedInfra

WARM_UP_SECONDS = {Size.FULL: 2.0, Size.QUICK: 1.0}
_SERVICE = "webhook-gateway"


@dataclass(slots=True)
class Scene:
    """A side of a comparison, ready; `outcomes` are all its loads so far, the warm-up too."""

    port: int
    pid: int
    deployment: Deployment
    outcomes: list[Outcome] = field(default_factory=list[Outcome])

    async def run(self, load: Load) -> Outcome:
        """Load it, and keep what came of it for the check."""
        trees = {"gateway": self.pid, "kafka": self.deployment.infra.kafka.pid}
        secret, directory = self.deployment.secrets["stripe"], self.deployment.directory
        self.outcomes.append(await run_load(load, [self.port], secret, trees, directory))
        return self.outcomes[-1]

    async def sample(
        self, experiment: str, side: str, round_: int, figures: dict[str, float], of: Outcome
    ) -> Sample:
        """The sample, checked: everything that was ever sent here against everything that is stored.

        Args:
            experiment, side, round_, figures: of the sample.
            of: the load whose cost is told.
        """
        others = max(outcome.usage.others_share for outcome in self.outcomes)
        return Sample(
            experiment, side, round_, figures, cpu_microseconds(of), others, await self._violations()
        )

    async def _violations(self) -> list[str]:
        bootstrap = self.deployment.infra.kafka_bootstrap
        topic = self.deployment.topic_prefix + WEBHOOKS_STRIPE.name
        stored = await read_topic(bootstrap, topic, [outcome.deliveries for outcome in self.outcomes])
        return find_violations([(o.deliveries, o.answers.statuses) for o in self.outcomes], stored)


def cpu_microseconds(outcome: Outcome) -> dict[str, float]:
    """Per delivery that was answered, by process tree."""
    spent = outcome.usage.cpu_seconds
    trees = ("gateway", "kafka", "load")
    return {name: spent[name] / max(1, outcome.answered) * 1e6 for name in trees}


@asynccontextmanager
async def scene(side: str, infra: EmbeddedInfra, size: Size) -> AsyncGenerator[Scene]:
    """Fresh topics and a fresh process, after its warm-up."""
    gateway = GATEWAYS[side]
    async with AsyncExitStack() as stay:
        directory = Path(stay.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-bench-")))
        deployment = Deployment(infra, f"b{secrets.token_hex(4)}", directory, draw_secrets())
        await stay.enter_async_context(_topics(deployment))
        environment = {
            **deployment.environment(),
            "ENABLE_WEBHOOK_VALIDATION": "true",
            "TOPIC": deployment.topic_prefix + WEBHOOKS_STRIPE.name,
        }
        process, port = gateway.process(side, environment, directory / "gateway.log")
        await stay.enter_async_context(process)
        made = Scene(port, process.pid, deployment)
        await made.run(Load((Phase(WARM_UP_SECONDS[size]),)))
        yield made


@asynccontextmanager
async def _topics(deployment: Deployment) -> AsyncGenerator[None]:
    """Make the gateway's topics; the broker deletes their files a minute after the sample."""
    bootstrap = deployment.infra.kafka_bootstrap
    cards = topics_of(_SERVICE)
    await apply_topics(KafkaConnection(bootstrap, deployment.topic_prefix, {}), cards)
    try:
        yield
    finally:
        admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([deployment.topic_prefix + card.name for card in cards])
        finally:
            await admin.close()
