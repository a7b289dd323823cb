"""Many clients at once against each kind of limit: never exceeded, and hardly ever below.

What is refused comes back in words with a wait. When all is over, the ledger has what the fake
reported, to the token.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable

import pytest

from gemproxy.accounts.user import Kind, Limit
from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.script import Script
from gemproxy.ledger.row import Ending
from tests.gemini import documents
from tests.metered.conftest import StartHouse
from tests.metered.house import MeteredHouse, limited
from tests.pooled.house import stream_of
from tests.wire import Answer, body_of

pytestmark = pytest.mark.production_loop

CROWD = 200
SHORT = Script(Told("Well."))
THIRTY = Script(Told("A word of four " * 8))
"""An answer of 30 tokens, as the fake counts them."""


async def crowd(
    at: MeteredHouse, size: int = CROWD, name: str = "ann", *, output: int = 0
) -> list[Answer]:
    """Have that many clients ask at once, for at most ``output`` tokens if that is given."""
    key, target = at.people[name], stream_of()
    config = {"generationConfig": {"maxOutputTokens": output}} if output else {}
    documents = ({**json.loads(body_of(f"Prompt {n:03}")), **config} for n in range(size))
    return await asyncio.gather(*(at.send("POST", target, one, key=key) for one in documents))


def statuses(answers: Iterable[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def reported(answers: Iterable[Answer]) -> tuple[int, int]:
    """Return the prompt and output tokens that the clients of whole answers were shown."""
    usages = [documents(one.body)[-1]["usageMetadata"] for one in answers if one.status == 200]
    return (
        sum(usage["promptTokenCount"] for usage in usages),
        sum(usage.get("candidatesTokenCount", 0) for usage in usages),
    )


async def assert_agrees(at: MeteredHouse, answers: list[Answer]) -> None:
    """Assert that the ledger has the admitted requests, and what the fake reported for them."""
    rows = await at.rows()
    sums = sum(row.input_tokens for row in rows), sum(row.output_tokens for row in rows)

    assert len(rows) == len(at.came()) == statuses(answers)[200]
    assert sums == reported(answers)
    assert {row.ending for row in rows} <= {Ending.DONE}


def assert_refused_in_words(answers: Iterable[Answer], *words: str) -> None:
    for answer in answers:
        if answer.status != 200:
            assert answer.status == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 31 * 86_400
            for word in words:
                assert word in answer.error["message"]
            assert answer.error["status"] == "RESOURCE_EXHAUSTED"
            kinds = [detail["@type"].rpartition(".")[2] for detail in answer.error["details"]]
            assert sorted(kinds) == ["RequestInfo", "RetryInfo"]
            assert any("ratelimit" in name.lower() for name in answer.headers)


async def test_fifty_a_minute_of_two_hundred_at_once(house: StartHouse) -> None:
    at = await house({"ann": limited(rpm=50)}, SHORT, latency=0.3)
    answers = await crowd(at)

    assert statuses(answers) == {200: 50, 429: 150}
    assert len(at.came()) == 50
    for answer in answers:
        if answer.status == 429:
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
            assert answer.headers["x-ratelimit-limit-requests"] == "50"
            assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert_refused_in_words(answers, "ann", "50")
    await assert_agrees(at, answers)


async def test_fifty_a_day_of_two_hundred_at_once(house: StartHouse) -> None:
    at = await house({"ann": limited(rpd=50)}, SHORT)
    answers = await crowd(at)

    assert statuses(answers) == {200: 50, 429: 150}
    await assert_agrees(at, answers)


async def test_ten_at_once(house: StartHouse) -> None:
    at = await house({"ann": limited(concurrency=10)}, SHORT, latency=0.5)
    answers = await crowd(at)

    assert statuses(answers)[200] >= 10
    assert statuses(answers)[500] == 0
    assert at.most_at_once <= 10
    await assert_agrees(at, answers)
    assert statuses(await crowd(at, 10)) == {200: 10}


async def test_tokens_a_day_are_held_by_estimates_and_given_back(house: StartHouse) -> None:
    """The estimate is 400 of output and a little of input, so two fit into 1,000."""
    at = await house({"ann": limited(tokens_per_day=1000)}, THIRTY, latency=0.3)
    answers = await crowd(at, 20, output=400)

    assert statuses(answers) == {200: 2, 429: 18}
    assert at.most_at_once <= 2
    assert_refused_in_words(answers, "1000 tokens per day")
    spent = sum(reported(answers))
    again = await crowd(at, 20, output=400)
    assert statuses(again)[200] == 2
    assert sum(reported([*answers, *again])) == spent * 2
    await assert_agrees(at, [*answers, *again])


@pytest.mark.parametrize("kind", [Kind.TOKENS_PER_DAY, Kind.TOKENS_PER_MONTH, Kind.TPM])
async def test_tokens_are_never_exceeded_and_spent_but_for_one_estimate(
    house: StartHouse, kind: Kind
) -> None:
    most, output = 3000, 100
    at = await house({"ann": limited(Limit(kind, most))}, THIRTY)
    got: list[Answer] = []
    for _ in range(4):  # a refused client comes again when others have given back what they held
        got += await crowd(at, CROWD // 4, output=output)
    while True:
        (last,) = await crowd(at, 1, output=output)
        got.append(last)
        if last.status != 200:
            break
    spent = sum(reported(got))

    assert most - (output + 50) < spent <= most
    assert statuses(got).keys() == {200, 429}
    await assert_agrees(at, got)


async def test_money_is_never_exceeded_and_spent_but_for_one_estimate(house: StartHouse) -> None:
    """A request of at most 100 tokens of output costs up to 0.0008 USD, and 0.00024 in the end."""
    most = 20_000_000
    at = await house({"ann": limited(usd_per_day=most)}, THIRTY)
    got: list[Answer] = []
    while not got or got[-1].status == 200:
        got += await crowd(at, 40, output=100)
        got += await crowd(at, 1, output=100)
    rows = await at.rows()
    spent = sum(row.cost_nano_usd or 0 for row in rows)

    assert most - 900_000 < spent <= most
    assert_refused_in_words(got, "$0.02 per day")
    await assert_agrees(at, got)


async def test_each_user_has_limits_of_its_own(house: StartHouse) -> None:
    at = await house({"ann": limited(rpm=5), "bob": limited(rpm=7)}, SHORT)
    ann, bob = await asyncio.gather(crowd(at, 20, "ann"), crowd(at, 20, "bob"))

    assert (statuses(ann)[200], statuses(bob)[200]) == (5, 7)


async def test_a_limit_in_shadow_refuses_nobody(house: StartHouse) -> None:
    at = await house({"ann": limited(Limit(Kind.RPM, 5, shadow=True))}, SHORT)

    assert statuses(await crowd(at, 20)) == {200: 20}


async def test_a_limit_of_one_model_leaves_the_others(house: StartHouse) -> None:
    at = await house({"ann": limited(Limit(Kind.RPM, 2, "gemini-3.5-flash"))}, SHORT)
    key = at.people["ann"]
    one = [await at.ask(f"a{n}", key=key) for n in range(3)]
    other = [await at.ask(f"b{n}", key=key, model="gemini-2.5-flash") for n in range(3)]

    assert [answer.status for answer in one + other] == [200, 200, 429, 200, 200, 200]


async def test_what_would_never_fit_is_refused_and_never_shrunk(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=1000)}, SHORT)
    (answer,) = await crowd(at, 1, output=5000)

    assert answer.status == 429
    assert at.came() == []


async def test_an_answer_is_bounded_where_the_request_names_no_bound(house: StartHouse) -> None:
    at = await house(
        {"ann": limited(tokens_per_day=1000), "bob": limited(rpm=9)},
        SHORT,
        accounts={"max_output_tokens": 300},
    )
    for name in ("ann", "bob"):
        assert (await at.ask(key=at.people[name])).status == 200
    sent = [json.loads(one.body) for one in at.fake.requests]

    assert [one.get("generationConfig") for one in sent] == [{"maxOutputTokens": 300}, None]
