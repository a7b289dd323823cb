"""Bodies that name nothing, known by their type: the usual chat, with its settings and functions.

One pass of msgspec decides, at the speed of C. Whatever fits the types below has strings only where
they name nothing: text, content in base64, the client's own values (arguments, responses and
schemas of functions, as raw JSON), and words without a slash. A member or a value that the types do
not know makes a body one that is read string by string (``naming``), so nothing is overlooked.
"""

from typing import Annotated, Literal

import msgspec

_Word = Annotated[str, msgspec.Meta(pattern=r"\A[\w.-]*\Z")]
"""A word without a slash or a colon: no name of a resource and no URI."""
_MediaType = Annotated[
    str, msgspec.Meta(pattern=r"\A(?:audio|image|text|video|application)/[\w.+-]+\Z")
]
_Number = float | None
_Flag = bool | None


class _Call(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: _Word
    args: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    name: _Word
    response: msgspec.Raw = msgspec.Raw()


class _Blob(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    mime_type: _MediaType
    data: str


class _Part(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    text: str | None = None
    thought: _Flag = None
    thought_signature: str | None = None
    function_call: _Call | None = None
    function_response: _Response | None = None
    inline_data: _Blob | None = None


class _Turn(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    parts: list[_Part] | _Part
    role: Literal["user", "model", "function", "system"] | None = None


class _Thinking(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    thinking_budget: int | None = None
    include_thoughts: _Flag = None
    thinking_level: _Word | None = None


class _Generation(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    temperature: _Number = None
    top_p: _Number = None
    top_k: _Number = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    seed: int | None = None
    presence_penalty: _Number = None
    frequency_penalty: _Number = None
    stop_sequences: list[str] | None = None
    response_mime_type: _MediaType | None = None
    response_schema: msgspec.Raw = msgspec.Raw()
    response_json_schema: msgspec.Raw = msgspec.Raw()
    response_modalities: list[_Word] | None = None
    thinking_config: _Thinking | None = None


class _Safety(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    category: _Word
    threshold: _Word


class _Function(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    name: _Word
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()
    parameters_json_schema: msgspec.Raw = msgspec.Raw()


class _Nothing(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    pass


class _Tool(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    function_declarations: list[_Function] | None = None
    google_search: _Nothing | None = None
    code_execution: _Nothing | None = None
    url_context: _Nothing | None = None


class _Calling(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    mode: _Word | None = None
    allowed_function_names: list[_Word] | None = None


class _ToolConfig(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    function_calling_config: _Calling | None = None


class _Body(msgspec.Struct, gc=False, forbid_unknown_fields=True, rename="camel"):
    contents: list[_Turn] | _Turn
    system_instruction: _Turn | None = None
    generation_config: _Generation | None = None
    safety_settings: list[_Safety] | None = None
    tools: list[_Tool] | None = None
    tool_config: _ToolConfig | None = None


_decode = msgspec.json.Decoder(_Body).decode


def names_nothing(body: bytes) -> bool:
    """Return whether ``body`` is JSON in UTF-8 that certainly names nothing."""
    try:
        _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
