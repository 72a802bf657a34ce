from dataclasses import dataclass, field

import pytest

from harness.choice import ChoiceError, choose

EXTERNAL = {"INFRA": "external", "KAFKA_BOOTSTRAP": "k:1", "POSTGRES_ADMIN_DSN": "postgresql://p"}


@dataclass
class Engine:
    no_engine: str = ""
    not_pulled: dict[str, str] = field(default_factory=dict)

    def why_no_engine(self) -> str:
        return self.no_engine

    def why_not_pulled(self, image: str) -> str:
        return self.not_pulled.get(image, "")


GOOD = Engine()
ABSENT = Engine(no_engine="connection refused")
WITHOUT_IMAGES = Engine(not_pulled={"postgres:18": "no route to the registry"})


def test_unset_with_engine_and_images_takes_containers() -> None:
    assert choose({}, GOOD).kind == "containers"


@pytest.mark.parametrize(
    ("engine", "reason"), [(ABSENT, "connection refused"), (WITHOUT_IMAGES, "no route to the registry")]
)
def test_unset_without_containers_takes_embedded_and_says_why(engine: Engine, reason: str) -> None:
    choice = choose({}, engine)
    assert choice.kind == "embedded"
    assert reason in str(choice)


@pytest.mark.parametrize(
    ("environ", "kind"),
    [({"INFRA": "embedded"}, "embedded"), ({"INFRA": "containers"}, "containers"), (EXTERNAL, "external")],
)
def test_set_is_what_is_taken(environ: dict[str, str], kind: str) -> None:
    assert choose(environ, GOOD).kind == kind


@pytest.mark.parametrize("engine", [ABSENT, WITHOUT_IMAGES])
def test_containers_asked_for_but_not_to_be_had_is_refused_and_never_replaced(engine: Engine) -> None:
    with pytest.raises(ChoiceError, match="INFRA=containers: "):
        choose({"INFRA": "containers"}, engine)


def test_external_without_its_addresses_is_refused_naming_them() -> None:
    with pytest.raises(ChoiceError, match="KAFKA_BOOTSTRAP and POSTGRES_ADMIN_DSN"):
        choose({"INFRA": "external"}, GOOD)


def test_unknown_word_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ChoiceError, match="embedded, containers, external"):
        choose({"INFRA": "docker"}, GOOD)
