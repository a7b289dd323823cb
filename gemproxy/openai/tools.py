"""The functions that a client declares, and how they may be called.

``tools`` and ``tool_choice`` in every form that OpenAI has or had, and the tools of Gemini's that
OpenAI's clients switch on: search, pages by URL, code.

Sources: OpenAI's reference of chat completions, Google's pages on function calling and on tool use
(https://ai.google.dev/gemini-api/docs/function-calling), and public threads where these are silent:
allowedFunctionNames with AUTO is refused (tensorzero#4875), a name may be declared once, built-in
tools stand beside functions from Gemini 3 on and only with includeServerSideToolInvocations
(cloudwego/eino-ext#761, ag2ai/ag2#3145).
"""

import re
from typing import Any

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai import retyping, schemas
from gemproxy.openai.arguments import shallow
from gemproxy.openai.fields import Json, a_list, a_text, an_object
from gemproxy.openai.naming import Names
from gemproxy.shaping.family import Family

_CHOICE = "tool_choice"

BUILT_IN = {
    "google_search": "googleSearch",
    "googleSearch": "googleSearch",
    "web_search": "googleSearch",
    "web_search_preview": "googleSearch",
    "url_context": "urlContext",
    "urlContext": "urlContext",
    "code_execution": "codeExecution",
    "codeExecution": "codeExecution",
    "code_interpreter": "codeExecution",
    "google_maps": "googleMaps",
    "googleMaps": "googleMaps",
}
"""The tools of Gemini's own by the words for them, as a type or as the key of an object."""

_DATED = re.compile(r"_\d{4}_\d{2}_\d{2}$")  # web_search_2025_08_26

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY", "validated": "VALIDATED"}

_AS_FUNCTIONS = frozenset({"googleSearch", "urlContext", "codeExecution"})
"""Built-in tools that are switched on by a function of this name without parameters."""


@attrs.frozen
class _Function:
    """One function of the client's; ``at`` is its path in the request."""

    name: str
    at: str
    declaration: Json


@attrs.frozen
class _Offer:
    """All tools of a request: its functions, and Gemini's own tools as native values by name."""

    functions: tuple[_Function, ...]
    built_in: Json


@attrs.frozen
class _Calling:
    """How functions may be called: a mode of Gemini's, and its allowed names if not all are."""

    mode: str = "AUTO"
    allowed: tuple[str, ...] | None = None


def names_in(document: Json) -> list[str]:
    """Return the names of the functions that a request declares; raise BadField."""
    return [function.name for function in _offer(document).functions]


def schemas_told(document: Json, names: Names) -> dict[str, Any]:
    """Return by Gemini's name the client's schemas whose values must be turned back."""
    return {
        names.up(function.name): function.declaration["parameters"]
        for function in _offer(document).functions
        if retyping.needs_it(function.declaration.get("parameters"))
    }


def declared(document: Json, names: Names, family: Family) -> Json:
    """Return the native fields ``tools`` and ``toolConfig``, as far as there are any.

    A model that takes no tools gets none. Raise BadField for a tool or a choice that cannot be
    sent.
    """
    offer = _offer(document)
    calling = _calling(document, offer)
    if not family.tools:
        return {}
    own = _own_tools(document, offer, calling)
    if not offer.functions:
        return {"tools": own} if own else {}
    if own and not family.json_with_tools:
        at = "tools" if offer.built_in else "web_search_options"
        raise BadField(at, "cannot ask for Google's own tools beside functions on this model")
    budget = schemas.Budget()
    functions = [_declaration(function, names, budget) for function in offer.functions]
    config: Json = _tool_config(calling, names)
    if own:
        config["includeServerSideToolInvocations"] = True
    native: Json = {"tools": [*own, {"functionDeclarations": functions}]}
    return {**native, "toolConfig": config} if config else native


def _tool_config(calling: _Calling, names: Names) -> Json:
    if calling == _Calling():
        return {}
    config: Json = {"mode": calling.mode}
    if calling.allowed is not None:
        config["allowedFunctionNames"] = [names.up(name) for name in calling.allowed]
    return {"functionCallingConfig": config}


def _own_tools(document: Json, offer: _Offer, calling: _Calling) -> list[Json]:
    """Return Gemini's own tools; a client that wants no call wants none of those it listed."""
    own = {} if calling.mode == "NONE" else dict(offer.built_in)
    if document.get("web_search_options") is not None:
        an_object(document["web_search_options"], "web_search_options")
        own.setdefault("googleSearch", {})
    return [{name: value} for name, value in own.items()]


def _declaration(function: _Function, names: Names, budget: schemas.Budget) -> Json:
    given = function.declaration
    native: Json = {"name": names.up(function.name)}
    description = given.get("description")
    if description:
        native["description"] = a_text(description, f"{function.at}.description")
    parameters = given.get("parameters")
    if parameters is not None:
        at = f"{function.at}.parameters"
        schema = schemas.of_arguments(an_object(parameters, at), at, budget)
        if schema is not None:
            native["parametersJsonSchema"] = schema
    return native


