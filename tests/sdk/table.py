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

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
PAGE = DOCS / "sdks.md"

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
    """A column: an SDK under the name of its marks, and where its version is found.

    A package of Python has its version in this environment, or in ``lock``, the lock of one of its
    own.
    """

    name: str
    package: str
    javascript: bool = False
    lock: str | None = None
    lacks: frozenset[str] = frozenset()
    """What it does not offer, or not by a base URL."""

    @property
    def version(self) -> str:
        """The version that the tests run with."""
        if self.lock is not None:
            return _pinned(self.lock, self.package)
        if not self.javascript:
            return importlib.metadata.version(self.package)
        lock = json.loads((HERE / "package-lock.json").read_text())
        version: str = lock["packages"][f"node_modules/{self.package}"]["version"]
        return version


def _pinned(lock: str, package: str) -> str:
    lines = (HERE / lock).read_text().splitlines()
    line = next(line for line in lines if line.startswith(f"{package}=="))
    return line.removeprefix(f"{package}==").split()[0]


Outcomes = Mapping[tuple[str, str], Iterable[str]]
"""The outcomes of the tests of each cell, (SDK, capability)."""


@attrs.frozen
class Table:
    """A page with a table that a run of the tests writes: ``rows`` are capabilities."""

    page: Path
    sdks: tuple[Sdk, ...]
    rows: tuple[str, ...]
    head: str
    foot: str = ""

    def check(self, sdk: str, capability: str) -> tuple[str, str]:
        """Return the cell that a mark names; raise ValueError where there is none."""
        if capability not in self.rows or sdk not in {known.name for known in self.sdks}:
            raise ValueError(f"no such cell: {sdk}, {capability}")
        return sdk, capability

    def text(self, outcomes: Outcomes) -> str:
        """Return the page as these outcomes make it."""
        header = ["", *(f"{sdk.name} {sdk.version}" for sdk in self.sdks)]
        rows = [[row, *(_cell(sdk, row, outcomes) for sdk in self.sdks)] for row in self.rows]
        lines = [header, ["---"] * len(header), *rows]
        return self.head + "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + self.foot


def _cell(sdk: Sdk, capability: str, outcomes: Outcomes) -> str:
    seen = set(outcomes.get((sdk.name, capability), ()))
    if not seen:
        return "not offered" if capability in sdk.lacks else "not tested"
    return "works" if seen == {"passed"} else " and ".join(sorted(seen))


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
        lock="langchain.txt",
        lacks=_OF_GOOGLE | {"chats", "list models"},
    ),
    Sdk(
        "@ai-sdk/google",
        "@ai-sdk/google",
        javascript=True,
        lacks=_OF_GOOGLE | {"chats", "countTokens", "list models"},
    ),
)

_FOOT = """
The OpenAI SDK speaks to Google's own OpenAI layer (`/v1beta/openai/`), which gemproxy passes
through; a stream of that layer is not resumed.
"""

SDK_TABLE = Table(PAGE, SDKS, CAPABILITIES, _HEAD, _FOOT)
