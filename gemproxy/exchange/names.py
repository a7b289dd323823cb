"""What the path of a request names: its model, and what Google keeps for one project alone.

The method stands behind the last colon, and the model before it: ``models/x:generateContent``.
A gateway's model may hold a slash or a colon of its own (``models/google/gemini-x``,
``models/x:thinking``), Vertex AI names one by its endpoint (``endpoints/123``) or publisher
(``publishers/google/models/x``), and any of it may come percent-encoded.

A file, a cached content, a batch, an operation, a tuned model, a store and an interaction can be
used only by the project that made them. A request that names one is bound to its owner.
"""

import re

_MODEL = re.compile(
    r"""
    (?: .*/(?:models|tunedModels|dynamic|endpoints)/    # the collection that holds it
      | .*?/v\d\w*/                                     # else all behind the API version
      | .*/ )                                           # else the last piece of the path
    (?P<model>.*):
    """,
    re.VERBOSE | re.DOTALL,
)
_BOUND = re.compile(
    r"(?<=/)(?:files|generatedFiles|cachedContents|batches|operations|tunedModels"
    r"|fileSearchStores|corpora|interactions)/[^/:]+"
)


def model_in(path: str) -> str:
    """Return the model that a decoded path names, without its collection; empty for none."""
    found = _MODEL.match(path)
    return found["model"] if found else ""


def bound_names(path: str) -> tuple[str, ...]:
    """Return the names in a decoded path that bind a request to their owner: ``files/x``."""
    return tuple(_BOUND.findall(path))
