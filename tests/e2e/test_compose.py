"""docker-compose.yml really run: built, up, a signed webhook through to the EventLog, down."""

import os
from collections.abc import AsyncGenerator

import pytest

from chassis import clock
from harness import eventually
from harness.compose import ONCE, SERVICES, CommandFailedError, ComposeStack, compose_stack, docker

if os.environ.get("INFRA") != "containers":
    pytest.skip(
        "the compose stack is built and run by `make test-containers` (INFRA=containers)",
        allow_module_level=True,
    )

pytestmark = pytest.mark.timeout(900)  # the images are built

OURS = (*SERVICES, *ONCE)


@pytest.fixture(scope="module")
async def compose() -> AsyncGenerator[ComposeStack]:
    async with compose_stack() as stack:
        yield stack


async def test_signed_webhook_reaches_the_event_log(compose: ComposeStack) -> None:
    event_id = await deliver_payment(compose)
    entry = await eventually(lambda: find_entry(compose, event_id), seconds=30)
    assert entry["event_type"] == "stripe.payment_intent.succeeded"
    assert entry["source"] == "stripe"


async def test_forged_webhook_is_refused(compose: ComposeStack) -> None:
    response = await compose.deliver.stripe(payment(clock.new_id()), secret="whsec_" + "0" * 40)
    assert response.status_code == 400


async def test_down_and_up_again_keeps_the_event_log(compose: ComposeStack) -> None:
    event_id = await deliver_payment(compose)

    async def find_sealed() -> dict[str, object] | None:
        entry = await find_entry(compose, event_id)
        return entry if entry and entry["leaf_index"] is not None else None

    before = await eventually(find_sealed, seconds=30)
    await compose.compose("down")
    await compose.up()
    assert await eventually(lambda: find_entry(compose, event_id), seconds=30) == before


@pytest.mark.parametrize("service", OURS)
async def test_container_is_confined(compose: ComposeStack, service: str) -> None:
    container = await compose.container(service)
    host = container["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert container["Config"]["User"] == "10001:10001"


@pytest.mark.parametrize("service", ["kafka", "postgres", *OURS])
async def test_container_has_limits(compose: ComposeStack, service: str) -> None:
    host = (await compose.container(service))["HostConfig"]
    assert host["Memory"] > 0
    assert host["NanoCpus"] > 0
    assert host["PidsLimit"] > 0
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["CapDrop"] == ["ALL"]


@pytest.mark.parametrize("service", ["kafka", "postgres", *SERVICES])
async def test_published_port_is_bound_to_loopback(compose: ComposeStack, service: str) -> None:
    container = await compose.container(service)
    bindings = [b for published in container["HostConfig"]["PortBindings"].values() for b in published]
    assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]


@pytest.mark.parametrize("service", ONCE)
async def test_one_shot_service_has_done_its_work(compose: ComposeStack, service: str) -> None:
    state = (await compose.container(service))["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


@pytest.mark.parametrize("tool", ["pip", "uv", "gcc", "make"])
async def test_image_holds_no_build_tool(compose: ComposeStack, tool: str) -> None:
    identity = (await compose.container("booking"))["Id"]
    assert (
        await docker("exec", identity, "python", "-c", f"import shutil; print(shutil.which('{tool}'))")
        == "None\n"
    )


async def test_root_file_system_cannot_be_written(compose: ComposeStack) -> None:
    identity = (await compose.container("booking"))["Id"]
    with pytest.raises(CommandFailedError, match="Read-only file system"):
        await docker("exec", "--user", "root", identity, "touch", "/app/planted")


async def test_stopped_service_leaves_in_peace_and_comes_back(compose: ComposeStack) -> None:
    await compose.compose("stop", "--timeout", "20", "audit")
    assert (await compose.container("audit"))["State"]["ExitCode"] == 0
    await compose.up()


async def deliver_payment(compose: ComposeStack) -> str:
    event_id = f"evt_{clock.new_id()}"
    response = await compose.deliver.stripe(payment(event_id))
    assert response.status_code == 200, response.text
    return event_id


async def find_entry(compose: ComposeStack, event_id: str) -> dict[str, object] | None:
    response = await compose.http.get(f"{compose.url('audit')}/api/event-log", params={"event_id": event_id})
    response.raise_for_status()
    items = response.json()["items"]
    return items[0] if items else None


def payment(event_id: str) -> dict[str, object]:
    intent = {"id": f"pi_{event_id}", "object": "payment_intent", "amount_received": 100, "currency": "usd"}
    return {
        "id": event_id,
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(clock.now().timestamp()),
        "data": {"object": intent},
    }
