"""The admin API's document of itself."""

from typing import Any

from gemproxy.admin.route import Call, Nothing, Text

JSON = "application/json"


async def openapi(call: Call[Nothing, Nothing]) -> Text:
    """Return the document."""
    return Text(JSON, call.desk.document)


Document = dict[str, Any]
