"""The gen_ai metrics: names, buckets, tokens, and what bounds their attributes."""

from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.metrics.export import AggregationTemporality, Metric, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from gemproxy.core.answer.usage import Billed
from gemproxy.tracing.attempts import Served, attempts_of
from gemproxy.tracing.totals import OTHER, SECONDS, TOKENS, Totals
from tests.tracing.records import UPSTREAM, entry, served, stream_result, three_attempts

NEW = "gen_ai.client.inference"


def totals(**choices: Any) -> Totals:
    base: Mapping[str, str | int] = {"gen_ai.provider.name": "gcp.gemini", "server.port": 443}
    return Totals(Resource({}), InstrumentationScope("gemproxy"), base, **choices)


def observe(into: Totals, of: Served) -> None:
    for attempt in attempts_of(of, UPSTREAM):
        into.observe(attempt)


def metrics(data: MetricsData | None) -> dict[str, Metric]:
    assert data is not None
    return {found.name: found for found in data.resource_metrics[0].scope_metrics[0].metrics}


def points(metric: Metric) -> list[Any]:
    return list(metric.data.data_points)


def one_stream(used: Billed) -> Served:
    return served(entry(1.0, 2.0, usage=used, first=1.25), result=stream_result(used))


def by_modality(metric: Metric) -> dict[str, int]:
    return {one.attributes["gen_ai.token.modality"]: one.value for one in points(metric)}


def test_the_buckets_are_those_of_the_conventions() -> None:
    assert SECONDS[:2] == (0.01, 0.02)
    assert SECONDS[-1] == 81.92
    assert (TOKENS[0], TOKENS[1], TOKENS[-1]) == (1, 4, 67108864)


def test_a_stream_by_the_names_of_today() -> None:
    made = totals()
    observe(made, one_stream(Billed(prompt=12, output=30, thoughts=5, total=47, cached=8)))
    found = metrics(made.take())

    assert found.keys() == {
        f"{NEW}.duration",
        f"{NEW}.time_to_first_chunk",
        f"{NEW}.usage.input_tokens",
        f"{NEW}.usage.output_tokens",
        f"{NEW}.usage.cache_read.input_tokens",
        f"{NEW}.usage.reasoning.output_tokens",
        f"{NEW}.operation.input_tokens",
        f"{NEW}.operation.output_tokens",
    }
    (duration,) = points(found[f"{NEW}.duration"])
    assert (duration.count, duration.sum, duration.min, duration.max) == (1, 1.0, 1.0, 1.0)
    assert duration.bucket_counts[SECONDS.index(1.28)] == 1
    assert duration.attributes == {
        "gen_ai.provider.name": "gcp.gemini",
        "server.port": 443,
        "gen_ai.operation.name": "generate_content",
        "gen_ai.request.model": "gemini-x",
    }
    assert points(found[f"{NEW}.time_to_first_chunk"])[0].sum == 0.25
    assert by_modality(found[f"{NEW}.usage.input_tokens"]) == {"text": 12}
    assert by_modality(found[f"{NEW}.usage.output_tokens"]) == {"text": 35}
    assert by_modality(found[f"{NEW}.usage.cache_read.input_tokens"]) == {"text": 8}
    assert by_modality(found[f"{NEW}.usage.reasoning.output_tokens"]) == {"text": 5}
    assert points(found[f"{NEW}.operation.output_tokens"])[0].sum == 35


def test_tokens_are_split_by_modality() -> None:
    made = totals()
    used = Billed(prompt=100, audio=30, images=20, video=10, output=50, image_output=40, total=150)
    observe(made, one_stream(used))
    found = metrics(made.take())

    asked = {"text": 40, "image": 20, "audio": 30, "video": 10}
    assert by_modality(found[f"{NEW}.usage.input_tokens"]) == asked
    assert by_modality(found[f"{NEW}.usage.output_tokens"]) == {"text": 10, "image": 40}


def test_attempts_that_failed_count_with_their_error_and_no_tokens() -> None:
    made = totals()
    observe(made, served(entry(status=503), ending="failed"))
    found = metrics(made.take())

    (duration,) = points(found[f"{NEW}.duration"])
    assert duration.attributes["error.type"] == "503"
    assert by_modality(found[f"{NEW}.usage.input_tokens"]) == {"unknown": 0}
    (asked,) = points(found[f"{NEW}.operation.input_tokens"])
    assert (asked.count, asked.sum, asked.attributes["error.type"]) == (1, 0, "503")


def test_the_sum_over_three_attempts_is_what_they_cost_once() -> None:
    made = totals(conventions="both")
    observe(made, three_attempts())
    found = metrics(made.take())

    assert by_modality(found[f"{NEW}.usage.input_tokens"])["text"] == 18
    assert by_modality(found[f"{NEW}.usage.output_tokens"])["text"] == 45
    by_type = {
        one.attributes["gen_ai.token.type"]: one.sum
        for one in points(found["gen_ai.client.token.usage"])
    }
    assert by_type == {"input": 18, "output": 45}


def test_the_names_of_before() -> None:
    made = totals(conventions="old")
    observe(made, one_stream(Billed(prompt=12, output=30, total=42)))
    found = metrics(made.take())

    assert found.keys() == {
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.client.token.usage",
    }
    first = points(found["gen_ai.client.token.usage"])[0]
    assert first.attributes["gen_ai.system"] == "gcp.gemini"
    assert tuple(first.explicit_bounds) == TOKENS


def test_embeddings_have_metrics_of_their_own() -> None:
    made = totals()
    path = "/v1beta/models/gemini-embedding-001:embedContent"
    observe(made, served(entry(usage=Billed(prompt=7, total=7)), family="compute", path=path))
    found = metrics(made.take())

    assert found.keys() == {
        "gen_ai.client.embeddings.duration",
        "gen_ai.client.embeddings.operation.input_tokens",
    }


def test_invented_models_share_a_name_and_an_answered_one_has_its_own() -> None:
    made = totals()
    for number in range(300):
        path = f"/v1beta/models/invented-{number}:streamGenerateContent"
        observe(made, served(entry(status=404), path=path, ending="failed"))
    observe(made, one_stream(Billed(prompt=1, total=1)))
    found = metrics(made.take())

    models = {one.attributes["gen_ai.request.model"] for one in points(found[f"{NEW}.duration"])}
    assert len(models) == 102
    assert {OTHER, "gemini-x"} < models


def test_figures_are_of_all_time_or_of_the_time_since_the_last_ones() -> None:
    counts = {}
    for delta in (False, True):
        made = totals(delta=delta)
        observe(made, one_stream(Billed(prompt=1, total=1)))
        first = metrics(made.take())[f"{NEW}.duration"]
        observe(made, one_stream(Billed(prompt=1, total=1)))
        second = metrics(made.take())[f"{NEW}.duration"]
        counts[getattr(first.data, "aggregation_temporality", None)] = (
            points(first)[0].count,
            points(second)[0].count,
        )

    assert counts == {
        AggregationTemporality.CUMULATIVE: (1, 2),
        AggregationTemporality.DELTA: (1, 1),
    }


def test_nothing_is_taken_where_nothing_was_observed() -> None:
    assert totals().take() is None


def test_what_was_taken_stays_as_it_is() -> None:
    made = totals()
    observe(made, one_stream(Billed(prompt=1, total=1)))
    taken = metrics(made.take())
    observe(made, one_stream(Billed(prompt=1, total=1)))

    assert points(taken[f"{NEW}.duration"])[0].count == 1
