"""Every field of a chat request but its messages: one table says what becomes of each.

A row has a reader where the field becomes a native one; the rows without a reader are read by the
module that they name, or by nobody. The documentation prints the same table, so what it says is
what happens. Fields that are in no row are ignored.

Sources: OpenAI's reference of chat completions (https://platform.openai.com/docs/api-reference/chat),
Google's of generateContent (https://ai.google.dev/api/generate-content) and of its layer for
OpenAI's clients (https://ai.google.dev/gemini-api/docs/openai).
"""

import enum
from collections.abc import Callable, Iterator, KeysView
from typing import Any

import attrs

from gemproxy.core.errors import BadField
from gemproxy.openai.fields import Json, a_list, a_switch, a_text, an_integer, an_object
from gemproxy.openai.thinking import places
from gemproxy.shaping.family import Family

MOST_ANSWERS = 8
"""The largest n: each answer is a request of its own to Gemini."""

MOST_STOPS = 5
"""The stop sequences that Gemini takes."""

_INT32 = 2**31
_MOST_LOGPROBS = 20

Reader = Callable[[Any, str, Family], Json]


class Fate(enum.Enum):
    """What becomes of a field."""

    SENT = "sent"
    OBEYED = "obeyed"
    IGNORED = "ignored"
    REFUSED = "refused"


@attrs.frozen
class Field:
    """One field: its fate, where it goes, and the reason in both languages of the docs."""

    name: str
    fate: Fate
    to: str
    why: str
    zh: str
    read: Reader | None = None


@attrs.frozen
class Manner:
    """How the client wants its answers.

    ``n`` counts them. ``include_usage``: a stream ends with the usage. ``single_call``: it wants
    one call at a time. ``legacy``: it knows ``function_call`` only. ``logprobs``: it wants the
    probabilities of tokens.
    """

    stream: bool = False
    n: int = 1
    include_usage: bool = False
    single_call: bool = False
    legacy: bool = False
    logprobs: bool = False


def manner(document: Json) -> Manner:
    """Return how the client wants its answers; raise BadField for a wrong value."""
    options = an_object(_given(document, "stream_options", {}), "stream_options")
    usage = _given(options, "include_usage", default=False)
    parallel = _given(document, "parallel_tool_calls", default=True)
    return Manner(
        stream=a_switch(_given(document, "stream", default=False), "stream"),
        n=an_integer(_given(document, "n", 1), "n", 1, MOST_ANSWERS),
        include_usage=a_switch(usage, "stream_options.include_usage"),
        single_call=not a_switch(parallel, "parallel_tool_calls"),
        legacy=not document.get("tools") and document.get("functions") is not None,
        logprobs=a_switch(_given(document, "logprobs", default=False), "logprobs"),
    )


def config(document: Json, family: Family) -> Json:
    """Return the native fields that the request's parameters become.

    ``generationConfig`` is always one of them; the others are there as asked. Neither tools nor a
    format nor thinking is in it. Raise BadField for a value that cannot be sent.
    """
    native: Json = {"generationConfig": {}}
    for reader, value, at in _asked(document):
        if value is not None:
            for key, read in reader(value, at, family).items():
                if key == "generationConfig":
                    native[key].update(read)
                else:
                    native[key] = read
    if not native["generationConfig"].get("responseLogprobs"):
        native["generationConfig"].pop("logprobs", None)
    return native


def _asked(document: Json) -> Iterator[tuple[Reader, Any, str]]:
    for name, read in _READERS.items():
        if name in document:
            yield read, document[name], name
    for path, place in reversed(places(document)):
        for name, read in _GOOGLE_READERS.items():
            if name in place:
                yield read, place[name], f"{path}.{name}" if path else name


def _given(place: Json, name: str, default: Any) -> Any:  # noqa: ANN401 - a value of JSON
    """Return a field's value; null is the same as absent."""
    value = place.get(name)
    return default if value is None else value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


def _in_config(key: str, value: object) -> Json:
    return {"generationConfig": {key: value}}


