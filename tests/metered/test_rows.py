"""The row of a request, the line in the log and the usage that the client is shown agree."""

import json
from typing import Any

import pytest

from gemproxy.accounts.user import User
from gemproxy.chaos.answers import Answer as Told
from gemproxy.chaos.faults import Fault, Kind, event
from gemproxy.chaos.projects import Project
from gemproxy.chaos.refusals import OVERLOADED
from gemproxy.chaos.repertoire import BUILT_IN
from gemproxy.chaos.script import Script
from gemproxy.ledger.row import Ending, Row
from gemproxy.pool.key import fingerprint
from tests.faults.upstreams import SSE_HEAD, request
from tests.gemini import chunk as answer_of
from tests.gemini import documents, sse
from tests.metered.conftest import StartHouse, StartProxy
from tests.metered.house import limited, queries_of, rows_of
from tests.pooled.house import K1, K2, K3, MODEL, access, stream_of
from tests.running import AccessLog
from tests.sockets import END, Reader, Writer, chunk, scripted
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

PROJECTS = [Project("P1", (K1,)), Project("P2", (K2,)), Project("P3", (K3,))]
BEGUN = "The keeper of the lighthouse counted the ships on the water."
REST = " Then he wrote all of their names down in his book."
BUSY = json.dumps(
    {"error": {"code": 429, "message": "Too many.", "status": "RESOURCE_EXHAUSTED"}}
).encode()
FIGURES = (
    *("input_tokens", "cached_tokens", "output_tokens", "thought_tokens"),
    *("extra_input_tokens", "extra_output_tokens", "cost_nano_usd", "operator_cost_nano_usd"),
)


