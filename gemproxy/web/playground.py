"""The composition of the playground: the source of credentials behind a stage."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from gemproxy.playground.stage import Stage
from gemproxy.relay.leases import CredentialSource
from gemproxy.web.admin import OFFICE


@asynccontextmanager
async def staged(app: web.Application, source: CredentialSource) -> AsyncIterator[Stage]:
    """Yield a source that knows requests of the playground; its fakes end at the exit."""
    stage = Stage(source, partial(_is_operator, app))
    try:
        yield stage
    finally:
        await stage.close()


def _is_operator(app: web.Application, headers: Mapping[str, str]) -> bool:
    entrance = app[OFFICE].pages.entrance
    return entrance is not None and entrance.admits(headers)
