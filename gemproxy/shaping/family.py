"""What a model takes, by its family: one value for each name, made by a table of rules.

Names and versions say it, because Google's list of models does not. A model that nobody knows gets
the rules of the newest family, with thinking as it was asked for.

Sources: Google's pages on thinking, thought signatures and image generation
(https://ai.google.dev/gemini-api/docs), and public threads where those are silent: candidateCount
(googleapis/js-genai#1609), penalties of 2.0 only (google-gemini/cookbook#1290, vercel/ai#8943),
logprobs before 3.5 and without 2.5-pro, the lowest level of 3.7-flash, pictures in function
responses (vercel/ai#8357), JSON beside tools before Gemini 3 (googleapis/python-genai#867),
systemInstruction of a 2.0 that draws (QuantumNous/new-api#989), budget 0 after 2.5
(googleapis/python-genai#2936).
"""

import functools
import re

import attrs

from gemproxy.shaping.patterns import matches, plain

Version = tuple[int, int]

UNKNOWN: Version = (0, 0)
_NEWEST: Version = (99, 0)
_VERSION = re.compile(r"gemini-(\d{1,3})(?:\.(\d{1,3}))?(?![\d.])")
LEVELS = ("MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH")
"""All thinking levels, lowest first."""

PICTURES = (
    "gemini-2.0-flash-exp",
    "gemini-2.0-flash-exp-image-generation",
    "*-image*",
    "*nano-banana*",
)
"""The models that answer with pictures, unless the operator says otherwise."""

_MINDLESS = (
    "gemma-*",
    "gemini-1.*",
    "gemini-2.0-*",
    "gemini-exp-*",
    "*embedding*",
    "*-image*",
    "*nano-banana*",
    "*-tts*",
    "*-live*",
    "*-native-audio*",
    "*-transcribe*",
    "*-omni*",
    "imagen-*",
    "veo-*",
    "lyria-*",
    "aqa",
)
"""Models that take no thinkingConfig, or none that a text model of their version takes."""

_GEMMA = ("gemma-*",)
"""They have no version of Gemini's, and none of what came with Gemini 3."""


@attrs.frozen
class Budget:
    """The thinking budgets that a model takes, in tokens; ``off``: whether 0 is one of them."""

    least: int
    most: int
    off: bool


@attrs.frozen
class Family:
    """What one model takes.

    ``version`` is (0, 0) for a name without one. ``levels`` are its thinking levels, lowest first;
    empty for a model that takes a ``budget``, or whose rules nobody knows. ``signs_calls``: a call
    in the running turn needs its thoughtSignature. ``pictures_in_results``: a functionResponse may
    hold parts. ``json_with_tools``: JSON may be asked for beside functions. ``candidates``:
    candidateCount may be above 1. ``prefill``: the last turn may be the model's. ``system``: it
    takes a systemInstruction. ``draws``: it answers with pictures. ``tools``: it takes functions.
    ``thinks``: it takes a thinkingConfig.
    """

    name: str
    version: Version = UNKNOWN
    levels: tuple[str, ...] = ()
    budget: Budget | None = None
    signs_calls: bool = True
    pictures_in_results: bool = True
    json_with_tools: bool = True
    candidates: bool = False
    penalties: bool = False
    logprobs: bool = False
    prefill: bool = False
    system: bool = True
    draws: bool = False
    tools: bool = True
    thinks: bool = True


@functools.lru_cache(maxsize=512)
def family_of(model: str, pictures: tuple[str, ...] = PICTURES) -> Family:
    """Return what a model takes, by its name with or without its collection.

    ``pictures`` are the names and patterns of the models that answer with pictures.
    """
    name = plain(model)
    found = _VERSION.search(name)
    version = (int(found[1]), int(found[2] or 0)) if found else UNKNOWN
    rules = version if found else _NEWEST
    gemma = matches(name, _GEMMA)
    third = rules >= (3, 0) and not gemma
    draws = matches(name, pictures)
    return Family(
        name=name,
        version=version,
        levels=_levels(name, version),
        budget=_budget(name, version),
        signs_calls=third,
        pictures_in_results=third,
        json_with_tools=third,
        candidates=rules < (3, 0),
        penalties=version == (2, 0),
        logprobs=rules < (3, 5) and not (version == (2, 5) and "pro" in name),
        prefill=rules < (3, 6) and "3.5-flash-lite" not in name,
        system=not gemma and not (draws and version == (2, 0)),
        draws=draws,
        tools=not draws,
        thinks=not draws and not matches(name, _MINDLESS),
    )


def _levels(name: str, version: Version) -> tuple[str, ...]:
    if version < (3, 0):
        return ()
    if "pro" in name:
        return LEVELS[1:4]
    if "hydrogen" in name:
        return LEVELS[1:]
    return LEVELS[1:4] if version >= (3, 7) and "lite" not in name else LEVELS[:4]


def _budget(name: str, version: Version) -> Budget | None:
    """Return the budgets of 2.5 models, and of names that mean whichever version is the newest.

    The latter take what every version takes: the newest refuse to be off.
    """
    latest = version == UNKNOWN and name.startswith("gemini-") and name.endswith("-latest")
    if version != (2, 5) and not latest:
        return None
    if "pro" in name.split("-"):
        return Budget(128, 32768, off=False)
    if latest:
        return Budget(512, 24576, off=False)
    return Budget(512, 24576, off=True) if "lite" in name else Budget(1, 24576, off=True)
