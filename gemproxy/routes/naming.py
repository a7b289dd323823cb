"""The model that the path of a request names.

The method stands behind the last colon, and the model before it: ``models/x:generateContent``.
A gateway's model may hold a slash or a colon of its own (``models/google/gemini-x``,
``models/x:thinking``), Vertex AI names one by its endpoint (``endpoints/123``) or publisher
(``publishers/google/models/x``), and any of it may come percent-encoded.
"""

import re

from aiohttp import web

_NAMED = re.compile(
    r"""
    (?: .*/(?:models|tunedModels|dynamic|endpoints)/    # the collection that holds it
      | .*?/v\d\w*/                                     # else all behind the API version
      | .*/ )                                           # else the last piece of the path
    (?P<model>.*):
    """,
    re.VERBOSE | re.DOTALL,
)


def model_of(request: web.Request) -> str:
    """Return the name of the model, decoded and without its collection; empty for none."""
    found = _NAMED.match(request.path)
    return found["model"] if found else ""
