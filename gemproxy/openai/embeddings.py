"""Embeddings of OpenAI's dialect: a request into Gemini's batches, their answers into one list.

Each text is a request of its own in a ``:batchEmbedContents``, because newer models make one vector
of all the parts of a content. A batch has at most 100 requests; more texts are several batches.

OpenAI's SDKs ask for ``base64`` on their own: the vector as little-endian float32
(https://platform.openai.com/docs/api-reference/embeddings). ``user`` is ignored. Texts as token ids
are refused: they are of another tokenizer.
"""

import base64
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from gemproxy.core.errors import BadField, UpstreamFailure
from gemproxy.openai.fields import Json, a_text, an_integer

MOST_IN_BATCH = 100
MOST = 2048
"""OpenAI's limit of texts in one request."""

_FORMATS = ("float", "base64")
_LARGEST = 1 << 20
_NO_VECTORS = "Gemini answered with something that is no list of embeddings."


@attrs.frozen
class Embedding:
    """One request: its ``texts``, and how the answer is told.

    ``named`` is the model as the client wrote it, ``model`` the upstream's name. ``dimensions`` is
    None for the model's own.
    """

    named: str
    model: str
    texts: Sequence[str] = attrs.field(repr=False)
    dimensions: int | None = None
    as_base64: bool = False

    def batches(self) -> list[Json]:
        """Return the bodies of the native requests, in the order of the texts."""
        return [
            self._batch(self.texts[start : start + MOST_IN_BATCH])
            for start in range(0, len(self.texts), MOST_IN_BATCH)
        ]

    def whole(self) -> Json:
        """Return one body with all texts, by which the request is judged."""
        return self._batch(self.texts)

    def _batch(self, texts: Sequence[str]) -> Json:
        size = {} if self.dimensions is None else {"outputDimensionality": self.dimensions}
        return {
            "requests": [
                {"model": f"models/{self.model}", "content": {"parts": [{"text": text}]}, **size}
                for text in texts
            ]
        }


def translate(document: Json, aliases: Mapping[str, str]) -> Embedding:
    """Return what a request asks for; raise BadField for what cannot be asked."""
    named = a_text(document.get("model"), "model")
    model = aliases.get(named, named).removeprefix("models/")
    if not model:
        raise BadField("model", "is not the name of a model", reason="model_not_found")
    wanted = document.get("encoding_format")
    if wanted is not None and wanted not in _FORMATS:
        raise BadField("encoding_format", "must be 'float' or 'base64'")
    dimensions = document.get("dimensions")
    if dimensions is not None:
        dimensions = an_integer(dimensions, "dimensions", 1, _LARGEST)
    return Embedding(named, model, _texts(document.get("input")), dimensions, wanted == "base64")


def _texts(given: object) -> list[str]:
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        raise BadField("input", "must be a string or an array of strings")
    if not given:
        raise BadField("input", "must not be empty")
    if any(isinstance(text, int | list) for text in given):
        raise BadField(
            "input", "must be text: token ids are of another tokenizer than that of the model"
        )
    if len(given) > MOST:
        raise BadField("input", f"must have at most {MOST} texts")
    for number, text in enumerate(given):
        if not isinstance(text, str):
            raise BadField(f"input[{number}]", "must be a string")
        if not text:
            raise BadField("input" if len(given) == 1 else f"input[{number}]", "must not be empty")
    return given


def told(asked: Embedding, answers: Iterable[object], tokens: int) -> Json:
    """Return the answer of OpenAI's form.

    ``answers`` are the documents of the batches in their order, ``tokens`` those of all texts.
    Raises UpstreamFailure where a vector is missing.
    """
    vectors = [vector for answer in answers for vector in _vectors(answer)]
    if len(vectors) != len(asked.texts):
        raise UpstreamFailure(_NO_VECTORS)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(vector) if asked.as_base64 else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": data, "model": asked.named, "usage": usage}


def _vectors(answer: object) -> list[list[float]]:
    embeddings = answer.get("embeddings") if isinstance(answer, dict) else None
    if not isinstance(embeddings, list):
        raise UpstreamFailure(_NO_VECTORS)
    return [_vector(embedding) for embedding in embeddings]


def _vector(embedding: Any) -> list[float]:  # noqa: ANN401 - JSON is any
    values = embedding.get("values") if isinstance(embedding, dict) else None
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise UpstreamFailure(_NO_VECTORS)
    return values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _base64(vector: Sequence[float]) -> str:
    try:
        packed = struct.pack(f"<{len(vector)}f", *vector)
    except (struct.error, OverflowError):
        raise UpstreamFailure(_NO_VECTORS) from None
    return base64.b64encode(packed).decode()
