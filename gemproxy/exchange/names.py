"""The names in the path of a request: its model, and resources that belong to one project.

The method comes after the last colon, and the model before it: ``models/x:generateContent``. A
gateway's model may contain a slash or a colon of its own (``models/google/gemini-x``,
``models/x:thinking``), Vertex AI names one by its endpoint (``endpoints/123``) or publisher
(``publishers/google/models/x``), and any of it may come percent-encoded.

Only the project that made a file, a cached content, a batch, an operation, a tuned model, a store
or an interaction can use it. A request that names one is bound to its owner.
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
    """Return the model in a decoded path, without its collection; empty if there is none."""
    found = _MODEL.match(path)
    return found["model"] if found else ""


def bound_names(path: str) -> tuple[str, ...]:
    """Return the names in a decoded path that bind a request to their owner: ``files/x``."""
    return tuple(_BOUND.findall(path))