def _number(key: str, least: float, most: float) -> Reader:
    def read(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
        del family
        return _in_config(key, _within(value, at, least, most))

    return read


def _within(value: object, at: str, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadField(at, f"must be a number from {least:g} to {most:g}")
    return value


def _penalty(key: str) -> Reader:
    def read(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
        number = _within(value, at, -2, 2)
        return _in_config(key, number) if family.penalties else {}

    return read


def _top_k(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    number = an_integer(whole, at, -1, _INT32 - 1)
    return _in_config("topK", number) if number > 0 else {}


def _most_tokens(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    return _in_config("maxOutputTokens", an_integer(value, at, 1, _INT32 - 1))


def _seed(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    """Fold OpenAI's 64 bits into the 32 of Gemini's seed; small ones stay."""
    del family
    if not isinstance(value, int) or isinstance(value, bool):
        raise BadField(at, "must be an integer")
    return _in_config("seed", (value + _INT32) % (2 * _INT32) - _INT32)


def _stop(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    given = [value] if isinstance(value, str) else a_list(value, at)
    stops = list(dict.fromkeys(a_text(stop, f"{at}[{at_}]") for at_, stop in enumerate(given)))
    stops = [stop for stop in stops if stop]
    if len(stops) > MOST_STOPS:
        raise BadField(at, f"has {len(stops)} sequences; Gemini takes {MOST_STOPS} at most")
    return _in_config("stopSequences", stops) if stops else {}


def _logprobs(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    wanted = a_switch(value, at) and family.logprobs
    return _in_config("responseLogprobs", wanted) if wanted else {}


def _top_logprobs(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    number = an_integer(value, at, 0, _MOST_LOGPROBS)
    return _in_config("logprobs", number) if number and family.logprobs else {}


_TIERS = {
    "auto": None,
    "scale": None,
    "default": "standard",
    "flex": "flex",
    "priority": "priority",
}


def _tier(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    tier = a_text(value, at)
    if tier not in _TIERS:
        raise BadField(at, f"must be one of {', '.join(_TIERS)}")
    native = _TIERS[tier]
    return {} if native is None else {"serviceTier": native}


def _modalities(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    asked = _words(value, at)
    if not asked <= {"TEXT", "IMAGE"}:
        raise BadField(at, "may have 'text' and 'image'; sound is not given in this dialect")
    return _in_config("responseModalities", list(asked)) if "IMAGE" in asked else {}


def _native_modalities(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - JSON
    del family
    asked = _words(value, at)
    if not asked <= {"TEXT", "IMAGE", "AUDIO"}:
        raise BadField(at, "may have TEXT, IMAGE and AUDIO")
    return _in_config("responseModalities", list(asked)) if asked else {}


def _words(value: object, at: str) -> KeysView[str]:
    """Return the words of a list in capitals, in its order."""
    words = [a_text(one, f"{at}[{number}]") for number, one in enumerate(a_list(value, at))]
    return dict.fromkeys(word.upper() for word in words).keys()


def _no_audio(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del value, family
    raise BadField(at, "is not supported: sound cannot be asked for in this dialect")


def _cache(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    return {"cachedContent": a_text(value, at)}


def _safety(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    settings = []
    for number, one in enumerate(a_list(value, at)):
        setting = an_object(one, f"{at}[{number}]")
        keys = ("category", "threshold")
        settings.append({key: a_text(setting.get(key), f"{at}[{number}].{key}") for key in keys})
    return {"safetySettings": settings}


def _image(value: Any, at: str, family: Family) -> Json:  # noqa: ANN401 - a value of JSON
    del family
    given = {_camel(key): one for key, one in an_object(value, at).items()}
    known = {key: given[key] for key in ("aspectRatio", "imageSize") if given.get(key) is not None}
    return _in_config("imageConfig", {key: a_text(known[key], f"{at}.{key}") for key in known})


_SENT, _OBEYED, _IGNORED, _REFUSED = Fate

FIELDS = (
    Field(
        "model",
        _SENT,
        "the path",
        "The setting `openai.default_model` if absent; aliases and suffixes are resolved first.",
        "缺省时用 `openai.default_model`；先解析别名与后缀。",
    ),
    Field(
        "messages",
        _SENT,
        "contents, systemInstruction",
        "See the section on messages.",
        "见“消息”一节。",
    ),
    Field(
        "temperature",
        _SENT,
        "temperature",
        "0 to 2. Gemini 3.6 and later take it and ignore it.",
        "0 到 2。Gemini 3.6 起接受但忽略。",
        _number("temperature", 0, 2),
    ),
    Field("top_p", _SENT, "topP", "0 to 1.", "0 到 1。", _number("topP", 0, 1)),
    Field(
        "top_k",
        _SENT,
        "topK",
        "Not OpenAI's, but many clients send it; 0 and -1 mean no limit and are left out.",
        "不是 OpenAI 的字段，但许多客户端会发；0 和 -1 表示不限，省略。",
        _top_k,
    ),
    Field(
        "max_tokens",
        _SENT,
        "maxOutputTokens",
        "As asked. Gemini counts thoughts, too, so a thinking model may use all of it before it "
        "writes; the answer then is empty and ends with `length`.",
        "原样发送。Gemini 把思考也计入，思考模型可能在写正文前就用完；"
        "此时正文为空，以 `length` 结束。",
        _most_tokens,
    ),
    Field(
        "max_completion_tokens",
        _SENT,
        "maxOutputTokens",
        "Goes before `max_tokens`.",
        "优先于 `max_tokens`。",
        _most_tokens,
    ),
    Field(
        "stop",
        _SENT,
        "stopSequences",
        "A string or a list. Empty strings are left out; more than five get a 400, because Gemini "
        "takes no more.",
        "字符串或列表。空串省略；超过五个返回 400，因为 Gemini 最多接受五个。",
        _stop,
    ),
    Field(
        "seed",
        _SENT,
        "seed",
        "Gemini's seed has 32 bits; a larger one is folded into them.",
        "Gemini 的种子只有 32 位；更大的值按位折叠。",
        _seed,
    ),
    Field(
        "frequency_penalty",
        _SENT,
        "frequencyPenalty",
        "-2 to 2. Left out for all models but Gemini 2.0: they refuse penalties.",
        "-2 到 2。除 Gemini 2.0 外的模型拒绝惩罚参数，故省略。",
        _penalty("frequencyPenalty"),
    ),
    Field(
        "presence_penalty",
        _SENT,
        "presencePenalty",
        "Like `frequency_penalty`.",
        "同 `frequency_penalty`。",
        _penalty("presencePenalty"),
    ),
    Field(
        "n",
        _OBEYED,
        "one request each",
        "1 to 8, each a stream of its own: Gemini 3 refuses candidateCount, and a stream of "
        "several candidates could not be resumed.",
        "1 到 8，每个都是独立的流：Gemini 3 拒绝 candidateCount，多候选的流也无法续传。",
    ),
    Field("stream", _OBEYED, "", "True or false.", "true 或 false。"),
    Field(
        "stream_options",
        _OBEYED,
        "",
        "`include_usage`: the usage comes in one chunk before `[DONE]`. Other options are ignored.",
        "`include_usage`：用量在 `[DONE]` 之前的一个块里。其他选项忽略。",
    ),
    Field("tools", _SENT, "tools", "See the section on tools.", "见“工具”一节。"),
    Field(
        "tool_choice",
        _SENT,
        "toolConfig.functionCallingConfig",
        "All forms; a function that is not in `tools` gets a 400.",
        "支持所有形式；`tools` 里没有的函数返回 400。",
    ),
    Field(
        "parallel_tool_calls",
        _OBEYED,
        "",
        "`false`: Gemini has no such switch, so only the first call of an answer is given.",
        "`false`：Gemini 没有此开关，因此只给出回答中的第一个调用。",
    ),
    Field(
        "functions",
        _SENT,
        "tools",
        "The old form of `tools`; answers have `function_call`. Beside `tools` it gets a 400.",
        "`tools` 的旧形式；回答里是 `function_call`。与 `tools` 同时给出返回 400。",
    ),
    Field(
        "function_call",
        _SENT,
        "toolConfig.functionCallingConfig",
        "The old form of `tool_choice`, read beside `functions`.",
        "`tool_choice` 的旧形式，与 `functions` 一起读取。",
    ),
    Field(
        "response_format",
        _SENT,
        "responseMimeType, responseJsonSchema",
        "`text`, `json_object`, `json_schema`; see the section on tools.",
        "`text`、`json_object`、`json_schema`；见“工具”一节。",
    ),
    Field(
        "reasoning_effort",
        _SENT,
        "thinkingConfig",
        "By Google's table for each family of models; see the page on thinking.",
        "按 Google 对各模型系列的表；见“思考”页。",
    ),
    Field(
        "reasoning, thinking, enable_thinking, thinking_budget, include_thoughts",
        _SENT,
        "thinkingConfig",
        "What other clients write for the same; see the page on thinking.",
        "其他客户端对同一意图的写法；见“思考”页。",
    ),
    Field(
        "modalities",
        _SENT,
        "responseModalities",
        "`text` and `image`. `audio` gets a 400.",
        "`text` 与 `image`。`audio` 返回 400。",
        _modalities,
    ),
    Field(
        "audio",
        _REFUSED,
        "",
        "Sound cannot be asked for here; text instead of it would be worse than a 400.",
        "此方言不能要求声音；默默换成文字比 400 更糟。",
        _no_audio,
    ),
    Field(
        "logprobs",
        _SENT,
        "responseLogprobs",
        "Left out for Gemini 2.5 Pro and for 3.5 and later, which refuse it; the answer's "
        "`logprobs` is null then.",
        "Gemini 2.5 Pro 以及 3.5 起的模型拒绝它，故省略；此时回答的 `logprobs` 为 null。",
        _logprobs,
    ),
    Field(
        "top_logprobs",
        _SENT,
        "logprobs",
        "0 to 20, beside `logprobs: true`; else it is left out.",
        "0 到 20，与 `logprobs: true` 一起；否则省略。",
        _top_logprobs,
    ),
    Field(
        "service_tier",
        _SENT,
        "serviceTier",
        "`default` is Gemini's `standard`; `flex` and `priority` are the same; `auto` and "
        "`scale` are left out.",
        "`default` 即 Gemini 的 `standard`；`flex`、`priority` 相同；`auto` 与 `scale` 省略。",
        _tier,
    ),
    Field(
        "web_search_options",
        _SENT,
        "tools.googleSearch",
        "Switches Google Search on. The options themselves are ignored: Gemini has none of them.",
        "开启 Google 搜索。选项本身忽略：Gemini 没有对应项。",
    ),
    Field(
        "extra_body",
        _SENT,
        "",
        "The fields of the next table are read in it, in its `google`, in `google` at the top, and "
        "at the top itself: SDKs lift `extra_body`, others do not.",
        "下表的字段可放在其中、其 `google` 中、顶层的 `google` 中或顶层：SDK 会展开 `extra_body`，"
        "其他客户端不会。",
    ),
    Field("google", _SENT, "", "See `extra_body`.", "见 `extra_body`。"),
    Field(
        "logit_bias",
        _IGNORED,
        "",
        "Its keys are tokens of OpenAI's; Gemini has other ones.",
        "键是 OpenAI 的词元；Gemini 的词元不同。",
    ),
    Field(
        "prediction",
        _IGNORED,
        "",
        "It only makes OpenAI's answers faster.",
        "只用于加快 OpenAI 的回答。",
    ),
    Field("verbosity", _IGNORED, "", "Gemini has no such field.", "Gemini 没有此字段。"),
    Field("moderation", _IGNORED, "", "Gemini has no such field.", "Gemini 没有此字段。"),
    Field("store", _IGNORED, "", "Answers are not stored.", "不存储回答。"),
    Field("metadata", _IGNORED, "", "It belongs to stored answers.", "属于被存储的回答。"),
    Field("user", _IGNORED, "", "The access key says who asks.", "由访问密钥识别用户。"),
    Field("safety_identifier", _IGNORED, "", "Like `user`.", "同 `user`。"),
    Field("prompt_cache_key", _IGNORED, "", "Gemini caches by itself.", "Gemini 自动缓存。"),
    Field(
        "prompt_cache_options", _IGNORED, "", "Like `prompt_cache_key`.", "同 `prompt_cache_key`。"
    ),
    Field(
        "prompt_cache_retention",
        _IGNORED,
        "",
        "Like `prompt_cache_key`.",
        "同 `prompt_cache_key`。",
    ),
)
"""What becomes of each field of OpenAI's, in the order in which they are read."""

GOOGLE_FIELDS = (
    Field(
        "thinking_config",
        _SENT,
        "thinkingConfig",
        "See the page on thinking.",
        "见“思考”页。",
    ),
    Field(
        "cached_content",
        _SENT,
        "cachedContent",
        "The name of a cache. Gemini takes neither an instruction nor tools beside it.",
        "缓存的名称。Gemini 不接受与之并存的系统指令和工具。",
        _cache,
    ),
    Field(
        "safety_settings",
        _SENT,
        "safetySettings",
        "A list of objects with `category` and `threshold`.",
        "对象列表，含 `category` 与 `threshold`。",
        _safety,
    ),
    Field(
        "response_modalities",
        _SENT,
        "responseModalities",
        "`TEXT`, `IMAGE`, `AUDIO`; it goes before `modalities`.",
        "`TEXT`、`IMAGE`、`AUDIO`；优先于 `modalities`。",
        _native_modalities,
    ),
    Field(
        "image_config",
        _SENT,
        "imageConfig",
        "`aspect_ratio` and `image_size`, for models that draw.",
        "`aspect_ratio` 与 `image_size`，用于生图模型。",
        _image,
    ),
)
"""What becomes of the fields that only Gemini has; both spellings are read, snake and camel."""

_READERS = {field.name: field.read for field in FIELDS if field.read is not None}
_GOOGLE_READERS = {
    name: field.read
    for field in GOOGLE_FIELDS
    if field.read is not None
    for name in (field.name, _camel(field.name))
}
