"""The words of the pages in the reader's language: English stands in the code, Chinese beside it.

``words/*.toml`` has the Chinese: ``"English" = "中文"``. Each page has a file, the frame of all
pages has ``layout.toml``, and texts of several pages are in ``common.toml``. A place for a value is
written ``%(name)s``. A text without Chinese stays English; a test finds such a text.
"""

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources

ENGLISH, CHINESE = "en", "zh"
LANGUAGES = (ENGLISH, CHINESE)


@functools.cache
def chinese() -> Mapping[str, str]:
    """Return the Chinese of each English text."""
    found: dict[str, str] = {}
    for file in resources.files(__package__).joinpath("words").iterdir():
        if file.name.endswith(".toml"):
            found |= tomllib.loads(file.read_text("utf-8"))
    return found


def said(language: str, text: str, **values: object) -> str:
    """Return ``text`` in a language, with its values."""
    words = chinese().get(text, text) if language == CHINESE else text
    return words % values if values else words


def worded(text: str) -> str:
    """Return ``text``, which is said later; the test of the words finds it by this call."""
    return text


def language_of(chosen: str, accepted: str) -> str:
    """Return the language of a reader: the chosen one, else the first of Accept-Language we have.

    ``accepted`` is the header's text (RFC 9110, 12.5.4).
    """
    if chosen in LANGUAGES:
        return chosen
    ranges = [_range(part) for part in accepted.split(",")]
    for _, tag in sorted(ranges, key=lambda pair: -pair[0]):
        primary = tag.partition("-")[0]
        if primary in LANGUAGES:
            return primary
    return ENGLISH


def _range(part: str) -> tuple[float, str]:
    tag, _, weight = part.strip().lower().partition(";")
    try:
        quality = float(weight.strip().removeprefix("q=") or 1)
    except ValueError:
        quality = 0.0
    return quality, tag.strip()
