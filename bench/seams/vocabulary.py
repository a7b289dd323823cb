"""Words of several languages for the texts.

``vocabulary.json`` lists them, the most common first. Each word of "traditional" is a simplified
Chinese character and its traditional form.
"""

import json
from pathlib import Path

_WORDS: dict[str, str] = json.loads(Path(__file__).with_name("vocabulary.json").read_text("utf-8"))

ENGLISH = _WORDS["english"].split()
GERMAN = _WORDS["german"].split()
SPANISH = _WORDS["spanish"].split()
CHINESE = _WORDS["chinese"].split()
JAPANESE = _WORDS["japanese"].split()
ARABIC = _WORDS["arabic"].split()
HEBREW = _WORDS["hebrew"].split()
NAMES = _WORDS["names"].split()
TRADITIONAL = {pair[0]: pair[1] for pair in _WORDS["traditional"].split()}

EMOJI = (
    *("\U0001f469\u200d\U0001f4bb", "\U0001f468\u200d\U0001f469\u200d\U0001f467"),
    *("\U0001f1e9\U0001f1ea", "\U0001f1ef\U0001f1f5", "\U0001f44d\U0001f3fd", "\u2764\ufe0f"),
    *(
        "1\ufe0f\u20e3",
        "\U0001f389",
        "\U0001f30a",
        "\U0001f3d4\ufe0f",
        "\U0001f9d1\u200d\U0001f680",
    ),
)
