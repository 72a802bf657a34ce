"""The check that stands behind every number of G1 to G5: each kind of damage is seen."""

import json
from collections import Counter

from bench.gateway_check import Stored, find_violations
from bench.gateway_deliveries import BODY_BYTES, Deliveries, id_in, number_in, tag_in
from bench.gateway_load import NO_ANSWER, NOT_SENT
from chassis import clock
from webhook_gateway.domain.verification import SCHEMES, AcceptedScheme, Verified, verify
from webhook_gateway.domain.verification.keys import Secret

SECRET = "whsec_of_the_benchmark_long_enough"
ALL_GENUINE = Deliveries("00c0ffee", 1_800_000_000)
ONE_IN_TWO = Deliveries("00c0ffee", 1_800_000_000, genuine_every=2)


def stored(deliveries: Deliveries, *numbers: int) -> Stored:
    return Stored(Counter(map(deliveries.event_id, numbers)))


def test_everything_acknowledged_and_there_once_is_correct() -> None:
    assert find_violations([(ALL_GENUINE, [200, 200])], stored(ALL_GENUINE, 0, 1)) == []


def test_a_delivery_without_an_ack_may_be_there_or_not() -> None:
    statuses = [200, 503, NO_ANSWER, NOT_SENT]
    assert find_violations([(ALL_GENUINE, statuses)], stored(ALL_GENUINE, 0, 1, 2)) == []
    assert find_violations([(ALL_GENUINE, statuses)], stored(ALL_GENUINE, 0)) == []


def test_lost_doubled_forged_and_invented_are_told() -> None:
    def found(deliveries: Deliveries, statuses: list[int], *numbers: int) -> list[str]:
        return find_violations([(deliveries, statuses)], stored(deliveries, *numbers))

    assert found(ALL_GENUINE, [200, 200], 0) == ["1 acknowledged and lost"]
    assert found(ALL_GENUINE, [200, 200], 0, 1, 1) == ["1 doubled"]
    assert found(ONE_IN_TWO, [200, 401], 0, 1) == ["1 forged and stored"]
    assert found(ONE_IN_TWO, [200, 200], 0, 1) == ["1 forged and not refused", "1 forged and stored"]
    assert found(ALL_GENUINE, [200, NOT_SENT], 0, 1) == ["1 stored and never sent"]


def test_a_value_that_nobody_sent_is_told() -> None:
    damaged = Stored(Counter([ALL_GENUINE.event_id(0)]), altered=1)
    assert find_violations([(ALL_GENUINE, [200])], damaged) == ["1 with a value that nobody sent"]


def test_a_body_is_json_of_its_size_and_tells_whose_it_is() -> None:
    body = ALL_GENUINE.body(4_711)
    event = json.loads(body)
    assert len(body) == BODY_BYTES
    assert id_in(body) == event["id"] == ALL_GENUINE.event_id(4_711)
    assert (tag_in(event["id"]), number_in(event["id"])) == ("00c0ffee", 4_711)


def test_the_gateway_verifies_the_genuine_ones_and_no_other() -> None:
    now = clock.now()
    deliveries = Deliveries("00c0ffee", int(now.timestamp()), genuine_every=2)
    accepted = (AcceptedScheme(SCHEMES["stripe"], (Secret(SECRET.encode()),)),)
    for number in range(4):
        head, _, body = deliveries.request(number, SECRET.encode()).partition(b"\r\n\r\n")
        lines = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        verdict = verify([(name.lower(), value) for name, value in lines], body, accepted, now)
        assert isinstance(verdict, Verified) == deliveries.is_genuine(number)
