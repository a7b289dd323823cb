"""Paths of OpenAI's API that the proxy does not have: refused, and never sent up.

Google has nothing there, and a request that went up would take a key along. The error says what
there is instead. Chat and embeddings take POST only.
"""

import re
from typing import NoReturn

from aiohttp import web

from gemproxy.core.errors import BadRequest, Unrouted, WrongMethod

_CHAT = "POST /v1/chat/completions"
_HERE = (
    f"The proxy has {_CHAT}, POST /v1/embeddings, POST /v1/images/generations and edits, and GET"
    " /v1/models"
)
_SLASHES = re.compile("//+")
_ENDS = re.compile(r"/*(?P<version>v1/+)?(?P<rest>.*?)/*\Z", re.DOTALL)


async def handle(request: web.Request) -> NoReturn:
    """Raise the error that says what there is."""
    found = _ENDS.match(request.path)
    version, rest = (found["version"], found["rest"]) if found else (None, "")
    rest = _SLASHES.sub("/", rest)
    if not version:
        raise Unrouted("The base URL for clients of OpenAI ends in /v1, and the request has none.")
    if rest in {"chat/completions", "embeddings", "images/generations", "images/edits"}:
        raise WrongMethod(f"/v1/{rest} takes POST only.", "POST")
    if rest == "completions":
        raise BadRequest(
            "Completions of a bare prompt are not supported: Gemini's models take messages."
            f" Use {_CHAT}."
        )
    if rest.partition("/")[0] == "responses":
        raise Unrouted(f"The Responses API is not supported. Use {_CHAT}.")
    raise Unrouted(f"There is nothing for {request.method} {request.path[:100]}. {_HERE}.")
