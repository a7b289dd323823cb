"""Conversations as OpenAI's clients may send them, for hypothesis.

Each text and result is unique, so that a test can see where it is.
"""

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

_PNG = "data:image/png;base64,iVBORw0KGgo="
_NAMES = ("tide", "wind", "1c reload", "重启")
_IDS = ("a", "b", "c", "call_0", "", "x" * 60)


def conversations() -> st.SearchStrategy[list[Json]]:
    """Return lists of 1 to 9 messages."""
    return st.lists(_message(), min_size=1, max_size=9).map(_numbered)


def _message() -> st.SearchStrategy[Json]:
    texts = st.sampled_from(["?", "?", ""])
    content = st.one_of(
        texts,
        st.lists(
            st.one_of(
                texts.map(lambda text: {"type": "text", "text": text}),
                st.just({"type": "image_url", "image_url": {"url": _PNG}}),
            ),
            min_size=1,
            max_size=3,
        ),
    )
    texts_only = st.one_of(
        texts, st.lists(texts.map(lambda text: {"type": "text", "text": text}), min_size=1)
    )
    call = st.fixed_dictionaries(
        {
            "id": st.sampled_from(_IDS),
            "type": st.just("function"),
            "function": st.fixed_dictionaries(
                {
                    "name": st.sampled_from(_NAMES),
                    "arguments": st.sampled_from(["{}", '{"a":1}', "", '{"a":', '{"a":1}{"b":2}']),
                }
            ),
        }
    )
    return st.one_of(
        st.fixed_dictionaries({"role": st.just("user"), "content": content}),
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "developer"]), "content": texts_only}
        ),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": st.none() | texts_only},
            optional={"tool_calls": st.lists(call, max_size=3)},
        ),
        st.fixed_dictionaries(
            {"role": st.just("assistant"), "content": st.none()},
            optional={
                "function_call": st.fixed_dictionaries(
                    {"name": st.sampled_from(_NAMES), "arguments": st.just("{}")}
                )
            },
        ),
        st.fixed_dictionaries(
            {"role": st.just("tool"), "tool_call_id": st.sampled_from(_IDS), "content": content}
        ),
        st.fixed_dictionaries(
            {"role": st.just("function"), "name": st.sampled_from(_NAMES), "content": texts}
        ),
    )


def _numbered(messages: list[Json]) -> list[Json]:
    """Return messages whose texts are all different: t0., r1., t2. (r: of a result)."""
    return [_with_texts(message, number) for number, message in enumerate(messages)]


def _with_texts(message: Json, number: int) -> Json:
    mark = "r" if message["role"] in {"tool", "function"} else "t"
    content = message["content"]
    if content == "?":
        return {**message, "content": f"{mark}{number}."}
    if not isinstance(content, list):
        return message
    parts = [
        {**part, "text": f"{mark}{number}-{place}."} if part.get("text") == "?" else part
        for place, part in enumerate(content)
    ]
    return {**message, "content": parts}


def texts_of(messages: list[Json]) -> list[str]:
    """Return the texts of messages, in order, without the empty ones."""
    found: list[str] = []
    for message in messages:
        content = message["content"]
        parts = content if isinstance(content, list) else [{"text": content}]
        found += [part["text"] for part in parts if part.get("text")]
    return found
