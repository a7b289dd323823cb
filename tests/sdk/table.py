"""Which SDK did what through the proxy: the table of docs/sdks.md, written by a run.

A test that proves a cell is marked ``@pytest.mark.sdk(sdk, capability)``. A cell says "works"
when every test that is marked with it has passed in the run that wrote the table.
"""

import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

from tests.sdk.node import HERE

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "sdks.md"

CAPABILITIES = (
    "generate",
    "stream",
    "stream, cut",
    "chats",
    "countTokens",
    "embed",
    "list models",
    "files",
    "caches",
    "batches",
    "Live",
    "interactions",
)

_HEAD = """# SDKs

The features of stock SDKs that work through gemproxy when only the base URL is changed, tested
against the fake Gemini of this repository. "stream, cut" is a stream that the upstream cuts in the
middle and that the SDK receives whole. `make sdk-table` runs the tests and writes this page.

"""


@attrs.frozen
class Sdk:
    """A column: an SDK under the name of its marks, and where its version is found."""

    name: str
    package: str
    javascript: bool = False
    lacks: frozenset[str] = frozenset()
    """What it does not offer, or not by a base URL."""

    @property
    def version(self) -> str:
        """The version that the tests run with."""
        if self.package == _APART:
            return _pinned(self.package)
        if not self.javascript:
            return importlib.metadata.version(self.package)
        lock = json.loads((HERE / "package-lock.json").read_text())
        version: str = lock["packages"][f"node_modules/{self.package}"]["version"]
        return version


_APART = "langchain-google-genai"
"""It has an environment of its own, and a google-genai of its own in it."""


def _pinned(package: str) -> str:
    lines = (HERE / "langchain.txt").read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{package}=="))
    return line.removeprefix(f"{package}==").split()[0]


_OF_GOOGLE = frozenset({"files", "caches", "batches", "Live", "interactions"})

SDKS = (
    Sdk("google-genai (sync)", "google-genai", lacks=frozenset({"Live"})),
    Sdk("google-genai (async)", "google-genai"),
    Sdk("@google/genai", "@google/genai", javascript=True),
    Sdk(
        "openai (py)",
        "openai",
        lacks=_OF_GOOGLE | {"stream, cut", "chats", "countTokens"},
    ),
    Sdk(
        "langchain-google-genai",
        "langchain-google-genai",
        lacks=_OF_GOOGLE | {"chats", "list models"},
    ),
    Sdk(
        "@ai-sdk/google",
        "@ai-sdk/google",
        javascript=True,
        lacks=_OF_GOOGLE | {"chats", "countTokens", "list models"},
    ),
)

Outcomes = Mapping[tuple[str, str], Iterable[str]]
"""The outcomes of the tests of each cell, (SDK, capability)."""


def check(sdk: str, capability: str) -> tuple[str, str]:
    """Return the cell that a mark names; raise ValueError where there is none."""
    if capability not in CAPABILITIES or sdk not in {known.name for known in SDKS}:
        raise ValueError(f"no such cell: {sdk}, {capability}")
    return sdk, capability


def page(outcomes: Outcomes) -> str:
    """Return the page as these outcomes make it."""
    header = ["", *(f"{sdk.name} {sdk.version}" for sdk in SDKS)]
    rows = [
        [capability, *(_cell(sdk, capability, outcomes) for sdk in SDKS)]
        for capability in CAPABILITIES
    ]
    lines = [header, ["---"] * len(header), *rows]
    return _HEAD + "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + _FOOT


def _cell(sdk: Sdk, capability: str, outcomes: Outcomes) -> str:
    seen = set(outcomes.get((sdk.name, capability), ()))
    if not seen:
        return "not offered" if capability in sdk.lacks else "not tested"
    return "works" if seen == {"passed"} else " and ".join(sorted(seen))


_FOOT = """
The OpenAI SDK speaks to Google's own OpenAI layer (`/v1beta/openai/`), which gemproxy passes
through; a stream of that layer is not resumed.
"""