class Thrice:
    """An upstream whose first key is out of quota, whose second breaks off, whose third goes on."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, reader: Reader, writer: Writer) -> None:
        while True:
            await request(reader)
            self.asked += 1
            if self.asked == 1:
                head = b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\n"
                writer.write(head + b"Content-Length: %d\r\n\r\n" % len(BUSY) + BUSY)
            elif self.asked == 2:
                writer.write(SSE_HEAD + chunk(sse(answer_of(BEGUN, usage=(10, 5)))))
                await writer.drain()
                writer.transport.abort()
                return
            else:
                last = answer_of(REST, finish="STOP", usage=(16, 4), response_id="second")
                writer.write(SSE_HEAD + chunk(sse(last)) + END)


def figures(row: Row) -> dict[str, Any]:
    return {name: getattr(row, name) for name in FIGURES}


async def test_three_attempts_are_one_request_of_the_user(
    front: StartProxy, access_log: AccessLog
) -> None:
    async with scripted(Thrice()) as url:
        proxy, keys = await front(str(url), {"ann": limited(rpd=2)}, PROJECTS)
        answer = await proxy.ask(stream_of(), headers=access(keys["ann"]))
        usage = documents(answer.body)[-1]["usageMetadata"]
        (row,) = await rows_of(proxy)
        line = await access_log.line()

    assert (answer.status, answer.text) == (200, BEGUN + REST)
    assert (usage["promptTokenCount"], usage["candidatesTokenCount"]) == (10, 9)
    assert (row.attempts, row.repairs, row.ending) == (3, 1, Ending.DONE)
    assert figures(row) == {
        "input_tokens": 10,
        "cached_tokens": 0,
        "output_tokens": 9,
        "thought_tokens": 0,
        "extra_input_tokens": 16,
        "extra_output_tokens": 0,
        "cost_nano_usd": 82_000,
        "operator_cost_nano_usd": 16_000,
    }
    assert {name: line[name] for name in FIGURES} == figures(row)
    assert row.characters == len(BEGUN + REST)
    assert not row.estimated
    assert answer.headers["x-ratelimit-remaining-requests"] == "1"


async def test_each_attempt_is_kept_with_its_key(front: StartProxy) -> None:
    async with scripted(Thrice()) as url:
        proxy, keys = await front(str(url), {"ann": User("", "")}, PROJECTS)
        await proxy.ask(stream_of(), headers=access(keys["ann"]))
        (row,) = await rows_of(proxy)
        (full,) = await queries_of(proxy).request(row.request_id)

    statuses = [one.status for one in full.tries]
    assert statuses == [429, 200, 200]
    assert [one.cause for one in full.tries] == ["status", "drop", ""]
    assert [(one.form, one.anchor > 0) for one in full.tries] == [
        *(("", False), ("", False), ("echo", True)),
    ]
    assert [one.characters for one in full.tries] == [0, len(BEGUN), len(REST)]
    assert [(one.how, one.answered_ms is not None) for one in full.tries[1:]] == [
        *(("reset", True), ("eof", True)),
    ]
    assert full.tries[0].began_ms <= full.tries[1].began_ms <= full.tries[2].began_ms
    assert {one.key for one in full.tries} == {fingerprint(key) for key in (K1, K2, K3)}
    assert (full.tries[-1].key, full.project) == (row.key, row.project)
    assert row.project in {"P1", "P2", "P3"}


async def test_a_blocked_prompt_costs_its_input(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=9000)}, Script(Told(block="SAFETY")))
    answer = await at.ask("Something else", key=at.people["ann"])
    (row,) = await at.rows()
    (shown,) = documents(answer.body)

    assert row.ending is Ending.DONE
    assert row.input_tokens == shown["usageMetadata"]["promptTokenCount"] > 0
    assert (row.output_tokens, row.cost_nano_usd) == (0, row.input_tokens * 1000)


async def test_what_failed_before_anything_came_costs_nothing_but_counts(
    house: StartHouse,
) -> None:
    at = await house({"ann": limited(rpd=2, tokens_per_day=9000)})
    at.cloud.refuse("*", OVERLOADED)
    key = at.people["ann"]
    first = await at.ask(key=key)
    at.cloud.heal()
    second, third = await at.ask(key=key), await at.ask(key=key)
    rows = await at.rows()

    assert first.status == 503
    assert (second.status, third.status) == (200, 429)
    assert [row.ending for row in rows] == [Ending.FAILED, Ending.DONE]
    assert (rows[0].input_tokens, rows[0].output_tokens, rows[0].cost_nano_usd) == (0, 0, 0)
    assert rows[0].attempts >= 1


async def test_a_stream_that_died_is_charged_for_what_came(house: StartHouse) -> None:
    script = Script(BUILT_IN["story"], [Fault(Kind.RST, event(9))])
    at = await house({"ann": User("", "")}, script, repair={"enabled": False})
    await at.ask(key=at.people["ann"])
    (row,) = await at.rows()

    assert row.ending is Ending.FAILED
    assert row.input_tokens > 0
    assert 0 < row.output_tokens < len(BUILT_IN["story"].text) / 4
    assert row.characters > 0


async def test_a_model_without_a_price_is_refused_under_a_limit_on_money(
    house: StartHouse,
) -> None:
    at = await house({"ann": limited(usd_per_day=10**9), "bob": limited(rpd=5)})
    refused = await at.ask(key=at.people["ann"], model="gemini-9-x")
    served = await at.ask(key=at.people["bob"], model="gemini-9-x")
    (row,) = await at.rows()

    assert refused.status == 403
    assert "gemini-9-x" in refused.error["message"]
    assert served.status == 200
    assert (row.cost_nano_usd, row.operator_cost_nano_usd) == (None, None)
    assert row.output_tokens > 0


async def test_a_model_without_a_price_may_be_allowed(house: StartHouse) -> None:
    at = await house({"ann": limited(usd_per_day=10**9)}, accounts={"unpriced": "allow"})

    assert (await at.ask(key=at.people["ann"], model="gemini-9-x")).status == 200


@pytest.mark.parametrize(
    ("target", "document", "route", "dialect"),
    [
        (f"/v1beta/models/{MODEL}:generateContent", {}, "generate", "gemini"),
        (f"/v1beta/models/{MODEL}:streamGenerateContent", {}, "stream", "gemini"),
        (f"/v1beta/models/{MODEL}:streamGenerateContent?alt=proto", {}, "stream", "gemini"),
        (f"/v1beta/models/{MODEL}:countTokens", {}, "compute", "gemini"),
        ("/v1beta/interactions", {"model": MODEL, "input": "Hi"}, "interactions", "interactions"),
        (
            "/v1beta/interactions",
            {"model": MODEL, "input": "Hi", "stream": True},
            "interactions",
            "interactions",
        ),
        (
            "/v1beta/openai/chat/completions",
            {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]},
            "passthrough",
            "openai",
        ),
    ],
)
@pytest.mark.parametrize("user", [User("", ""), limited(rpd=9, tokens_per_day=900_000)])
async def test_every_route_to_a_model_has_one_row(
    house: StartHouse, target: str, document: dict[str, Any], route: str, dialect: str, user: User
) -> None:
    at = await house({"ann": user})
    body = document or json.loads(body_of("Hello"))
    answer = await at.send("POST", target, body, key=at.people["ann"])
    (row,) = await at.rows()

    assert (row.route, row.dialect, row.model) == (route, dialect, MODEL)
    assert (row.user, row.attempts) == ("ann", 1)
    assert (row.status, row.ending is Ending.DONE) == (answer.status, answer.status == 200)
    assert row.duration_ms is not None
    if answer.status == 200:
        assert row.first_byte_ms is not None


async def test_a_unary_call_by_way_of_a_stream_is_one_request(house: StartHouse) -> None:
    at = await house({"ann": limited(tokens_per_day=99_000)}, repair={"unary_via_stream": True})
    answer = await at.send(
        "POST",
        f"/v1beta/models/{MODEL}:generateContent",
        json.loads(body_of("Hello")),
        key=at.people["ann"],
    )
    (row,) = await at.rows()
    usage = json.loads(answer.body)["usageMetadata"]

    assert (row.attempts, row.ending) == (1, Ending.DONE)
    assert row.output_tokens == usage["candidatesTokenCount"]
    assert json.loads(at.fake.requests[-1].body)["generationConfig"] == {"maxOutputTokens": 8192}


async def test_files_and_lists_have_no_row(house: StartHouse) -> None:
    at = await house({"ann": limited(rpd=1)})
    for _ in range(3):
        assert (await at.send("GET", "/v1beta/models", key=at.people["ann"])).status == 200

    assert await at.rows() == []


async def test_another_model_than_the_allowed_ones_is_refused(house: StartHouse) -> None:
    at = await house({"ann": limited(models=("gemini-2.5-flash",))})
    key = at.people["ann"]
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    answers = [
        await at.ask(key=key),
        await at.send("POST", "/v1beta/openai/chat/completions", body, key=key),
        await at.send("POST", "/v1beta/interactions", {"model": MODEL, "input": "x"}, key=key),
        await at.ask(key=key, model="gemini-2.5-flash"),
    ]

    assert [answer.status for answer in answers] == [403, 403, 403, 200]
    assert len(await at.rows()) == 1


@pytest.mark.parametrize(
    "target",
    [f"/v1beta/models/{MODEL}:batchGenerateContent", "/v1beta/openai/batches"],
)
async def test_a_batch_is_refused_under_a_limit_on_tokens(house: StartHouse, target: str) -> None:
    at = await house({"ann": limited(tokens_per_day=9000)})
    answer = await at.send("POST", target, {"batch": {}}, key=at.people["ann"])

    assert (answer.status, answer.error["status"]) == (403, "PERMISSION_DENIED")
    assert "batch" in answer.error["message"].lower()


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"agent": "deep-research", "input": "x"}, 403),
        ({"model": MODEL, "input": "x", "background": True}, 403),
        ({"model": MODEL, "input": "x", "background": True, "stream": True}, 200),
        ({"model": MODEL, "input": "x"}, 200),
    ],
)
async def test_an_interaction_must_be_bounded_under_a_limit_on_tokens(
    house: StartHouse, document: dict[str, Any], status: int
) -> None:
    at = await house({"ann": limited(tokens_per_day=90_000), "bob": limited(rpd=9)})
    with_limit = await at.send("POST", "/v1beta/interactions", document, key=at.people["ann"])
    without = await at.send("POST", "/v1beta/interactions", document, key=at.people["bob"])

    assert with_limit.status == status
    assert without.status != 403


@pytest.mark.parametrize("body", [b"", b"{", b'{"contents":[],"contents":[]}', b"[]"])
async def test_a_body_that_can_be_read_in_two_ways_is_refused_under_a_limit_on_tokens(
    house: StartHouse, body: bytes
) -> None:
    at = await house({"ann": limited(tokens_per_day=90_000)})
    answer = await at.send("POST", stream_of(), body, key=at.people["ann"])

    assert answer.status == 400
    assert at.came() == []


async def test_clients_with_their_own_keys_have_rows_without_a_user(house: StartHouse) -> None:
    own = "AIzaSyOwn7d404be4a0f8f3e6a51c7d0c9b2e1f4a"
    at = await house(
        {"ann": User("", "")},
        of=[*PROJECTS, Project("own", (own,))],
        pool={"mode": "both", "projects": {"P1": [K1]}},
    )
    assert (await at.ask(key=own)).status == 200
    (row,) = await at.rows()

    assert (row.user, row.key, row.project) == ("", "", "")
    assert row.output_tokens > 0


async def test_a_row_says_whether_the_operators_prompt_was_in_the_request(
    house: StartHouse,
) -> None:
    prompt = {"enabled": True, "content": "Be brief.", "allow_opt_out": True}
    at = await house({"ann": limited(tokens_per_day=90_000)}, injection=prompt)
    off, key = {"X-Gemproxy-Injection": "off"}, at.people["ann"]
    asked = {"contents": [{"parts": [{"text": "Hi."}]}]}
    chat = {"model": MODEL, "messages": [{"role": "user", "content": "Hi."}]}

    await at.send("POST", stream_of(), asked, key=key)
    await at.send("POST", f"/v1beta/models/{MODEL}:generateContent", asked, key=key)
    await at.send("POST", "/v1/chat/completions", chat, key=key)
    await at.send("POST", f"/v1beta/models/{MODEL}:countTokens", asked, key=key)
    await at.send("POST", stream_of(), asked, key=key, headers=off)
    rows = await at.rows()

    assert [row.injected for row in rows] == [True, True, True, False, False]
    assert rows[0].input_tokens > rows[-1].input_tokens
