"""Pages of a list, as all lists of the API have them: pageSize, pageToken, nextPageToken."""

from collections.abc import Sequence
from typing import Any

from gemproxy.chaos.wire import Request


def page(request: Request, field: str, items: Sequence[Any], size: int) -> dict[str, Any]:
    """Return the requested page of ``items`` under ``field``; ``size`` is the default size."""
    size = int(request.query.get("pageSize", size))
    begin = int(request.query.get("pageToken", "0"))
    more = {"nextPageToken": str(begin + size)} if begin + size < len(items) else {}
    return {field: list(items[begin : begin + size]), **more}
