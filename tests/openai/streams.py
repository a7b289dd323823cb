"""Any native stream, for hypothesis: what Gemini and gateways in front of it are known to send."""

import json
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", " ", "\u2028", "\u0085", '","', "\\", "🪸", "\ud83e", "\udeb8", '"}', "\n\n", "\x00\x7f"]
)
WORDS = st.text(st.characters(codec="ascii", categories=["L"]), min_size=1, max_size=8)
SIGNATURES = st.sampled_from([None, "c2ln", "UzE=", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def _given(**fields: object) -> Json:
    return {name: value for name, value in fields.items() if value is not None}


TEXT_PARTS = st.builds(_given, text=TEXTS, thoughtSignature=SIGNATURES)
PLAIN_PARTS = st.builds(_given, text=TEXTS)
THOUGHTS = st.builds(_given, text=TEXTS, thought=st.just(True), thoughtSignature=SIGNATURES)
CALLS = st.builds(
    _given,
    functionCall=st.builds(
        _given,
        name=WORDS,
        args=st.none() | st.dictionaries(TEXTS, VALUES, max_size=3),
        id=st.none() | st.sampled_from(["a", "b", ""]),
    ),
    thoughtSignature=SIGNATURES,
)
BLOBS = st.builds(
    _given,
    inlineData=st.builds(
        _given,
        mimeType=st.sampled_from(["image/png", "audio/L16;rate=24000", "application/pdf", None]),
        data=st.sampled_from(["AA==", "AAEC", ""]),
    ),
    thought=st.sampled_from([None, True]),
)
CODE = st.sampled_from(
    [
        {"executableCode": {"language": "PYTHON", "code": "print(1)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}},
    ]
)
PARTS = st.one_of(PLAIN_PARTS, PLAIN_PARTS, TEXT_PARTS, THOUGHTS, CALLS, BLOBS, CODE, st.just({}))
COUNTS = st.integers(0, 1000)
USAGES = st.none() | st.builds(
    _given,
    promptTokenCount=COUNTS,
    candidatesTokenCount=st.none() | COUNTS,
    thoughtsTokenCount=st.none() | COUNTS,
    cachedContentTokenCount=st.none() | COUNTS,
)
GROUNDING = st.none() | st.builds(
    _given,
    groundingChunks=st.lists(
        st.sampled_from([{"web": {"uri": "https://a.example", "title": "A"}}, {}]), max_size=2
    ),
    groundingSupports=st.lists(
        st.builds(
            _given,
            segment=st.builds(_given, startIndex=st.integers(0, 9), endIndex=st.integers(0, 20)),
            groundingChunkIndices=st.lists(st.integers(0, 3), max_size=2),
        ),
        max_size=2,
    ),
)


@st.composite
def frames(draw: st.DrawFn, *, reason: str | None = None) -> Json:
    """Return one frame, with an intermediate or final reason where one is named."""
    content = draw(
        st.none()
        | st.just({"role": "model"})
        | st.builds(lambda parts: {"role": "model", "parts": parts}, st.lists(PARTS, max_size=3))
    )
    candidate = _given(
        content=content,
        finishReason=reason,
        groundingMetadata=draw(GROUNDING),
        index=draw(st.sampled_from([None, 0])),
    )
    others = draw(
        st.lists(st.just({"content": {"parts": [{"text": "?"}]}, "index": 3}), max_size=1)
    )
    return _given(
        candidates=[candidate, *others] if others and reason is None else [candidate],
        usageMetadata=draw(USAGES),
        responseId=draw(st.sampled_from([None, "r1"])),
        modelVersion=draw(st.sampled_from([None, "boat-001"])),
    )


PLAIN = st.builds(
    lambda text, usage: _given(
        candidates=[{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        usageMetadata=usage,
        responseId="r1",
    ),
    TEXTS,
    USAGES,
)
REASONS = st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY", "OTHER", "RECITATION", "NEW_WORD"])
BLOCKS = st.builds(
    lambda reason, usage: [_given(promptFeedback={"blockReason": reason}, usageMetadata=usage)],
    st.sampled_from(["SAFETY", "PROHIBITED_CONTENT"]),
    USAGES,
)
STREAMS = BLOCKS | st.builds(
    lambda before, end, behind: [*before, end, *behind],
    st.lists(PLAIN | PLAIN | frames(), max_size=8),
    REASONS.flatmap(lambda reason: frames(reason=reason)),
    st.lists(st.builds(_given, usageMetadata=USAGES), max_size=1),
)
"""Any stream that ends properly."""


def as_events(stream: list[Json], eol: str = "\r\n") -> bytes:
    """Return the bytes of a stream as Gemini sends it."""
    return "".join(f"data: {json.dumps(one)}{eol}{eol}" for one in stream).encode()
