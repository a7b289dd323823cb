"""The names in the path of a request: its model, and resources that belong to one project.

The method comes after the last colon, and the model before it: ``models/x:generateContent``. A
gateway's model may contain a slash or a colon of its own (``models/google/gemini-x``,
``models/x:thinking``), Vertex AI names one by its endpoint (``endpoints/123``) or publisher
(``publishers/google/models/x``), and any of it may come percent-encoded.

Only the project that made a file, a cached content, a batch, an operation, a tuned model, a store
or an interaction can use it. A request that names one is bound to its owner. Names are looked for
behind the API version, because a base URL may put a path of its own in front. What hangs below a
bound resource (the documents of a store, an operation of a batch) goes by the name of that
resource; an operation below a model has a name of its own, ``models/m/operations/o``. The ids of
OpenAI's layer have their collection in front (``/openai/files/files/x``) or not
(``/openai/files/x``); both are ``files/x``.
"""

import re

COLLECTIONS = frozenset(
    [
        *("files", "generatedFiles", "cachedContents", "batches", "operations", "tunedModels"),
        *("fileSearchStores", "corpora", "interactions", "agents", "environments", "triggers"),
        *("voices", "webhooks", "credentials", "decisions", "auth_tokens"),
    ]
)
"""The collections whose members belong to the project that made them."""

_MODEL = re.compile(
    r"""
    (?: .*/(?:models|tunedModels|dynamic|endpoints)/    # the collection that holds it
      | .*?/v\d\w*/                                     # else all behind the API version
      | .*/ )                                           # else the last piece of the path
    (?P<model>.*):
    """,
    re.VERBOSE | re.DOTALL,
)
_VERSION = re.compile(r"/v\d\w*(?=/)")
_ID = re.compile(r"(?=[._~=+@-]*[A-Za-z0-9])[A-Za-z0-9._~=+@-]{1,256}")
_WITHIN = {
    "environments": frozenset({"files"}),
    "fileSearchStores": frozenset({"documents", "operations", "upload", "media"}),
    "batches": frozenset({"operations"}),
    "corpora": frozenset({"documents", "operations"}),
    "generatedFiles": frozenset({"operations"}),
    "tunedModels": frozenset({"operations"}),
}
"""The collections below a bound resource, whose members go by its name."""


def model_in(path: str) -> str:
    """Return the model in a decoded path, without its collection; empty if there is none."""
    found = _MODEL.match(path)
    return found["model"] if found else ""


def bound_names(path: str) -> tuple[str, ...]:
    """Return the names in a decoded path that bind a request to their owner: ``files/x``."""
    version = _VERSION.search(path)
    segments = [part for part in path[version.end() if version else 0 :].split("/") if part]
    names: list[str] = []
    at = 0
    while at + 1 < len(segments):
        collection, given = segments[at], segments[at + 1]
        doubled = given == collection and at + 2 < len(segments)
        if doubled or not _binds(collection, segments[:at]):
            at += 1
            continue
        names.append(f"{_above(collection, segments[:at])}{collection}/{given.partition(':')[0]}")
        at += 2
        within = _WITHIN.get(collection, frozenset())
        while at < len(segments) and segments[at] in within:
            at = len(segments) if segments[at] == "files" else at + 2
    return tuple(dict.fromkeys(names))


def well_formed(name: str) -> bool:
    """Return whether a bound name could be one of Google's.

    One that could not might be read by Google as another name than by us: ``-`` may stand for all.
    """
    return _ID.fullmatch(name.rpartition("/")[2]) is not None


def _binds(collection: str, before: list[str]) -> bool:
    """Return whether the segment behind ``collection`` is the id of a bound resource."""
    return collection in COLLECTIONS or (collection == "videos" and "openai" in before)


def _above(collection: str, before: list[str]) -> str:
    """Return the model of an operation, as the beginning of its name."""
    if collection != "operations" or "models" not in before:
        return ""
    last = len(before) - 1 - before[::-1].index("models")
    return "/".join([*before[last:], ""])
