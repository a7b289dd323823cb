"""A request for several pictures at the meter: one hold, one row, and the client pays what came."""

import json

import pytest

from gemproxy.accounts.user import User
from tests.drawing import drawn
from tests.metered.conftest import StartProxy
from tests.metered.house import limited, meter_of, rows_of
from tests.pooled.house import projects
from tests.replies import error_reply, replying

MODEL = "gemini-3-pro-image-preview"
PRICES = """
[[models]]
name = "gemini-3-pro-image-preview"
[[models.prices]]
source = "https://prices.test"
checked = 2026-11-28
input = 2
output = 12
output_image = 100
"""
"""A picture is 1290 x 100 + 10 x 2 millionths: 0.12902 dollars."""
PICTURE = 129_020_000
DOLLAR = 1_000_000_000


def asked(route: str, n: int) -> bytes:
    count = "number_of_images" if route == "/generate" else "n"
    return json.dumps({"prompt": "a kelp", "model": MODEL, count: n}).encode()


@pytest.mark.parametrize("route", ["/generate", "/v1/images/generations"])
async def test_a_limited_user_pays_for_the_pictures_that_came(
    front: StartProxy, tmp_path_factory: pytest.TempPathFactory, route: str
) -> None:
    prices = tmp_path_factory.mktemp("prices") / "prices.toml"
    prices.write_text(PRICES)
    users = {"ann": limited(usd_per_day=DOLLAR * 10, rpd=2)}
    async with replying(drawn(), error_reply(400), drawn()) as upstream:
        served, keys = await front(
            upstream.url, users, projects(), accounts={"prices": str(prices)}
        )
        bearer = {"Authorization": f"Bearer {keys['ann']}"}
        answers = [await served.ask(route, asked(route, 3), bearer) for _ in range(2)]
        refused = await served.ask(route, asked(route, 1), bearer)
        first, second = await rows_of(served)

    assert [answer.status for answer in (*answers, refused)] == [200, 200, 429]
    assert (first.cost_nano_usd, first.calls, first.status) == (2 * PICTURE, 3, 200)
    assert (second.cost_nano_usd, second.calls) == (3 * PICTURE, 3)
    assert not meter_of(served).running


async def test_the_hold_is_for_all_pictures_together(
    front: StartProxy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prices = tmp_path_factory.mktemp("prices") / "prices.toml"
    prices.write_text(PRICES)
    users: dict[str, User] = {"ann": limited(usd_per_day=5 * DOLLAR)}
    async with replying(drawn()) as upstream:
        served, keys = await front(
            upstream.url, users, projects(), accounts={"prices": str(prices)}
        )
        bearer = {"Authorization": f"Bearer {keys['ann']}"}
        many = await served.ask("/generate", asked("/generate", 10), bearer)
        one = await served.ask("/generate", asked("/generate", 1), bearer)

    assert (many.status, one.status) == (429, 200), (many.body, one.body)
    assert len(upstream.seen) == 1
