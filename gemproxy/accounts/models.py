"""Names of models, as limits compare them.

``models/x``, ``tunedModels/x``, ``publishers/google/models/x``, ``x:generateContent`` and ``X`` are
the model ``x``. A version or an alias of Google's (``x-001``, ``x-latest``) is a model of its own:
only Google knows what it stands for, and that changes. A limit for all models counts them all. A
suffix that is no method of Google's (``x:thinking`` of a gateway) belongs to the name.
"""

import functools
import re

_COLLECTION = re.compile(r"^(?:.*/)?(?:models|tunedmodels|endpoints)/")
_METHOD = re.compile(r":(?:[a-z]+[A-Z]\w*|predict|embed)$")


LONGEST = 256
"""Characters of a name that count: clients choose it, and it is kept."""


def plain(model: str) -> str:
    """Return the name of a model without its collection and method, in small letters.

    Of a longer name the end counts, because a collection is in front.
    """
    return _plain(model[-LONGEST:])


@functools.lru_cache(maxsize=4096)
def _plain(model: str) -> str:
    return _COLLECTION.sub("", _METHOD.sub("", model.strip()).lower())
