"""What each client of OpenAI's dialect does in the tests: one job for each feature.

A driver runs in an environment of its own (``python -m tests.sdk.chat.with_NAME URL``) and prints
one JSON object, feature -> what an application saw. So this module imports nothing but the
standard library. An exception in a job is what that feature saw (``raised``).
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

KEY = "test-key"
MODEL = "gemini-3.8-flash"
EMBEDDING = "gemini-embedding-001"
DRAWING = "gemini-3-pro-image-preview"
PIXEL = "data:image/png;base64,iVBORw0KGgo="
TEXT = "text: name some boats"
TOOLS = "tools: plan the dive"
BLOCKED = "blocked: say it"
PICTURE = "picture: what is this?"
SCHEMA = "schema: name a boat"
REFUSED = "refused: say it"
CUT = "cut: tell it"
REPAIRED = "repaired: tell a story"
EMBEDDED = "a boat"
DRAWN = "drawn: a kelp forest"
REDRAWN = "redrawn: as an etching"
JPEG = "/9j/4AAQSkZJRg=="
"""A picture that is changed, by a client that takes it for a PNG."""
ONE_PORT = {
    "type": "object",
    "properties": {"port": {"type": "string", "description": "Name of the port."}},
    "required": ["port"],
    "additionalProperties": False,
}
BOATS = {
    "type": "object",
    "properties": {"boats": {"type": "integer"}},
    "required": ["boats"],
    "additionalProperties": False,
}
BOAT = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "masts": {"type": "integer"}},
    "required": ["name", "masts"],
    "additionalProperties": False,
}
DECLARED = (
    ("tide", "Return the tide.", ONE_PORT),
    ("wind", "Return the wind.", ONE_PORT),
    ("book", "Book boats.", BOATS),
)
FUNCTIONS = [
    {"type": "function", "function": {"name": name, "description": said, "parameters": schema}}
    for name, said, schema in DECLARED
]
WITH_PICTURE = [
    {"type": "text", "text": PICTURE},
    {"type": "image_url", "image_url": {"url": PIXEL}},
]

Job = Callable[[], Any]


def asked(text: object) -> list[dict[str, Any]]:
    """Return messages that ask for this."""
    return [{"role": "user", "content": text}]


def tide(port: str) -> str:
    """Return the tide."""
    return f"low in {port}"


def wind(port: str) -> str:
    """Return the wind."""
    return f"calm in {port}"


def book(boats: int) -> str:
    """Book boats."""
    return f"{boats} boats"


USED: Mapping[str, Callable[..., str]] = {"tide": tide, "wind": wind, "book": book}


def used(name: str, arguments: str) -> str:
    """Return what a tool gives for arguments in JSON."""
    return USED[name](**json.loads(arguments))


def raised(error: BaseException, text: str = "") -> dict[str, Any]:
    """Return what an application sees of an error, behind the text that it has."""
    return {
        "text": text,
        "raised": type(error).__name__,
        "message": str(error),
        "status": getattr(error, "status_code", None),
    }


def play(jobs: Mapping[str, Job]) -> None:
    """Run the jobs one after another, and print what they saw."""
    seen = {}
    for feature, job in jobs.items():
        try:
            seen[feature] = job()
        except Exception as error:  # noqa: BLE001 - it is what the application sees
            seen[feature] = raised(error)
    sys.stdout.write(json.dumps(seen) + "\n")
