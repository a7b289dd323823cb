"""Who brings the key: the operator, the client, or one beside the other."""

import pytest

from gemproxy.chaos.projects import Project
from tests.pooled.conftest import StartHouse
from tests.pooled.house import ANN, BOB, K1, K2, K3, MODEL, House, projects
from tests.wire import body_of

pytestmark = pytest.mark.production_loop

OWN = "AIzaSyOwn7d404be4a0f8f3e6a51c7d0c9b2e1f4a"
"""A Gemini key of a client, in a project of the client's own."""

GENERATE = f"/v1beta/models/{MODEL}:generateContent"


async def both(house: StartHouse, **pool: object) -> House:
    """Start a house whose fake knows the client's own project, too, and the pool does not."""
    keys = {project.name: list(project.keys) for project in projects()}
    of = [*projects(), Project("own", (OWN,))]
    return await house(of, pool={"mode": "both", "projects": keys, **pool})


async def test_both_kinds_of_clients_are_served_side_by_side(house: StartHouse) -> None:
    started = await both(house)
    for number in range(3):
        for key in (ANN, OWN):
            assert (await started.ask(f"Prompt {number}", key=key)).status == 200

    assert started.keys()[1::2] == [OWN] * 3
    assert {K1, K2, K3} >= set(started.keys()[::2])


async def test_a_clients_own_refusal_is_passed_on_and_teaches_nothing(house: StartHouse) -> None:
    started = await both(house)
    unknown = f"{OWN[:-4]}0000"
    answer = await started.ask(key=unknown)

    assert answer.status == 400
    assert "API key not valid" in answer.error["message"]
    assert [one.key for one in started.cloud.log] == [unknown]
    assert (await started.ask()).status == 200


@pytest.mark.parametrize(
    "wrong", [f"{ANN}0", "gp-mistyped", f"{BOB[:-1]}", "sk-something", "xyzzy"]
)
@pytest.mark.parametrize("place", ["header", "query", "bearer"])
async def test_nothing_else_goes_up(house: StartHouse, wrong: str, place: str) -> None:
    started = await both(house)
    headers = {
        "header": {"x-goog-api-key": wrong},
        "query": {"X-Nothing": "x"},
        "bearer": {"Authorization": f"Bearer {wrong}"},
    }
    query = f"?key={wrong}" if place == "query" else ""
    answer = await started.proxy.ask(f"{GENERATE}{query}", body_of("Hello"), headers[place])

    assert answer.status == 401
    assert wrong not in answer.error["message"]
    assert started.fake.requests == []


async def test_what_the_pool_made_is_not_a_clients_with_its_own_key(house: StartHouse) -> None:
    started = await both(house)
    made = await started.send("POST", "/v1beta/cachedContents", {"model": f"models/{MODEL}"})
    name = made.body.decode().split('"name": "')[1].split('"')[0]

    assert (await started.send("GET", f"/v1beta/{name}", key=OWN)).status == 403
    assert (await started.send("GET", f"/v1beta/{name}")).status == 200
    assert started.cloud.came(OWN)[-1].status == 403


async def test_passthrough_leaves_the_keys_unused(house: StartHouse) -> None:
    started = await house([*projects(), Project("own", (OWN,))], pool={"mode": "passthrough"})

    assert (await started.ask(key=OWN)).status == 200
    assert (await started.ask()).status == 401
    assert [one.key for one in started.cloud.log] == [OWN]
