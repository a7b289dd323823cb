"""The program that measures the cost of tracing renders what it says."""

from bench.tracing import UPSTREAM, exchange_of, ours, stock, timed


def test_both_ways_trace_the_same_requests() -> None:
    own, batch = ours()
    exchanges = [exchange_of(number) for number in range(300)]

    assert timed(own, exchanges) > 0
    request, attempt = batch.last[:2]
    assert (request.attributes or {})["gemproxy.attempts"] == 1
    assert (attempt.attributes or {})["server.address"] == UPSTREAM.address
    assert (attempt.attributes or {})["gen_ai.usage.output_tokens"] == 40
    assert timed(stock(batch.last[:2]), exchanges[:5]) > 0
