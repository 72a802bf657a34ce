"""Prometheus text: names begin with the service's, and two services live side by side."""

from prometheus_client.parser import text_string_to_metric_families

from chassis.observability.metrics import Metrics


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


def test_what_has_no_labels_is_told_from_the_start() -> None:
    metrics = Metrics("one")
    metrics.seconds("batch_seconds")
    assert exposed(metrics)["one_batch_seconds_count{}"] == 0


def test_counter_and_histogram_have_no_series_of_their_creation() -> None:
    metrics = Metrics("sample")
    metrics.counter("access_refusals").labels("token_missing").inc()
    assert b"_created" not in metrics.expose()
