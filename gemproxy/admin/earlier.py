"""Paths by which scripts of earlier tools make access keys, and change thinking and the prompt.

They do what the paths of this API do (``admin.users``, ``admin.settings``), so they are validated,
kept and noted in the audit log like those. Of the settings, a field that is missing changes
nothing. Some scripts send the fields of settings in the query: the body is stronger.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from gemproxy.admin.route import Call, Form, Route
from gemproxy.admin.settings import Setting, caller_of, tuner_of
from gemproxy.admin.texts import PersonsName
from gemproxy.admin.users import UserChange, added
from gemproxy.core.errors import BadRequest

_SWITCHED = ["true", "false", "1", "0", "on", "off", "yes", "no"]
_Switched = Annotated[str, msgspec.Meta(extra_json_schema={"enum": _SWITCHED})]
_Tokens = Annotated[str, msgspec.Meta(extra_json_schema={"pattern": "^(-1|0|[1-9][0-9]*)$"})]
_POSITIONS = {"enum": ["system", "user_prefix", "user_suffix"]}


class ThinkingWish(Form, frozen=True):
    """How models think where neither the request nor its model says so."""

    enabled: Annotated[
        bool | _Switched | UnsetType | None,
        msgspec.Meta(description="Whether models think; null: as the budget says"),
    ] = UNSET
    budget: Annotated[
        int | _Tokens | UnsetType | None,
        msgspec.Meta(
            description="Tokens of thoughts: -1 lets the model decide, 0 is off, or 1 to 32768"
        ),
    ] = UNSET
    include_thoughts: Annotated[
        bool | _Switched | UnsetType | None,
        msgspec.Meta(description="Whether answers show thoughts; null: as the model does"),
    ] = UNSET


class PromptWish(Form, frozen=True):
    """The prompt of the operator's in requests, and where it goes."""

    enabled: Annotated[
        bool | _Switched | UnsetType, msgspec.Meta(description="Whether requests get the prompt")
    ] = UNSET
    content: Annotated[str | UnsetType, msgspec.Meta(description="The prompt itself")] = UNSET
    position: Annotated[
        str | UnsetType,
        msgspec.Meta(
            description="To the system instruction, or around the last user message's text",
            extra_json_schema=_POSITIONS,
        ),
    ] = UNSET


class KeyWish(Form, frozen=True):
    """Who shall have an access key."""

    name: Annotated[
        PersonsName, msgspec.Meta(description="Who uses it; a name is never used again")
    ]


class KeyDone(Form, frozen=True):
    """A new access key: this answer alone has it."""

    success: Annotated[bool, msgspec.Meta(description="True")]
    message: Annotated[str, msgspec.Meta(description="What was done, for people")]
    name: Annotated[str, msgspec.Meta(description="Who uses it")]
    id: Annotated[str, msgspec.Meta(description="The public characters of the key")]
    key: Annotated[str, msgspec.Meta(description="The key, in the place of a Gemini key")]


class Done(Form, frozen=True):
    """A change that was made; ``values`` are the settings now, a secret as its length."""

    success: Annotated[
        bool, msgspec.Meta(description="Always true; a change that fails is answered with an error")
    ]
    message: Annotated[
        str, msgspec.Meta(description="What acts from the next request on, for people")
    ]
    values: Annotated[
        dict[str, str],
        msgspec.Meta(description="The settings now, by name; a secret is its length"),
    ]


async def think(call: Call[ThinkingWish, ThinkingWish]) -> Done:
    """Change the settings of thinking. Raises a GemproxyError."""
    return await _changed(call, "thinking")


async def inject(call: Call[PromptWish, PromptWish]) -> Done:
    """Change the settings of the prompt. Raises a GemproxyError."""
    return await _changed(call, "injection")


async def user_key(call: Call[Any, KeyWish]) -> KeyDone:
    """Make an access key. Raises a GemproxyError."""
    name = call.body.name
    made = await added(call, name, UserChange())
    message = f"{name} has an access key. It is shown only now."
    return KeyDone(success=True, message=message, name=name, id=made.user.id, key=made.key)


async def _changed(call: Call[Any, Any], section: str) -> Done:
    names = call.body.__struct_fields__
    wishes = msgspec.structs.asdict(call.query) | {
        name: value
        for name, value in msgspec.structs.asdict(call.body).items()
        if value is not UNSET
    }
    values = {f"{section}.{name}": wishes[name] for name in names if wishes[name] is not UNSET}
    if not values:
        raise BadRequest(f"Nothing is to be changed: name one of {', '.join(names)}.")
    tuner = tuner_of(call)
    await tuner.change(values, (), caller_of(call), None)
    now = {name: _text(tuner.one(f"{section}.{name}")) for name in names}
    told = ", ".join(f"{name} is {text}" for name, text in now.items())
    return Done(success=True, message=f"From the next request on: {told}.", values=now)


def _text(setting: Setting) -> str:
    return setting.text or "not set"


ROUTES = (
    Route(
        "POST",
        "/admin/config/user-key",
        user_key,
        "Make an access key, as scripts of earlier tools do; it is shown once.",
        KeyDone,
        body=KeyWish,
        tag="users",
        base="",
    ),
    Route(
        "POST",
        "/admin/config/thinking",
        think,
        "Change how models think, as scripts of earlier tools do.",
        Done,
        query=ThinkingWish,
        body=ThinkingWish,
        tag="settings",
        base="",
    ),
    Route(
        "POST",
        "/admin/config/inject-prompt",
        inject,
        "Change the prompt in requests, as scripts of earlier tools do.",
        Done,
        query=PromptWish,
        body=PromptWish,
        tag="settings",
        base="",
    ),
)
