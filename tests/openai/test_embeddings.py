"""Embeddings of OpenAI's dialect: into Gemini's batches, and back."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemproxy.core.errors import BadField, UpstreamFailure
from gemproxy.openai.embeddings import MOST, MOST_IN_BATCH, told, translate

MODEL = "gemini-embedding-001"


def asked(given: object, **fields: Any) -> Any:
    return translate({"model": MODEL, "input": given, **fields}, {})


def answer(*vectors: list[float]) -> dict[str, Any]:
    return {"embeddings": [{"values": vector} for vector in vectors]}


def test_each_text_is_a_request_of_its_own() -> None:
    assert asked(["a", "b"], dimensions=3, user="u").batches() == [
        {
            "requests": [
                {
                    "model": "models/gemini-embedding-001",
                    "content": {"parts": [{"text": text}]},
                    "outputDimensionality": 3,
                }
                for text in "ab"
            ]
        }
    ]


def test_a_single_text_is_a_list_of_one() -> None:
    ((request,),) = [batch["requests"] for batch in asked("a").batches()]

    assert request == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "a"}]},
    }


@pytest.mark.parametrize(
    ("texts", "sizes"),
    [(1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_more_texts_than_a_batch_takes_are_several(texts: int, sizes: list[int]) -> None:
    batches = asked([str(number) for number in range(texts)]).batches()

    assert [len(batch["requests"]) for batch in batches] == sizes
    sent = [one["content"]["parts"][0]["text"] for batch in batches for one in batch["requests"]]
    assert sent == [str(number) for number in range(texts)]
    assert MOST_IN_BATCH == 100


@pytest.mark.parametrize("name", ["text-embedding-3-small", "models/gemini-embedding-001", MODEL])
def test_the_model_may_be_an_alias_or_have_its_collection(name: str) -> None:
    embedding = translate({"model": name, "input": "a"}, {"text-embedding-3-small": MODEL})

    assert (embedding.named, embedding.model) == (name, MODEL)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [""]}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": 5}, "input"),
        ({"input": [1, 2]}, "input"),
        ({"input": [[1, 2], [3]]}, "input"),
        ({"input": ["a", None]}, "input[1]"),
        ({"input": ["a"] * (MOST + 1)}, "input"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "encoding_format": 1}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "3"}, "dimensions"),
        ({"input": "a", "model": None}, "model"),
        ({"input": "a", "model": "models/"}, "model"),
    ],
)
def test_what_cannot_be_asked_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(BadField) as caught:
        translate({"model": MODEL, **fields}, {})

    assert caught.value.field == param


def test_token_ids_are_refused_in_words() -> None:
    with pytest.raises(BadField, match="token ids"):
        asked([[1, 2, 3]])


def test_base64_is_little_endian_float32() -> None:
    document = told(
        asked(["a", "b"], encoding_format="base64"), [answer([0.25, -1.0, 3.0], [0, 0, 1])], 2
    )

    assert document == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": "AACAPgAAgL8AAEBA"},
            {"object": "embedding", "index": 1, "embedding": "AAAAAAAAAAAAAIA/"},
        ],
        "model": MODEL,
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


@pytest.mark.parametrize("form", [{}, {"encoding_format": "float"}, {"encoding_format": None}])
def test_floats_stay_as_they_came(form: dict[str, Any]) -> None:
    document = told(asked("a", **form), [answer([0.25, -1.0])], 1)

    assert document["data"][0]["embedding"] == [0.25, -1.0]


def test_the_vectors_of_all_batches_are_counted_through() -> None:
    embedding = asked([str(number) for number in range(101)])
    answers = [answer(*([1.0] for _ in range(100))), answer([2.0])]

    data = told(embedding, answers, 0)["data"]

    assert [one["index"] for one in data] == list(range(101))
    assert data[-1]["embedding"] == [2.0]


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"embeddings": {}},
        {"embeddings": []},
        {"embeddings": [{"values": [1]}, {"values": [1]}]},
        {"embeddings": [{}]},
        {"embeddings": [None]},
        {"embeddings": [{"values": ["1"]}]},
        {"embeddings": [{"values": [True]}]},
    ],
)
def test_a_missing_vector_is_an_error(document: object) -> None:
    with pytest.raises(UpstreamFailure):
        told(asked("a"), [document], 1)


def test_a_number_beyond_float32_is_an_error() -> None:
    with pytest.raises(UpstreamFailure):
        told(asked("a", encoding_format="base64"), [answer([1e300])], 1)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_base64_gives_back_the_vector(vector: list[float]) -> None:
    document = told(asked("a", encoding_format="base64"), [answer(vector)], 1)

    packed = base64.b64decode(document["data"][0]["embedding"])
    assert list(struct.unpack(f"<{len(vector)}f", packed)) == vector
    assert json.dumps(document)
