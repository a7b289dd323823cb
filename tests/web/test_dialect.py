"""The dialect of OpenAI's clients, as the settings have it."""

from collections.abc import Mapping
from typing import Any

import pytest

from gemproxy.routes.parts import PICTURES, PRESENT
from gemproxy.web.dialect import ways_of
from tests.running import StartProxy, settings

NOWHERE = "http://127.0.0.1:9"


def test_the_ways_are_those_of_the_settings() -> None:
    ways = ways_of(
        settings(
            NOWHERE,
            openai={
                "default_model": "gemini-x",
                "aliases": {"gpt-4o": "gemini-y"},
                "model_suffixes": True,
                "markdown_images": True,
            },
            images={"models": ("drawer",)},
            injection={"enabled": True, "content": "Be brief."},
        )
    )

    assert (ways.default_model, ways.aliases) == ("gemini-x", {"gpt-4o": "gemini-y"})
    assert ways.suffixes
    assert ways.markdown
    assert ways.image_models == ("drawer",)
    assert not ways.links
    assert not ways.recalls_all
    assert ways.shaping.injection is not None


def test_links_need_a_storage() -> None:
    images = {"markdown_links": True, "history": "all"}
    without, ways = (
        ways_of(settings(NOWHERE, images=images | kept)) for kept in ({}, {"storage": "memory"})
    )

    assert (without.links, without.markdown) == (False, False)
    assert ways.links
    assert ways.markdown
    assert ways.recalls_all


@pytest.mark.parametrize(("given", "fetches"), [({}, False), ({"fetch_images": True}, True)])
async def test_pictures_are_fetched_only_where_that_is_switched_on(
    proxy: StartProxy, given: Mapping[str, Any], fetches: bool
) -> None:
    running = await proxy(NOWHERE, openai=given)

    assert (PICTURES in running.app) is fetches
    if fetches:
        assert running.app[PICTURES].bounds.seconds == 10.0
    assert running.app[PRESENT].live.ways.default_model == "gemini-2.5-flash"
