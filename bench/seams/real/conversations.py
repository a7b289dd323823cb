"""The fixed set of questions, answers and cuts for a real model.

Each answer of ``conversations.json`` is cut at several kinds of place, because models react
differently to each kind. Half of the streams end cleanly, half with a reset.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs

PLACE = Path(__file__).with_name("conversations.json")
LEAST = 0.45
"""The share of an answer that comes before any cut."""

AHEAD = 24
"""Fewest characters after a cut, which are needed to judge the seam."""

PLACES: Mapping[str, re.Pattern[str]] = {
    "before a space": re.compile(r"(?<=[^\W\d_]{3})(?= [^\W\d_])"),
    "behind a space": re.compile(r"(?<=[^\W\d_]{2} )(?=[^\W\d_])"),
    "in a word": re.compile(r"(?<=[a-zäöüß]{3})(?=[a-zäöüß]{3})"),
    "behind a sentence": re.compile(r"(?<=[^\W\d_][.\u3002])(?=\s|[\u4e00-\u9fff])"),
    "behind a line end": re.compile(r"(?<=\S\n)(?=\S|    )"),
    "before a line end": re.compile(r"(?<=\S)(?=\n\s*\S)"),
    "in Chinese": re.compile("(?<=[\u4e00-\u9fff]{2})(?=[\u4e00-\u9fff]{2})"),
    "in a number": re.compile(r"(?<=\d)(?=\d)"),
}


@attrs.frozen
class Case:
    """A cut answer: ``delivered`` goes to the client, ``ahead`` is the rest."""

    name: str
    place: str
    question: str
    delivered: str
    ahead: str
    reset: bool


def load() -> list[Case]:
    """Return all cases, in the order of the file."""
    return list(_cases(json.loads(PLACE.read_text("utf-8"))))


def _cases(entries: list[dict[str, str]]) -> Iterator[Case]:
    number = 0
    for entry in entries:
        text = entry["text"]
        for turn, (place, boundary) in enumerate(PLACES.items()):
            least = int(len(text) * (LEAST + 0.05 * turn))
            found = boundary.search(text, least, len(text) - AHEAD)
            if found is None:
                continue
            number += 1
            at = found.start()
            name = f"{entry['name']}-{number}"
            yield Case(name, place, entry["question"], text[:at], text[at:], number % 2 == 0)
