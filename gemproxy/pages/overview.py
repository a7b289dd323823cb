"""The page that says how the proxy is doing."""

from collections.abc import Mapping
from typing import Any

from gemproxy.admin.streams import StreamsQuery, streams
from gemproxy.pages.page import Visit
from gemproxy.pages.rendering import number


async def overview(visit: Visit) -> Mapping[str, Any]:
    """Return what the overview shows."""
    running = await visit.ask(streams, StreamsQuery(limit=1))
    return {"streams": running.total}


async def overview_now(visit: Visit) -> Mapping[str, Any]:
    """Return what has changed on it."""
    shown = await overview(visit)
    return {"texts": {"streams": number(shown["streams"])}}