def _offer(document: Json) -> _Offer:
    """Read ``tools`` and ``functions``."""
    entries = a_list(_or(document, "tools", []), "tools")
    legacy = a_list(_or(document, "functions", []), "functions")
    if entries and legacy:
        raise BadField("functions", "cannot be given beside 'tools'")
    functions: dict[str, _Function] = {}
    built_in: Json = {}
    for number, entry in enumerate(entries):
        tool = an_object(entry, f"tools[{number}]")
        own = _built_in(tool)
        if own is not None:
            built_in |= own
            continue
        _add(functions, _function(tool, f"tools[{number}]"))
    for number, entry in enumerate(legacy):
        at = f"functions[{number}]"
        _add(functions, _named(an_object(entry, at), at))
    return _Offer(tuple(functions.values()), built_in)


def _add(functions: dict[str, _Function], function: _Function) -> None:
    """Add a function; the same one twice is one, because Gemini refuses a repeated name."""
    known = functions.setdefault(function.name, function)
    if known.declaration != function.declaration:
        raise BadField(f"{function.at}.name", f"'{function.name}' is declared twice, differently")


def _built_in(tool: Json) -> Json | None:
    """Return a tool of Gemini's own as its native field, None for a function."""
    kind = tool.get("type")
    if kind is None:
        for key, value in tool.items():
            if key in BUILT_IN:
                return {BUILT_IN[key]: value if isinstance(value, dict) else {}}
        return None
    if kind == "function":
        inner = tool.get("function")
        name = inner.get("name") if isinstance(inner, dict) else None
        bare = isinstance(inner, dict) and not inner.get("parameters")
        return {name: {}} if bare and name in _AS_FUNCTIONS else None
    name = BUILT_IN.get(_DATED.sub("", str(kind)))
    return None if name is None else {name: {}}


def _function(tool: Json, at: str) -> _Function:
    kind = tool.get("type", "function")
    if kind != "function":
        inner = tool.get(str(kind))
        name = tool.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
        told = f"'{kind}' (the tool '{name}')" if name else f"'{kind}'"
        raise BadField(f"{at}.type", f"is {told}; only functions and Google's own tools can be had")
    inner = tool.get("function")
    if inner is None and "name" in tool:
        return _named(tool, at)
    return _named(an_object(inner, f"{at}.function"), f"{at}.function")


def _named(declaration: Json, at: str) -> _Function:
    name = a_text(declaration.get("name"), f"{at}.name")
    if not name:
        raise BadField(f"{at}.name", "must not be empty")
    if not shallow(declaration, schemas.DEEPEST):
        raise BadField(at, "is nested too deeply")
    return _Function(name, at, declaration)


def _or(place: Json, name: str, default: Any) -> Any:  # noqa: ANN401 - a value of JSON
    value = place.get(name)
    return default if value is None else value


def _calling(document: Json, offer: _Offer) -> _Calling:
    """Read ``tool_choice``, or the ``function_call`` of clients that know no other."""
    at = _CHOICE if document.get("tool_choice") is not None else "function_call"
    choice = document.get(at)
    calling = _chosen({"type": choice} if isinstance(choice, str) else choice, at)
    known = {function.name for function in offer.functions}
    for name in calling.allowed or ():
        if name not in known:
            raise BadField(at, f"names the function '{name}', which is not declared")
    if calling.mode == "ANY" and not known:
        raise BadField(at, "demands a call, but no function is declared")
    return calling


def _chosen(choice: object, at: str) -> _Calling:
    if choice is None:
        return _Calling()
    form = an_object(choice, at)
    kind = str(form.get("type", "function"))
    if kind in _MODES:
        return _Calling(_MODES[kind])
    if kind == "function":
        return _Calling("ANY", (_name_in(form, at),))
    if kind == "allowed_tools":
        return _allowed(_or(form, "allowed_tools", form), at)
    raise BadField(at, f"has the type '{kind}', which is not supported")


def _allowed(form: object, at: str) -> _Calling:
    """Read ``allowed_tools``: Gemini takes names with ANY and VALIDATED only, not with AUTO."""
    inner = an_object(form, at)
    tools = a_list(inner.get("tools"), at)
    mode = {"auto": "VALIDATED", "required": "ANY"}.get(str(inner.get("mode")))
    if mode is None:
        raise BadField(at, "must have the mode auto or required")
    allowed = tuple(dict.fromkeys(_name_in(an_object(tool, at), at) for tool in tools))
    if not allowed:
        if mode == "ANY":
            raise BadField(at, "demands a call, but allows no function")
        return _Calling("NONE")
    return _Calling(mode, allowed)


def _name_in(form: Json, at: str) -> str:
    inner = an_object(form.get("function", form), at)
    name = inner.get("name")
    if not isinstance(name, str):
        raise BadField(at, "must name a function")
    return name
