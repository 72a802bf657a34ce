"""Prometheus text: names begin with the service's, and two services live side by side."""

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from chassis.observability.metrics import SECONDS_BUCKETS, Metrics

VALUES = st.sampled_from(["a", "b", 'quoted "c"'])
SECONDS = st.sampled_from([0.0, *SECONDS_BUCKETS, 11.5]) | st.floats(0, 20)


def samples(text: bytes) -> dict[str, float]:
    return {
        sample.name + str(dict(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def exposed(metrics: Metrics) -> dict[str, float]:
    return samples(metrics.expose())


def test_names_begin_with_the_service_and_end_in_their_unit() -> None:
    metrics = Metrics("webhook-gateway")
    metrics.counter("messages_handled").labels("a", "applied").inc(3)
    metrics.gauge("outbox_owned_shards").set(16)
    metrics.seconds("batch_seconds").observe(0.3)
    found = exposed(metrics)
    labels = "{'outcome': 'applied', 'topic': 'a'}"
    assert found["webhook_gateway_messages_handled_total" + labels] == 3
    assert found["webhook_gateway_outbox_owned_shards{}"] == 16
    assert found["webhook_gateway_batch_seconds_sum{}"] == 0.3
    assert found["webhook_gateway_batch_seconds_bucket{'le': '0.25'}"] == 0
    assert found["webhook_gateway_batch_seconds_bucket{'le': '0.5'}"] == 1


def test_two_services_in_one_process_do_not_clash() -> None:
    one, two = Metrics("one"), Metrics("two")
    one.counter("outbox_published").inc()
    two.counter("outbox_published")
    assert exposed(one)["one_outbox_published_total{}"] == 1
    assert exposed(two)["two_outbox_published_total{}"] == 0
    assert not any(name.startswith("one_") for name in exposed(two))


def test_process_itself_is_measured() -> None:
    assert exposed(Metrics("one"))["process_resident_memory_bytes{}"] > 0


@given(st.lists(st.tuples(VALUES, VALUES)))
def test_tally_says_what_a_counter_of_the_library_says(counted: list[tuple[str, str]]) -> None:
    registry, metrics = CollectorRegistry(), Metrics("one")
    counter = Counter("one_unverified", "Things", ("source", "reason"), registry=registry)
    tally = metrics.tally("unverified")
    for values in counted:
        counter.labels(*values).inc()
        tally.count(*values)
    assert told_of("one_unverified", exposed(metrics)) == told_of(
        "one_unverified", samples(generate_latest(registry))
    )


@given(st.lists(st.tuples(SECONDS, VALUES)))
@example([(bound, "a") for bound in SECONDS_BUCKETS])
def test_durations_say_what_a_histogram_of_the_library_says(measured: list[tuple[float, str]]) -> None:
    registry, metrics = CollectorRegistry(), Metrics("one")
    histogram = Histogram(
        "one_http_request_seconds", "Time", ("route",), buckets=SECONDS_BUCKETS, registry=registry
    )
    durations = metrics.seconds("http_request_seconds")
    for seconds, value in measured:
        histogram.labels(value).observe(seconds)
        durations.observe(seconds, value)
    assert told_of("one_http_request_seconds", exposed(metrics)) == told_of(
        "one_http_request_seconds", samples(generate_latest(registry))
    )


def test_what_has_no_labels_is_told_from_the_start() -> None:
    metrics = Metrics("one")
    metrics.seconds("batch_seconds")
    assert exposed(metrics)["one_batch_seconds_count{}"] == 0


def told_of(name: str, found: dict[str, float]) -> dict[str, float]:
    """Without the time of creation, of which only the library tells."""
    return {
        key: value
        for key, value in found.items()
        if key.startswith(name) and not key.startswith(f"{name}_created")
    }


def test_expected_count_is_told_before_the_first() -> None:
    metrics = Metrics("gateway")
    tally = metrics.tally("requests")
    name = "gateway_requests_total{'outcome': 'verified', 'source': 'stripe'}"
    tally.expect("stripe", "verified")
    assert exposed(metrics)[name] == 0
    tally.count("stripe", "verified")
    tally.expect("stripe", "verified")
    assert exposed(metrics)[name] == 1
