"""The settings: what each is and where it comes from, and changing those that are live."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Protocol

import attrs
import msgspec

from gemproxy.admin.route import Call, Form, Route
from gemproxy.core.errors import Unrouted


@attrs.frozen
class Caller:
    """Who changes something, and from which address."""

    actor: str
    address: str


class Setting(Form, frozen=True):
    """One setting; ``value`` is in the shape in which it may be given, and null for a secret."""

    path: Annotated[str, msgspec.Meta(description="Its section and name, such as pool.strategy")]
    value: Annotated[
        Any,
        msgspec.Meta(
            description="The value in the shape in which it may be given; null for a secret"
        ),
    ]
    text: Annotated[str, msgspec.Meta(description="The value for people, without its secrets")]
    origin: Annotated[
        str, msgspec.Meta(description="default, a file, a variable, admin (this API) or a flag")
    ]
    live: Annotated[bool, msgspec.Meta(description="Whether it changes without a restart")]
    note: Annotated[str, msgspec.Meta(description="What a change cannot do, or why there is none")]
    secret: Annotated[bool, msgspec.Meta(description="Whether its value is shown nowhere")]
    shape: Annotated[
        str,
        msgspec.Meta(description="switch, whole number, number, word, text, list or table"),
    ]
    words: Annotated[list[str], msgspec.Meta(description="The words that it may be, if few")]
    columns: Annotated[
        list[str], msgspec.Meta(description="The values of each name in a table that has several")
    ]
    pinned: Annotated[
        bool, msgspec.Meta(description="Whether a flag of the command line keeps it from changing")
    ]
    description: Annotated[str, msgspec.Meta(description="What it does")]
    default: Annotated[str, msgspec.Meta(description="Its default, for people")]


class SettingsPage(Form, frozen=True):
    """All settings; ``change`` is the number of the last change."""

    settings: Annotated[
        list[Setting], msgspec.Meta(description="The settings that the call is about")
    ]
    change: Annotated[int, msgspec.Meta(description="The number of the last change")]


class Known(Form, frozen=True):
    """What a caller knows of the settings."""

    change: Annotated[
        int | None,
        msgspec.Meta(description="The last change that is known: refused if there was another"),
    ] = None


class NewValue(Form, frozen=True):
    """A value: JSON in the setting's own shape, or text as in an environment variable."""

    value: Annotated[
        Any, msgspec.Meta(description="The value as JSON, or text as in an environment variable")
    ]
    change: Annotated[
        int | None,
        msgspec.Meta(description="The last change that is known: refused if there was another"),
    ] = None


class NewValues(Form, frozen=True):
    """Values by path, and settings that go back to the value of the files; all or nothing."""

    values: Annotated[
        dict[str, Any], msgspec.Meta(description="New values by the paths of settings")
    ] = msgspec.field(default_factory=dict)
    reset: Annotated[
        list[str],
        msgspec.Meta(description="Paths of settings that go back to the value of the files"),
    ] = msgspec.field(default_factory=list)
    change: Annotated[
        int | None,
        msgspec.Meta(description="The last change that is known: refused if there was another"),
    ] = None


class Tuner(Protocol):
    """The settings of a running proxy."""

    @property
    def number(self) -> int:
        """The number of the last change."""

    async def change(
        self, values: Mapping[str, object], reset: Sequence[str], caller: Caller, number: int | None
    ) -> None:
        """Set values, and reset settings; all or nothing. Raises a GemproxyError."""

    def all(self) -> list[Setting]:
        """Return every setting."""

    def one(self, path: str) -> Setting:
        """Return the setting at a path. Raises Unrouted."""


def tuner_of(call: Call[Any, Any]) -> Tuner:
    """Return the settings. Raises Unrouted where the desk has none."""
    if call.desk.settings is None:
        raise Unrouted("This proxy shows no settings.")
    return call.desk.settings


def caller_of(call: Call[Any, Any]) -> Caller:
    """Return who makes a call."""
    return Caller(call.actor, call.address)


async def listed(call: Call[Any, Any]) -> SettingsPage:
    """Return all settings."""
    tuner = tuner_of(call)
    return SettingsPage(settings=tuner.all(), change=tuner.number)


async def shown(call: Call[Any, Any]) -> Setting:
    """Return one setting. Raises Unrouted."""
    return tuner_of(call).one(call.names["path"])


async def put(call: Call[Any, NewValue]) -> Setting:
    """Set one setting. Raises a GemproxyError."""
    tuner, path = tuner_of(call), call.names["path"]
    await tuner.change({path: call.body.value}, (), caller_of(call), call.body.change)
    return tuner.one(path)


async def reset(call: Call[Known, Any]) -> Setting:
    """Give one setting the value of the files back. Raises a GemproxyError."""
    tuner, path = tuner_of(call), call.names["path"]
    await tuner.change({}, (path,), caller_of(call), call.query.change)
    return tuner.one(path)


async def patch(call: Call[Any, NewValues]) -> SettingsPage:
    """Change several settings; return them. Raises a GemproxyError."""
    tuner, body = tuner_of(call), call.body
    await tuner.change(body.values, body.reset, caller_of(call), body.change)
    paths = dict.fromkeys((*body.values, *body.reset))
    return SettingsPage(settings=[tuner.one(path) for path in paths], change=tuner.number)


ROUTES = (
    Route(
        "GET",
        "/settings",
        listed,
        "List all settings with their values and origins.",
        SettingsPage,
        tag="settings",
    ),
    Route(
        "PATCH",
        "/settings",
        patch,
        "Change several settings at once, all or none.",
        SettingsPage,
        body=NewValues,
        tag="settings",
    ),
    Route("GET", "/settings/{path}", shown, "Show one setting.", Setting, tag="settings"),
    Route(
        "PUT",
        "/settings/{path}",
        put,
        "Change one setting; it acts on the next request of all workers.",
        Setting,
        body=NewValue,
        tag="settings",
    ),
    Route(
        "DELETE",
        "/settings/{path}",
        reset,
        "Give a setting the value of the files, variables or the default back.",
        Setting,
        query=Known,
        tag="settings",
    ),
)
