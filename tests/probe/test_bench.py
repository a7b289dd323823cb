"""The bench: where answers are cut is drawn once for all models."""

from collections.abc import Callable

import attrs

from gemproxy.chaos.server import ChaosServer
from gemproxy.probe.bench import Bench
from gemproxy.probe.cutting import Place
from gemproxy.probe.prompts import asking
from tests.probe.fake import fake_gemini

PLACES = (Place.BEFORE_SPACE, (100, 300))


async def test_a_seed_and_a_prompt_decide_about_the_place(
    bench_at: Callable[[ChaosServer], Bench],
) -> None:
    models = ("gemini-9.1-flash", "gemini-9.2-flash")
    async with fake_gemini(models=models) as server:
        one = bench_at(server)
        other = Bench(one.gemini, models[1], one.seed)
        elsewhere = Bench(one.gemini, models[0], seed=7)
        story, tale = asking("Tell me a story."), asking("Tell me a tale.")
        texts = [
            (await bench.break_answer(body, *PLACES)).text
            for bench, body in ((one, story), (other, story), (elsewhere, story), (one, tale))
        ]

    assert texts[0] == texts[1]
    assert len({*texts}) == 3


def test_a_new_bench_knows_nothing() -> None:
    names = [field.name for field in attrs.fields(Bench)]

    assert names[3:] == ["offers_token", "turn"]
