"""The dialect of OpenAI's clients and the relay for pictures, from the settings."""

from collections.abc import AsyncIterator

from aiohttp import web

from gemproxy.accounts.gate import Gate, share
from gemproxy.config.settings import Settings
from gemproxy.fetching.pictures import Bounds, open_pictures
from gemproxy.openai.image_requests import Studio
from gemproxy.openai.request import Ways
from gemproxy.routes.parts import PICTURES
from gemproxy.web.shaping import shaping_of


def ways_of(settings: Settings) -> Ways:
    """Return how chat requests are translated."""
    openai, images = settings.openai, settings.images
    links = images.markdown_links and bool(images.storage)
    return Ways(
        default_model=openai.default_model,
        aliases=openai.aliases,
        suffixes=openai.model_suffixes,
        shaping=shaping_of(settings),
        image_models=tuple(images.models),
        markdown=openai.markdown_images or links,
        links=links,
        recalls_all=images.history == "all",
    )


def studio_of(settings: Settings) -> Studio:
    """Return how requests for pictures are translated."""
    images = settings.images
    return Studio(
        default_model=images.default_model,
        aliases=settings.openai.aliases,
        image_models=tuple(images.models),
        links=bool(images.storage),
        relay_links=bool(images.storage) and images.response == "url",
        seconds=images.timeout_seconds,
    )


def gate_of(settings: Settings) -> Gate:
    """Return what bounds the requests to the relay."""
    return Gate(most_of_gate(settings), "requests to /generate")


def most_of_gate(settings: Settings) -> int:
    """Return how many requests to the relay a minute may have; several workers share them out."""
    return share(settings.images.rate_per_minute, settings.server.workers)


async def fetching(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    """Keep what fetches pictures between startup and cleanup."""
    openai = settings.openai
    bounds = Bounds(openai.fetch_max_bytes, openai.fetch_timeout_seconds)
    async with open_pictures(bounds) as pictures:
        app[PICTURES] = pictures
        yield
